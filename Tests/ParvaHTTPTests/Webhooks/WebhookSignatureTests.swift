import Foundation
import Testing

@testable import ParvaHTTP

@Suite struct WebhookSignatureTests {
  /// The example of the Standard Webhooks specification.
  static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  static let body = Data(#"{"test": 2432232314}"#.utf8)
  static let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
  static let timestamp = 1_614_265_330
  static let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

  private static func headers(_ changes: [String: String] = [:]) -> HTTPHeaders {
    var headers: HTTPHeaders = [
      "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": signature,
    ]
    for (name, value) in changes { headers[name] = value }
    return headers
  }

  @Test func theSpecificationsExampleIsSignedAndAccepted() throws {
    let signer = try #require(WebhookSignature(secret: Self.secret))
    let made = signer.headers(id: Self.id, timestamp: Self.timestamp, body: Self.body)
    #expect(made.map(\.value) == [Self.id, String(Self.timestamp), Self.signature])
    #expect(try signer.verify(headers: Self.headers(), body: Self.body, now: Self.timestamp + 300) == Self.id)
    let rotated = Self.headers(["webhook-signature": "v1,AAAA v2,x " + Self.signature])
    #expect(try signer.verify(headers: rotated, body: Self.body, now: Self.timestamp) == Self.id)
  }

  struct Refused: Sendable {
    var changes: [String: String] = [:]
    var body = WebhookSignatureTests.body
    var now = WebhookSignatureTests.timestamp
    var refusal: WebhookSignature.Refusal
  }

  @Test(arguments: [
    Refused(changes: ["webhook-id": ""], refusal: .headersMissing),
    Refused(changes: ["webhook-timestamp": "soon"], refusal: .timestampInvalid),
    Refused(changes: ["webhook-timestamp": "-1"], refusal: .timestampInvalid),
    Refused(now: timestamp + 301, refusal: .timestampOutsideWindow),
    Refused(now: timestamp - 301, refusal: .timestampOutsideWindow),
    Refused(changes: ["webhook-timestamp": "1614265331"], refusal: .signatureMismatch),
    Refused(changes: ["webhook-id": "msg_other"], refusal: .signatureMismatch),
    Refused(changes: ["webhook-signature": ""], refusal: .signatureMismatch),
    Refused(changes: ["webhook-signature": "v1,"], refusal: .signatureMismatch),
    Refused(body: Data("{}".utf8), refusal: .signatureMismatch),
  ])
  func anythingElseIsRefused(_ testCase: Refused) throws {
    let signer = try #require(WebhookSignature(secret: Self.secret))
    #expect(throws: testCase.refusal) {
      try signer.verify(headers: Self.headers(testCase.changes), body: testCase.body, now: testCase.now)
    }
  }

  @Test(arguments: ["", "whsec_", "whsec_!!", "c2hvcnQ="])
  func aSecretThatIsNoneIsRefused(_ secret: String) {
    #expect(WebhookSignature(secret: secret) == nil)
  }
}
