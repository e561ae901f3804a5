import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaAPI

@Suite struct PeerSealTests {
  private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  private static let leader = ReplicaStanding.Leader(term: 7, address: "http://a")

  private static func made(_ secret: String = secret, at time: Int = 1000) throws -> PeerSeal {
    guard let seal = PeerSeal(secret: secret, now: { time }) else { throw Missing("no seal") }
    return seal
  }

  private static func sealed(by seal: PeerSeal, _ body: String = "{}") -> HTTPRequest {
    var request = HTTPRequest(
      method: "POST", path: "/v1/workloads", query: [("a", "b")], body: Data(body.utf8))
    var headers: HTTPHeaders = ["Parva-Forwarded-By": "http://b", "If-Match": "*", "Authorization": "Bearer t"]
    headers[PeerSeal.identity] = PeerSeal.identity("CN=alice", ["spiffe://x/y"])
    seal.seal(&headers, of: request, for: leader)
    request.headers = headers
    return request
  }

  private static func refusal(_ seal: PeerSeal, _ request: HTTPRequest, as leader: ReplicaStanding.Leader) -> String? {
    guard seal.isRight(request) else { return "seal" }
    do throws(ProblemDetails) {
      try seal.take(request, as: leader)
      return nil
    } catch {
      return error.code
    }
  }

  @Test func aSealIsGoodForOneRequestAndItsSender() throws {
    let seal = try Self.made()
    let request = Self.sealed(by: seal)
    var opened = request
    opened.clientSubject = "CN=the replica"
    try PeerGate.open(&opened, seal)
    #expect(opened.clientSubject == "CN=alice" && opened.clientURIs == ["spiffe://x/y"])
    let changes: [(String, (inout HTTPRequest) -> Void)] = [
      ("method", { $0.method = "PUT" }), ("path", { $0.path = "/v1/workloads/" }),
      ("query", { $0.query = [("a", "c")] }), ("more query", { $0.query = [("a", "b"), ("c", "")] }),
      ("sender", { $0.headers["Parva-Forwarded-By"] = "http://c" }),
      ("identity", { $0.headers[PeerSeal.identity] = PeerSeal.identity("CN=bob", []) }),
      ("no identity", { $0.headers[PeerSeal.identity] = nil }), ("seal", { $0.headers[PeerSeal.field] = "a b c" }),
      ("no seal", { $0.headers[PeerSeal.field] = nil }), ("condition", { $0.headers["If-Match"] = nil }),
      ("credential", { $0.headers["Authorization"] = "Bearer u" }),
      ("key", { $0.headers["Idempotency-Key"] = "k" }), ("type", { $0.headers["Content-Type"] = "text/csv" }),
      ("target", { $0.headers[PeerSeal.target] = "8 http://a" }),
      ("digest", { $0.headers[PeerSeal.digest] = ContentDigest.sha256(of: Data("[]".utf8)) }),
    ]
    for (what, change) in changes {
      var other = request
      change(&other)
      #expect(!seal.isRight(other), "\(what)")
    }
    // What two replicas do not see alike does not count.
    var same = request
    same.headers["Accept"] = "*/*"
    same.headers["User-Agent"] = "x"
    #expect(seal.isRight(same))
    for time in [699, 1301] { #expect(try !Self.made(at: time).isRight(request)) }
    for time in [700, 1300] { #expect(try Self.made(at: time).isRight(request)) }
    let another = "whsec_" + Data(repeating: 7, count: 24).base64EncodedString()
    #expect(try !Self.made(another).isRight(request))
    var nobody = HTTPRequest(method: "GET", path: "/v1/plan", headers: ["Parva-Forwarded-By": "http://a"])
    nobody.clientSubject = "CN=the replica"
    #expect(throws: ProblemDetails.self) { try PeerGate.open(&nobody, seal) }
  }

  @Test func whatWasSealedIsTakenOnceByWhomItWasMeantForWithItsBody() throws {
    let (sender, receiver) = (try Self.made(), try Self.made())
    let request = Self.sealed(by: sender)
    var changed = request
    changed.body = Data("{ }".utf8)
    #expect(Self.refusal(receiver, changed, as: Self.leader) == "peer_unverified")
    changed.body = Data()
    #expect(Self.refusal(receiver, changed, as: Self.leader) == "peer_unverified")
    // A later term of the same replica has forgotten what was used; it was not meant.
    #expect(Self.refusal(receiver, request, as: .init(term: 8, address: "http://a")) == "not_leader")
    #expect(Self.refusal(receiver, request, as: .init(term: 7, address: "http://c")) == "not_leader")
    #expect(Self.refusal(receiver, request, as: Self.leader) == nil)
    #expect(Self.refusal(receiver, request, as: Self.leader) == "peer_unverified")
    // The same request, sealed again, is another.
    #expect(Self.refusal(receiver, Self.sealed(by: sender), as: Self.leader) == nil)
  }

  @Test(
    "whatever the times, what is still good is taken once, and what is forgotten is too old",
    arguments: 0..<5 as Range<UInt64>)
  func replays(_ number: UInt64) throws {
    var random = SeededGenerator(seed: number)
    let clock = Clock()
    guard let receiver = PeerSeal(secret: Self.secret, now: { clock.time }) else { throw Missing("no seal") }
    var sent: [HTTPRequest] = []
    var taken = 0
    for _ in 0..<3000 {
      clock.pass(Int(random.next() % 20))
      if random.next() % 2 == 0 {
        let skew = Int(random.next() % 600) - 300
        let request = Self.sealed(by: try Self.made(at: clock.time + skew))
        #expect(Self.refusal(receiver, request, as: Self.leader) == nil)
        sent.append(request)
        taken += 1
      } else if let old = (random.next() % 2 == 0 ? sent : sent.suffix(40)).randomElement(using: &random) {
        #expect(Self.refusal(receiver, old, as: Self.leader) != nil)
      }
    }
    #expect(taken > 1000)
  }
}

/// A time of day that a test sets.
private final class Clock: Sendable {
  private let seconds = Mutex(1_000_000)

  var time: Int { seconds.withLock(\.self) }
  func pass(_ more: Int) { seconds.withLock { $0 += more } }
}
