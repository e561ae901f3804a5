import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import Testing

@testable import ParvaAPI

@Suite struct IssuerKeysTests {
  @Test("however keys are asked for and however readings end, they are read in the rhythm that was promised")
  func randomRefreshes() {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    for round in 0..<200 {
      let pace = KeyRefresh.Pace()
      var refresh = KeyRefresh(pace, at: 0)
      var (time, begun, failures) = (0.0, 0, 0)
      var (lastEnd, lastGood, running) = (0.0, Double?.none, Double?.none)
      var asked = 0
      for _ in 0..<300 {
        time += Double.random(in: 0...40, using: &random)
        if Int.random(in: 0..<3, using: &random) > 0 {
          let before = refresh.due
          if refresh.ask(at: time) {
            #expect(running != nil || refresh.due <= time, "what may be waited for comes")
            if running == nil && before > time { asked += 1 }
          } else {
            #expect(refresh.due == before)
          }
        }
        if let since = running {
          guard Bool.random(using: &random) else { continue }
          let isGood = Bool.random(using: &random)
          refresh.end(isGood, at: time)
          failures = isGood ? 0 : failures + 1
          (lastEnd, running) = (time, nil)
          if isGood { lastGood = time }
          #expect(since <= time && refresh.failures == failures)
          #expect(refresh.due - time <= pace.period + 1e-6 && refresh.due > time)
        } else if refresh.begin(at: time) {
          (running, begun) = (time, begun + 1)
        } else {
          #expect(time - lastEnd <= pace.period + 1e-6, "seed \(seed), round \(round): nothing is read for too long")
        }
        #expect(refresh.isFresh(at: time) == lastGood.map { time - $0 <= pace.keep } ?? false)
      }
      #expect(Double(asked) <= pace.burst + time / pace.regain, "seed \(seed): too many are asked for")
      #expect(begun > 0)
    }
  }

  @Test("a new key is read when its first token comes, which waits for it and is let in")
  func rotation() async throws {
    let issuer = FakeIssuer()
    let issued = try issuer.tokens()
    _ = await issued.keys.begin()
    let access = AccessControl(issued: issued)
    let router = Router(
      routes: [Route("GET", "/v1/plan", .reader, .inline { HTTPResponse(status: 200, body: Data($0.callerID.utf8)) })],
      gate: access.gate, pause: access.pause)
    func ask(_ token: String) async -> HTTPResponse {
      await router.respond(
        to: HTTPRequest(method: "GET", path: "/v1/plan", headers: ["Authorization": "Bearer \(token)"]))
    }
    let running = Task { await issued.keys.run() }
    issuer.publish(IssuerVectors.all.nextKeys)
    let answers = await withTaskGroup(of: HTTPResponse.self) { group in
      for _ in 0..<20 { group.addTask { await ask(IssuerVectors.all.nextToken) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.allSatisfy { $0.text == "oidc:ada@https://issuer.example" })
    #expect(issuer.readings == 2)
    // Keys that are made up have it asked three times at once, and then no more.
    for _ in 0..<10 { #expect(await ask(IssuerVectors.all.token("an unknown key")).problem == "401 token_key_unknown") }
    #expect(issuer.readings == 4)
    running.cancel()
    await running.value
  }

  @Test(
    "a silent issuer keeps nobody waiting who has a known key, others no longer than promised; its keys count a day")
  func silence() async throws {
    let issuer = FakeIssuer()
    let issued = try issuer.tokens(wait: .zero)
    let good = IssuerVectors.all.token("RS256 counts")
    #expect(issued.answer(good) == "token_key_unknown")
    _ = await issued.keys.begin()
    let caller = try issued.caller(of: good)
    issuer.publish(nil)
    var waited = 0
    for _ in 0..<30 {
      if let wait = issued.keys.asked() {
        // Nobody reads: this returns because its time is over.
        await wait()
        waited += 1
      }
      #expect(try issued.caller(of: good) === caller)
    }
    #expect(waited == 30, "a reading that is due is waited for")
    await issued.keys.step()
    #expect(issued.keys.figures.failures == 1 && issued.keys.figures.keys > 0)
    #expect(try issued.caller(of: good) === caller)
    issuer.pass(86_401)
    await issued.keys.step()
    #expect(caller.hasEnded && issued.keys.figures.keys == 0)
    #expect(issued.answer(good) == "token_key_unknown")
    issuer.publish(IssuerVectors.all.keys)
    issued.keys.renew()
    await issued.keys.step()
    #expect(issued.answer(good) == "token_expired")
  }

  @Test(
    "a document that is not one of keys leaves the keys that were there",
    arguments: [
      "", "[]", "{}", #"{"keys":{}}"#, #"{"keys":[]}"#, #"{"keys":[7,{"kty":"RSA"},{"kty":"RSA","n":"AQAB","e":"="}]}"#,
      #"{"keys":[\#(Array(repeating: #"{"kty":"oct"}"#, count: 101).joined(separator: ","))]}"#,
    ])
  func badDocuments(_ text: String) async throws {
    let issuer = FakeIssuer()
    let issued = try issuer.tokens()
    #expect(await issued.keys.begin() == nil)
    let before = issued.keys.figures.keys
    issuer.publish(Data(text.utf8))
    issued.keys.renew()
    #expect(await issued.keys.begin() != nil)
    #expect(before > 0 && issued.keys.figures.keys == before)
    #expect(issued.answer(IssuerVectors.all.token("ES512 counts")) == "ada")
  }
}
