import Foundation
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaControl

@Suite struct TokenRegistryTests {
  /// A clock of dates that a test sets.
  private final class Dates: Sendable {
    private let date = Mutex(Date(timeIntervalSince1970: 1_800_000_000))

    var now: Date { date.withLock { $0 } }

    func advance(by seconds: TimeInterval) { date.withLock { $0 += seconds } }
  }

  /// What ought to be so of a token.
  private struct Model {
    var secret: String
    var expiresAt: Date?
    var caller: Caller?
  }

  private static func wish(_ name: String, lifetime: TimeInterval? = nil) -> TokenRegistry.Wish {
    TokenRegistry.Wish(name: name, role: .reader, lifetime: lifetime, createdBy: "anonymous")
  }

  @Test(
    "whatever is made, used, revoked and restarted in whatever order, those let in are those that hold",
    arguments: 0..<6)
  func randomLives(_ round: Int) async throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let dates = Dates()
    let folder = try TemporaryFolder()
    var store = try SQLiteStore(path: folder.file("s.sqlite"))
    func registry() async throws -> TokenRegistry {
      TokenRegistry(tokens: try await store.load().tokens, store: store, now: { dates.now })
    }
    var tokens = try await registry()
    var models: [String: Model] = [:]
    var revoked: [String] = []
    for step in 0..<60 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<4:
        let lifetime = Bool.random(using: &random) ? TimeInterval(Int.random(in: 1...300, using: &random)) : nil
        let made = try await tokens.create(Self.wish("t\(step)", lifetime: lifetime))
        models[made.token.id] = Model(secret: made.secret, expiresAt: lifetime.map { dates.now + $0 })
      case 4..<6:
        guard let id = models.keys.sorted().randomElement(using: &random) else { continue }
        try await tokens.revoke(id)
        let gone = models.removeValue(forKey: id)
        #expect(gone?.caller?.hasEnded ?? true, "seed \(seed), step \(step)")
        revoked.append(gone?.secret ?? "")
      case 6..<8: dates.advance(by: TimeInterval(Int.random(in: 1...90, using: &random)))
      case 8: try await tokens.keep()
      default:
        try await store.close()
        store = try SQLiteStore(path: folder.file("s.sqlite"))
        tokens = try await registry()
      }
      for (id, model) in models {
        let isGood = model.expiresAt.map { $0 > dates.now } ?? true
        let caller = tokens.caller(of: model.secret)
        #expect((caller != nil) == isGood, "seed \(seed), step \(step), \(id)")
        if let caller { #expect(caller.id == "token:\(id)") }
        models[id]?.caller = caller
      }
      for secret in revoked { #expect(tokens.caller(of: secret) == nil, "seed \(seed), step \(step)") }
      #expect(tokens.tokens(after: nil).map(\.id) == models.keys.sorted(), "seed \(seed), step \(step)")
    }
  }

  @Test("the last use is kept to the minute, and a minute has one commit for all of them")
  func usesAreCoarse() async throws {
    let dates = Dates()
    let folder = try TemporaryFolder()
    let store = GatedStore(try SQLiteStore(path: folder.file("s.sqlite")))
    let tokens = TokenRegistry(tokens: [], store: store, now: { dates.now })
    var made: [(token: AccessToken, secret: String)] = []
    for name in ["a", "b", "c"] { made.append(try await tokens.create(Self.wish(name))) }
    let before = store.commits
    try await tokens.keep()
    for _ in 0..<100 { for one in made { #expect(tokens.caller(of: one.secret) != nil) } }
    dates.advance(by: 59)
    try await tokens.keep()
    #expect(store.commits == before, "nothing is stored within a minute")
    dates.advance(by: 1)
    try await tokens.keep()
    #expect(store.commits == before + 1)
    let kept = try await store.load().tokens
    #expect(kept.allSatisfy { $0.lastUsedAt == Date(timeIntervalSince1970: 1_800_000_000) })
    dates.advance(by: 60)
    try await tokens.keep()
    #expect(store.commits == before + 1, "nobody has used one since")
  }

  @Test("a token that ran out lets nobody in, is listed for a week, and is then forgotten in the store, too")
  func theDeadAreForgotten() async throws {
    let dates = Dates()
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    let tokens = TokenRegistry(tokens: [], store: store, now: { dates.now })
    let made = try await tokens.create(Self.wish("short", lifetime: 10))
    dates.advance(by: 10)
    #expect(tokens.caller(of: made.secret) == nil)
    try await tokens.keep()
    #expect(tokens.count == 1)
    dates.advance(by: TokenRegistry.afterlife)
    try await tokens.keep()
    #expect(tokens.count == 0)
    #expect(try await store.load().tokens.isEmpty)
  }

  @Test("what the store refuses is not done: no token without a row, no end without one")
  func aStoreThatFails() async throws {
    let folder = try TemporaryFolder()
    let store = GatedStore(try SQLiteStore(path: folder.file("s.sqlite")))
    let tokens = TokenRegistry(tokens: [], store: store, now: { Date() })
    let made = try await tokens.create(Self.wish("a"))
    let trouble = StoreError(.full, "no room")
    store.fail(with: trouble)
    await #expect(throws: TokenRegistry.Refusal.storeFailed(trouble)) { _ = try await tokens.create(Self.wish("b")) }
    await #expect(throws: TokenRegistry.Refusal.storeFailed(trouble)) { try await tokens.revoke(made.token.id) }
    #expect(tokens.count == 1)
    #expect(tokens.caller(of: made.secret)?.hasEnded == false)
    store.fail(with: nil)
    try await tokens.revoke(made.token.id)
    #expect(tokens.caller(of: made.secret) == nil)
  }

  @Test("there are no more tokens than the limit, however many ask at once")
  func theLimitHolds() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    let tokens = TokenRegistry(tokens: [], store: store, limit: 5, now: { Date() })
    let made = await withTaskGroup(of: Bool.self) { group in
      for index in 0..<12 {
        group.addTask { (try? await tokens.create(Self.wish("t\(index)"))) != nil }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(made == 5 && tokens.count == 5)
  }

  @Test("tokens are 256 random bits: thousands of them have nothing in common but the prefix")
  func tokensAreRandom() throws {
    var seen: Set<String> = []
    var columns = [Set<Character>](repeating: [], count: 49)
    for _ in 0..<4000 {
      let secret = try #require(TokenSecret.make()).secret
      #expect(secret.count == 49 && seen.insert(secret).inserted)
      for (index, character) in secret.enumerated() { columns[index].insert(character) }
    }
    #expect(columns[..<6].allSatisfy { $0.count == 1 })
    // The last character stands for four bits: 16 values.
    #expect(columns[6..<48].allSatisfy { $0.count == 64 } && columns[48].count == 16)
  }
}
