import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Testing

@testable import ParvaAPI

@Suite struct IssuedTokensTests {
  private static func gate(_ issuer: FakeIssuer) async throws -> (AccessControl, IssuedTokens) {
    let issued = try issuer.tokens()
    _ = await issued.keys.begin()
    return (AccessControl(issued: issued), issued)
  }

  @Test("each token of another implementation comes to what is to become of it, in an answer that shows nothing of it")
  func vectors() async throws {
    let (access, _) = try await Self.gate(FakeIssuer())
    let route = Route("GET", "/v1/plan", .reader, .inline { _ in HTTPResponse(status: 200) })
    for token in IssuerVectors.all.tokens {
      var request = HTTPRequest(
        method: "GET", path: "/v1/plan", headers: ["Authorization": "Bearer \(token.text)"])
      do throws(ProblemDetails) {
        try access.gate(&request, route)
        #expect(request.caller?.name == token.answer, "\(token.name)")
        #expect(request.caller?.id == "oidc:ada@https://issuer.example" && request.caller?.role == "reader")
      } catch {
        #expect(error.code == token.answer, "\(token.name)")
        #expect(error.status == (token.answer == "token_role_missing" ? 403 : 401), "\(token.name)")
        #expect(error.headers["WWW-Authenticate"] != nil)
        for part in token.text.split(separator: ".") { #expect(!error.detail.contains(part)) }
        #expect(!error.detail.contains("issuer.example") && !error.detail.contains("parva"))
      }
    }
    let codes = Set(IssuerVectors.all.tokens.map(\.answer))
    #expect(codes.isSuperset(of: IssuedTokens.Refusal.allCases.map(\.rawValue)), "a code has no case")
  }

  @Test("no bit of a token can be another", arguments: ["ES256 counts", "EdDSA counts", "RS256 counts"])
  func bitFlips(_ name: String) async throws {
    let (_, issued) = try await Self.gate(FakeIssuer())
    let text = IssuerVectors.all.token(name)
    #expect(issued.answer(text) == "ada")
    let bytes = Array(text.utf8)
    for index in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[index] ^= 1 << bit
        // What is no text cannot be in a field.
        guard let changed = String(validating: changed, as: UTF8.self) else { continue }
        #expect(throws: IssuedTokens.Refusal.self, "bit \(bit) of byte \(index)") { try issued.caller(of: changed) }
      }
    }
    #expect(issued.count == 1)
  }

  @Test("parts of tokens put together anew count only as they were")
  func randomEdits() async throws {
    let (_, issued) = try await Self.gate(FakeIssuer())
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    let tokens = IssuerVectors.all.tokens.filter { $0.text.utf8.count < 2_000 }
    let good = Set(tokens.filter { $0.answer == "ada" }.map(\.text))
    let parts = tokens.map { $0.text.split(separator: ".", omittingEmptySubsequences: false).map(String.init) }
    for round in 0..<3_000 {
      var text = (0..<3).map { place in
        let one = parts.randomElement(using: &random) ?? []
        return one.indices.contains(place) ? one[place] : ""
      }.joined(separator: ".")
      if round % 3 == 0 { text = tokens.randomElement(using: &random)?.text ?? "" }
      for _ in 0..<Int.random(in: 0...2, using: &random) where !text.isEmpty {
        let place = text.index(text.startIndex, offsetBy: Int.random(in: 0..<text.count, using: &random))
        switch Int.random(in: 0..<3, using: &random) {
        case 0: text.remove(at: place)
        case 1: text.insert("-_.=Aa0 ".randomElement(using: &random) ?? ".", at: place)
        default: text = String(text[..<place])
        }
      }
      #expect((issued.answer(text) == "ada") == good.contains(text), "seed \(seed), round \(round): \(text)")
    }
  }

  @Test(
    "a token is judged once, and stands for one caller until it runs out; then it is refused, and what it opened ends")
  func remembering() async throws {
    let issuer = FakeIssuer()
    let (_, issued) = try await Self.gate(issuer)
    let text = IssuerVectors.all.token("RS256 counts")
    let first = try issued.caller(of: text)
    #expect(try issued.caller(of: text) === first)
    #expect(try issued.caller(of: IssuerVectors.all.token("ES256 counts")) !== first)
    #expect(issued.count == 2)
    issuer.pass(659)
    #expect(try issued.caller(of: text) === first)
    issuer.pass(1)
    #expect(issued.answer(text) == "token_expired")
    #expect(first.expiresAt == IssuerVectors.all.now + 660)
  }

  @Test("a key that the issuer withdraws ends what its tokens opened, and no other")
  func withdrawnKeys() async throws {
    let issuer = FakeIssuer()
    let (_, issued) = try await Self.gate(issuer)
    let (withdrawn, kept) = (IssuerVectors.all.token("RS256 counts"), IssuerVectors.all.token("ES256 counts"))
    let callers = (try issued.caller(of: withdrawn), try issued.caller(of: kept))
    issuer.publish(IssuerVectors.all.nextKeys)
    issued.keys.renew()
    await issued.keys.step()
    #expect(callers.0.hasEnded && !callers.1.hasEnded)
    #expect(issued.answer(withdrawn) == "token_key_unknown")
    #expect(try issued.caller(of: kept) === callers.1)
    #expect(issued.answer(IssuerVectors.all.nextToken) == "ada")
  }

  struct RuleCase: Sendable {
    var rules: [String]
    var claims: JSONValue
    /// Role, and node after a slash or namespace after an @; nil: none.
    var grant: String?
  }

  static let rules = [
    RuleCase(rules: ["reader sub=*"], claims: ["sub": "x"], grant: "reader"),
    RuleCase(rules: ["reader sub=*"], claims: ["sub": ""]),
    RuleCase(rules: ["admin groups=ops"], claims: ["groups": ["dev", "ops"]], grant: "admin"),
    RuleCase(rules: ["admin groups=ops"], claims: ["groups": "ops"], grant: "admin"),
    RuleCase(rules: ["admin groups=ops"], claims: ["groups": ["ops2", "Ops", " ops"]]),
    RuleCase(rules: ["admin groups=ops"], claims: ["groups": ["ops": true]]),
    RuleCase(rules: ["admin groups=1"], claims: ["groups": 1]),
    RuleCase(rules: ["reader sub=*", "admin groups=ops"], claims: ["sub": "x", "groups": ["ops"]], grant: "admin"),
    RuleCase(rules: ["admin groups=ops", "reader sub=*"], claims: ["sub": "x", "groups": ["ops"]], grant: "admin"),
    RuleCase(
      rules: ["operator realm_access.roles=gpu"], claims: ["realm_access": ["roles": ["gpu"]]], grant: "operator"),
    RuleCase(
      rules: ["operator /https:~1~1a.example~1roles=gpu"], claims: ["https://a.example/roles": ["gpu"]],
      grant: "operator"),
    RuleCase(rules: ["reader scope=parva:read"], claims: ["scope": "openid parva:read"], grant: "reader"),
    RuleCase(rules: ["reader scope=parva:read"], claims: ["scope": "openid parva:reader"]),
    RuleCase(rules: ["reader name=a b=c"], claims: ["name": "a b=c"], grant: "reader"),
    RuleCase(rules: ["node sub=system:node:*"], claims: ["sub": "system:node:gpu-1"], grant: "node/gpu-1"),
    RuleCase(rules: ["node sub=system:node:*"], claims: ["sub": "system:node:gpu-1/../x"]),
    RuleCase(rules: ["node sub=node:*", "reader sub=*"], claims: ["sub": "node:a"], grant: "reader"),
    RuleCase(rules: ["operator@vision groups=v"], claims: ["groups": ["v"]], grant: "operator@vision"),
    RuleCase(rules: ["reader@* groups=team-*"], claims: ["groups": ["x", "team-nlp"]], grant: "reader@nlp"),
    RuleCase(rules: ["reader@* groups=team-*"], claims: ["groups": ["team-a:b", "team-", "team-A B"]]),
    RuleCase(
      rules: ["operator@vision groups=v", "reader sub=*"], claims: ["sub": "x", "groups": ["v"]], grant: "reader"),
    RuleCase(
      rules: ["reader@vision sub=*", "operator@nlp groups=v"], claims: ["sub": "x", "groups": ["v"]],
      grant: "operator@nlp"),
  ]

  @Test("the greatest role whose claim has the value counts", arguments: rules)
  func roles(_ given: RuleCase) throws {
    let grants = try given.rules.compactMap { try IssuerRule($0).grant(given.claims) }
    let greatest = grants.max { $0.level < $1.level }
    let told = greatest.map { grant in
      grant.role.rawValue + (grant.node.map { "/" + $0 } ?? "") + (grant.namespace.map { "@" + $0 } ?? "")
    }
    #expect(told == given.grant)
  }

  @Test(
    "a rule that says nothing is refused",
    arguments: [
      "", "reader", "root sub=x", "reader sub", "reader sub=", "reader =x", "reader a..b=x", "reader sub=*a*",
      "node sub=gpu-1", "reader@ sub=x", "reader@* sub=x", "admin@vision sub=x", "node@vision sub=*",
      "reader@a:b sub=x",
      "reader a.b.c.d.e.f.g.h.i=x",
    ])
  func badRules(_ text: String) { #expect(throws: IssuerSettingError.self) { try IssuerRule(text) } }

  @Test("keys come over https, or from this machine")
  func addresses() {
    for (url, isTaken) in [
      ("https://a.example", true), ("https://a.example/b?c=d", true), ("http://127.0.0.1:8/x", true),
      ("http://localhost:8", true), ("http://[::1]:8", true), ("http://a.example", false),
      ("http://localhost.example", false), ("ftp://a.example", false), ("https://u:p@a.example", false),
      ("https://a.example#b", false), ("https://", false), ("", false), ("https://a.example/\u{e9}", false),
      ("https://a.example/" + String(repeating: "x", count: 600), false),
    ] { #expect(IssuerSettings.isTrustworthy(url) == isTaken, "\(url)") }
  }
}
