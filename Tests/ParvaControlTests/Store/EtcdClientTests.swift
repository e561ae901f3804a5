import Foundation
import Logging
import ParvaControlTestSupport
import ParvaHTTP
import Synchronization
import Testing

@testable import ParvaControl

/// What becomes of answers that are not those of a member in good health.
@Suite struct EtcdClientTests {
  /// Stands where a member would.
  private final class Member: Sendable {
    struct Asked: Sendable {
      var path: String
      var token: String?
    }

    let asked = Mutex<[Asked]>([])
    let address: String
    private let server: HTTPServer

    init(_ answer: @escaping @Sendable (Asked, Int) -> HTTPResponse) throws {
      var quiet = Logger(label: "etcd")
      quiet.logLevel = .critical
      let holder = Mutex<Member?>(nil)
      let paths = ["/v3/auth/authenticate", "/v3/kv/txn"]
      var configuration = HTTPServer.Configuration(addresses: ["127.0.0.1:0"])
      configuration.loops = 1
      server = HTTPServer(
        configuration: configuration,
        router: Router(
          routes: paths.map { path in
            Route(
              "POST", path,
              .async { request in
                let one = Asked(path: path, token: request.headers["Authorization"])
                let number = holder.withLock { member in
                  member?.asked.withLock { asked in
                    asked.append(one)
                    return asked.count { $0.path == path }
                  }
                }
                return answer(one, number ?? 0)
              })
          }, logger: quiet), logger: quiet)
      address = "http://" + (try server.start()[0])
      holder.withLock { $0 = self }
    }

    var tokens: [String?] { asked.withLock { $0.filter { $0.path == "/v3/kv/txn" }.map(\.token) } }
  }

  private static func json(_ text: String, _ status: Int = 200) -> HTTPResponse {
    HTTPResponse(status: status, contentType: "application/json", body: Data(text.utf8))
  }

