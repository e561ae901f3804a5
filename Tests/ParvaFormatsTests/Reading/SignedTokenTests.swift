import Foundation
import ParvaFormats
import ParvaTestSupport
import Testing

@Suite struct SignedTokenTests {
  @Test("base64url is read as Foundation reads base64, in one form alone")
  func base64() {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed)
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let text = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
        .replacing("=", with: "")
      #expect(Base64URL.decode(text.utf8) == bytes, "seed \(seed)")
      guard let last = text.utf8.last else { continue }
      // Every other last character stands for other bytes, or for none.
      for other in alphabet where other != last {
        let decoded = Base64URL.decode(Array(text.utf8.dropLast()) + [other])
        #expect(decoded != bytes, "seed \(seed): \(text)")
      }
    }
    for bad in ["A", "AA=", "AA==", "A A", "AB+/", "AAAAA", "AB", "AAB", "\u{e9}A"] {
      #expect(Base64URL.decode(bad.utf8) == nil, "\(bad)")
    }
  }

  @Test("a token is taken apart, and its claims are read when they are asked for")
  func parts() throws {
    // RFC 7515, appendix A.2.1, with its header of {"alg":"RS256"}.
    let token = try SignedToken("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ.AQID")
    #expect(token.algorithm == "RS256" && token.keyID == nil && token.signature == [1, 2, 3])
    #expect(String(decoding: token.signed, as: UTF8.self) == "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ")
    #expect(token.claims?["iss"] == "joe")
  }
}
