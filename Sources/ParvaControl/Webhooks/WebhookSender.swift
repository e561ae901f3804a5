package import Foundation
package import ParvaHTTP
import ParvaServing

/// One try of one message: signed, sent, and judged by its answer.
package struct WebhookSender: Sendable {
  /// How messages go out.
  package struct Settings: Sendable {
    /// Networks that may be reached though they are not public, with http too.
    package var allowed: [NetworkRange] = []
    /// For one try, the lookup of the name included.
    package var timeout = Duration.seconds(15)
    /// Before the second try of a message.
    package var firstPause = Duration.seconds(5)
    /// Authorities to trust instead of the system's.
    package var caFile: String?

    package init() {}

    var client: HTTPClientConfiguration {
      var configuration = HTTPClientConfiguration()
      configuration.tls.caFile = caFile
      configuration.targets = TargetGuard(allowed: allowed)
      configuration.followsProxies = false
      configuration.timeout = timeout
      configuration.connectTimeout = min(timeout, .seconds(10))
      // What a receiver says beside its status concerns nobody.
      configuration.maxResponseBytes = 16 << 10
      configuration.cutsBodies = true
      configuration.retries = 0
      // Subscribers may share a host, and none waits for another.
      configuration.maxConnectionsPerHost = 256
      return configuration
    }
  }

  /// What came of a try, for people.
  package struct Try: Hashable, Sendable {
    package var message: String
    package var type: String
    package var at: Date
    package var seconds: Double
    package var attempt: Int
    /// `delivered`, or why not.
    package var code: String
    /// Of the answer; nil where there was none.
    package var status: Int?
    /// One sentence without the URL; nil for what was delivered.
    package var detail: String?

    package var isDelivered: Bool { code == Self.delivered }

    package static let delivered = "delivered"
  }

  private let client: HTTPClient
  private let now: @Sendable () -> Date

  init(client: HTTPClient, now: @escaping @Sendable () -> Date) { (self.client, self.now) = (client, now) }

  /// - Returns: nil where the client is closed: nothing can be said of the message.
  func send(
    _ body: Data, named name: String, type: String, attempt: Int, to record: WebhookRecord
  ) async -> (outcome: DeliveryMachine.Outcome, made: Try)? {
    let (time, start) = (now(), ContinuousClock.now)
    var request = HTTPClientRequest(method: "POST", url: record.wish.url, body: body)
    request.isIdempotent = true
    request.headers["Content-Type"] = "application/json"
    for field in Self.signed(body, named: name, at: time, record) { request.headers[field.name] = field.value }
    var made = Try(message: name, type: type, at: time, seconds: 0, attempt: attempt, code: Try.delivered)
    let outcome: DeliveryMachine.Outcome
    do throws(HTTPClientError) {
      let response = try await client.send(request)
      made.status = response.status
      (outcome, made.code) = Self.judged(response, at: now())
      if !made.isDelivered { made.detail = "the receiver answered \(response.status)" }
    } catch {
      if error.code == .closed || error.code == .cancelled { return nil }
      outcome = .failed(code: error.code.rawValue)
      (made.code, made.detail) = (error.code.rawValue, error.cause.isEmpty ? nil : error.cause)
    }
    made.seconds = start.duration(to: .now).seconds
    return (outcome, made)
  }

  static func judged(_ response: HTTPResponse, at now: Date) -> (DeliveryMachine.Outcome, code: String) {
    switch response.status {
    case 200..<300: return (.delivered, Try.delivered)
    case 300..<400: return (.failed(code: "redirect_refused"), "redirect_refused")
    case 410: return (.gone, "gone")
    default:
      let wish = response.headers["Retry-After"].flatMap { pause($0, at: now) }
      let code = "status_\(response.status)"
      return (.failed(code: code, wish: wish), code)
    }
  }

  /// Seconds that `Retry-After` asks for, as seconds or as a date (RFC 9110, section 10.2.3).
  static func pause(_ text: String, at now: Date) -> TimeInterval? {
    if let seconds = Int(text) { return seconds >= 0 ? TimeInterval(seconds) : nil }
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return formatter.date(from: text).map { max(0, $0.timeIntervalSince(now)) }
  }

  /// Signed by the secret, and by the one before it for as long as that counts.
  private static func signed(
    _ body: Data, named name: String, at time: Date, _ record: WebhookRecord
  ) -> [(name: String, value: String)] {
    var secrets = [record.secret]
    if let older = record.older, older.until > time { secrets.append(older.secret) }
    return WebhookSignature.headers(
      id: name, timestamp: Int(time.timeIntervalSince1970), body: body,
      by: secrets.compactMap { WebhookSignature(secret: $0.value) })
  }

  // MARK: - Messages

  private struct Envelope<Content: Encodable>: Encodable {
    var type: String
    var timestamp: String
    var data: Content
  }

  private struct GapNews: Encodable {
    var reason: String
    var read: [String]
  }

  private struct TestNews: Encodable { var message = "This is a test; nothing has happened." }

  static let gapType = "gap"
  static let testType = "webhook.test"

  /// What a receiver gets to read: the same bytes at every try.
  static func body(_ message: DeliveryMachine.Message, in namespace: String? = nil) -> (type: String, body: Data) {
    switch message {
    case .event(let event): (event.type.rawValue, body(event))
    case .replay(let letter): (letter.event.type.rawValue, body(letter.event))
    case .gap(let reason, let time):
      (
        gapType,
        envelope(
          gapType, time,
          GapNews(
            reason: reason.rawValue,
            read: namespace == nil
              ? ["/v1/plan", "/v1/operations", "/v1/nodes", "/v1/workloads"] : ["/v1/plan", "/v1/workloads"]))
      )
    }
  }

  static func test(at time: Date) -> Data { envelope(testType, time, TestNews()) }

  /// An event as receivers get it.
  package static func body(_ event: WebhookEvent) -> Data {
    // The data is JSON already, written when the event was.
    Data(#"{"data":"#.utf8) + event.data
      + Data(#","timestamp":"\#(Timestamp.text(event.time))","type":"\#(event.type.rawValue)"}"#.utf8)
  }

  private static func envelope(_ type: String, _ time: Date, _ data: some Encodable) -> Data {
    WebhookNews.json(Envelope(type: type, timestamp: Timestamp.text(time), data: data)) ?? Data()
  }
}