  private static let done = json(#"{"header":{"revision":"7"},"succeeded":true,"responses":[{"response_range":{}}]}"#)

  private static func client(_ addresses: [String], user: String? = nil) -> EtcdClient {
    var settings = EtcdClient.Settings(endpoints: addresses)
    (settings.user, settings.password) = (user, user.map { _ in "hush" })
    return EtcdClient(settings)
  }

  /// `done`, or what became of it with its text.
  private static func ask(_ client: EtcdClient) async -> (what: String, text: String) {
    do throws(EtcdClient.Failure) {
      _ = try await client.read([EtcdClient.range("k")])
      return ("done", "")
    } catch {
      switch error {
      case .refused(let code, let message): return ("refused \(code)", message)
      case .unreachable(let message): return ("unreachable", message)
      case .unknown(let message): return ("unknown", message)
      }
    }
  }

  struct Case: Sendable {
    let status: Int
    let body: String
    let outcome: String
    var isJSON = false
  }

  @Test(arguments: [
    Case(status: 400, body: "CommonName of client sending a request against gateway", outcome: "refused 0"),
    Case(status: 404, body: "404 page not found", outcome: "refused 0"),
    Case(status: 403, body: "<html>\r\n\u{1b}[31mno</html>", outcome: "refused 0"),
    Case(status: 429, body: "slowly", outcome: "unknown"), Case(status: 502, body: "", outcome: "unknown"),
    Case(status: 200, body: "<html>", outcome: "unknown"),
    Case(status: 400, body: #"{"message":"too large","code":3}"#, outcome: "refused 3", isJSON: true),
    Case(status: 503, body: #"{"message":"no leader","code":14}"#, outcome: "unknown", isJSON: true),
    // Of one code: what passes, what an operator has to do something about, and what never goes.
    Case(
      status: 429, body: #"{"message":"etcdserver: too many requests","code":8}"#, outcome: "unreachable", isJSON: true),
    Case(
      status: 429, body: #"{"message":"etcdserver: mvcc: database space exceeded","code":8}"#, outcome: "refused 8",
      isJSON: true),
    Case(
      status: 429, body: #"{"message":"grpc: received message larger than max","code":8}"#, outcome: "refused 8",
      isJSON: true),
  ]) func answersAreTakenForWhatTheyAre(_ one: Case) async throws {
    let text = one.body + String(repeating: "x", count: one.isJSON ? 0 : 100_000)
    let member = try Member { _, _ in
      HTTPResponse(
        status: one.status, contentType: one.isJSON ? "application/json" : "text/plain", body: Data(text.utf8))
    }
    let client = Self.client([member.address])
    let got = await Self.ask(client)
    #expect(got.what == one.outcome, "\(got)")
    #expect(got.text.utf8.count < 500 && !got.text.contains { $0.isNewline || $0 == "\u{1b}" })
    if !one.isJSON, one.status != 200 { #expect(got.text.contains("status \(one.status)")) }
    client.shutdown()
  }

  @Test("a wrong password is told apart from members that cannot say whether it is")
  func signingIn() async throws {
    let invalid = #"{"message":"etcdserver: authentication failed, invalid user ID or password","code":3}"#
    let cases = [
      (Self.json(invalid, 400), "refused 16"),
      (Self.json(#"{"message":"etcdserver: request timed out","code":14}"#, 503), "unreachable"),
      (Self.json(#"{"message":"etcdserver: leader changed","code":14}"#, 503), "unreachable"),
      (Self.json(#"{"message":"context deadline exceeded","code":4}"#, 504), "unreachable"),
      (Self.json(#"{"message":"etcdserver: authentication is not enabled","code":9}"#, 400), "refused 9"),
    ]
    for (answer, outcome) in cases {
      let member = try Member { _, _ in answer }
      let client = Self.client([member.address], user: "parva")
      let got = await Self.ask(client)
      #expect(got.what == outcome && !got.text.contains("hush"), "\(got)")
      #expect(member.tokens.isEmpty)
      client.shutdown()
    }
  }

  @Test("tokens that ran out are renewed, by as many requests as come at once, and none is told of it")
  func tokensAreRenewed() async throws {
    let member = try Member { asked, number in
      if asked.path == "/v3/auth/authenticate" { return Self.json(#"{"token":"t\#(number)"}"#) }
      let isOld = asked.token == "t1" && number > 3
      return isOld ? Self.json(#"{"message":"etcdserver: invalid auth token","code":16}"#, 401) : Self.done
    }
    let client = Self.client([member.address], user: "parva")
    for _ in 0..<3 { #expect(await Self.ask(client).what == "done") }
    let outcomes = await withTaskGroup(of: String.self) { group in
      for _ in 0..<20 { group.addTask { await Self.ask(client).what } }
      return await group.reduce(into: [:] as [String: Int]) { $0[$1, default: 0] += 1 }
    }
    #expect(outcomes == ["done": 20])
    #expect(member.tokens.prefix(3) == ["t1", "t1", "t1"] && member.tokens.last != "t1")
    client.shutdown()
    // One that takes none of its own is left for the next.
    let broken = try Member { asked, _ in
      asked.path == "/v3/auth/authenticate"
        ? Self.json(#"{"token":"x"}"#) : Self.json(#"{"message":"etcdserver: invalid auth token","code":16}"#, 401)
    }
    let both = Self.client([broken.address, member.address], user: "parva")
    #expect(await Self.ask(both).what == "unreachable")
    #expect(await Self.ask(both).what == "done")
    both.shutdown()
  }

  @Test func placesAndFilesAreCheckedBeforeAnythingIsAsked() throws {
    var access = StoreAccess()
    (access.user, access.password) = ("me", "hush")
    // In the clear to this machine alone.
    for near in ["//127.0.0.1:1", "//localhost:1", "//[::1]:1,127.0.0.1:2"] {
      #expect(try EtcdStore.Settings(near, access).client.endpoints.allSatisfy { $0.hasPrefix("http://") })
    }
    for far in ["//10.0.0.1:1", "//127.0.0.1:1,h:2", "//127.0.0.1.example:1"] {
      let refusal = #expect(throws: StoreError.self) { try EtcdStore.Settings(far, access) }
      #expect(refusal?.code == .cannotOpen && refusal?.message.contains("--etcd-ca") == true)
    }
    let folder = try TemporaryFolder()
    access.caFile = folder.file("ca.pem")
    let refusal = #expect(throws: StoreError.self) { try EtcdStore.Settings("//10.0.0.1:1", access) }
    #expect(refusal?.code == .cannotOpen && refusal?.message.contains("--etcd-ca") == true)
    try Data().write(to: URL(filePath: folder.file("ca.pem")))
    #expect(try EtcdStore.Settings("//10.0.0.1:1", access).client.endpoints == ["https://10.0.0.1:1"])
  }

  @Test("what became of an entry whose transaction was refused")
  func fates() {
    func fate(_ entry: UInt64?, _ snapshot: Int?, _ mayBeDone: Bool, nonce: UInt64? = 5) -> StoreError.Code? {
      EtcdAppends.fate(
        nonce, at: 10, entry: entry.map { EtcdEntry(nonce: $0).value },
        snapshot: snapshot.map { EtcdEntry(nonce: 77, parts: 1, position: $0).value }, mayBeDone: mayBeDone)?.code
    }
    // It is there, or another is in its place.
    #expect(fate(5, 3, true) == nil && fate(5, 3, false) == nil)
    #expect(fate(6, 3, true) == .notLeader && fate(6, 12, true) == .notLeader)
    // Nothing is there: it never came, unless the log went on past it.
    #expect(fate(nil, nil, true) == .notLeader && fate(nil, 9, true) == .notLeader)
    #expect(fate(nil, 10, true) == .outcomeUnknown && fate(nil, 400, true) == .outcomeUnknown)
    #expect(fate(nil, 400, false) == .notLeader)
    // Parts, which nothing names yet, are done when they are done.
    #expect(fate(nil, 400, true, nonce: nil) == .notLeader)
    #expect(fate(nil, 10, true, nonce: 77) == nil)
  }
}
