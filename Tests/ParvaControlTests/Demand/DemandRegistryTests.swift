import Foundation
import ParvaControlTestSupport
import ParvaEngine
import Testing

@testable import ParvaControl

@Suite struct DemandRegistryTests {
  private let folder: TemporaryFolder
  private let store: GatedStore

  init() throws {
    folder = try TemporaryFolder()
    store = GatedStore(try SQLiteStore(path: folder.file("parva.sqlite")))
  }

  private func registry(limit: Int = 100, now: Date = Samples.time) async throws -> DemandRegistry {
    DemandRegistry(
      demand: try await store.load().demand, store: store, limit: limit, now: { now }, onChange: {})
  }

  private func ids(_ registry: DemandRegistry) -> [String] { registry.read { $0.registrations.rows.map(\.id) } }

  @Test func everyChangeGrowsTheRevisionAndIsStored() async throws {
    let registry = try await registry()
    let a = try await registry.change(DemandChange(.create([Samples.workload("a"), Samples.workload("b")])))
    #expect(a.effect == .created && a.revision == 1)
    let b = try await registry.change(DemandChange(.put(Samples.workload("a", rate: 5))))
    #expect(b.effect == .replaced && b.revision == 2)
    let c = try await registry.change(DemandChange(.delete("b")))
    #expect(c.effect == .deleted && c.revision == 3)
    let stored = try await store.load().demand
    #expect(stored.revision == 3)
    #expect(stored.registrations.rows == registry.snapshot.registrations.rows)
    #expect(stored.registrations.rows.map(\.workload.rate) == [5])
    #expect(stored.registrations.rows.map(\.revision) == [2])
  }

  @Test func aBatchWithATakenIdChangesNothing() async throws {
    let registry = try await registry()
    _ = try await registry.change(DemandChange(.create([Samples.workload("b")])))
    await #expect(throws: ChangeRefusal.exists(id: "b", index: 1)) {
      try await registry.change(DemandChange(.create([Samples.workload("a"), Samples.workload("b")])))
    }
    #expect(ids(registry) == ["b"])
    #expect(registry.revision == 1)
  }

  @Test func aRefusalIsKnownWithoutTheStore() async throws {
    let registry = try await registry(limit: 2)
    _ = try await registry.change(DemandChange(.create([Samples.workload("a")])))
    let claim = IdempotencyClaim(key: "k", fingerprint: 1)
    #expect(registry.refusal(of: DemandChange(.create([Samples.workload("a")]))) == .exists(id: "a", index: 0))
    #expect(registry.refusal(of: DemandChange(.create([Samples.workload("a")]), claim: claim)) == nil)
    #expect(registry.refusal(of: DemandChange(.create([Samples.workload("b")]))) == nil)
    #expect(
      registry.refusal(of: DemandChange(.create([Samples.workload("b"), Samples.workload("c")]))) == .tooMany(limit: 2))
    #expect(ids(registry) == ["a"] && registry.revision == 1)
  }

  @Test func puttingWhatIsThereChangesNothing() async throws {
    let registry = try await registry()
    _ = try await registry.change(DemandChange(.put(Samples.workload("a"))))
    let again = try await registry.change(DemandChange(.put(Samples.workload("a"))))
    #expect(again.effect == .unchanged && again.revision == 1)
    let whole = try await registry.change(DemandChange(.replaceAll([Samples.workload("a")])))
    #expect(whole.effect == .unchanged && registry.revision == 1)
  }

  @Test func replacingTheSetKeepsWhatStays() async throws {
    let registry = try await registry()
    _ = try await registry.change(
      DemandChange(.create([Samples.workload("a"), Samples.workload("b"), Samples.workload("c")])))
    let receipt = try await registry.change(
      DemandChange(.replaceAll([Samples.workload("d"), Samples.workload("b"), Samples.workload("c", rate: 9)])))
    #expect(receipt.effect == .replaced)
    let rows = registry.snapshot.registrations.rows
    #expect(rows.map(\.id) == ["b", "c", "d"])
    #expect(rows.map(\.revision) == [1, 2, 2])
    #expect(try await store.load().demand.registrations.rows == rows)
  }

  /// One precondition against a resource at a revision, or none.
  struct PreconditionCase: Sendable, CustomTestStringConvertible {
    let precondition: Precondition
    let isThere: Bool
    let holds: Bool
    var testDescription: String { "\(precondition), \(isThere ? "at revision 1" : "absent")" }
  }

  @Test(arguments: [
    PreconditionCase(precondition: .none, isThere: true, holds: true),
    PreconditionCase(precondition: .none, isThere: false, holds: true),
    PreconditionCase(precondition: .exists, isThere: true, holds: true),
    PreconditionCase(precondition: .exists, isThere: false, holds: false),
    PreconditionCase(precondition: .absent, isThere: true, holds: false),
    PreconditionCase(precondition: .absent, isThere: false, holds: true),
    PreconditionCase(precondition: .revision([7, 1]), isThere: true, holds: true),
    PreconditionCase(precondition: .revision([2]), isThere: true, holds: false),
    PreconditionCase(precondition: .revision([1]), isThere: false, holds: false),
    PreconditionCase(precondition: .revision([]), isThere: true, holds: false),
  ]) func preconditionsAreJudgedAtTheMomentOfTheChange(_ row: PreconditionCase) async throws {
    let registry = try await registry()
    if row.isThere { _ = try await registry.change(DemandChange(.put(Samples.workload("a")))) }
    let change = DemandChange(.put(Samples.workload("a", rate: 2)), if: row.precondition)
    if row.holds {
      #expect(try await registry.change(change).effect == (row.isThere ? .replaced : .created))
    } else {
      await #expect(throws: ChangeRefusal.preconditionFailed(current: row.isThere ? 1 : nil)) {
        try await registry.change(change)
      }
    }
  }

  @Test func ofTwoWritersAtOneRevisionOneWins() async throws {
    let registry = try await registry()
    _ = try await registry.change(DemandChange(.put(Samples.workload("a"))))
    store.shut()
    async let other = registry.change(DemandChange(.put(Samples.workload("other"))))
    await store.untilHeld()
    async let first = effect(registry, DemandChange(.put(Samples.workload("a", rate: 1)), if: .revision([1])))
    async let second = effect(registry, DemandChange(.put(Samples.workload("a", rate: 2)), if: .revision([1])))
    store.open()
    let effects = await [first, second]
    _ = try await other
    #expect(effects.filter { $0 == .replaced }.count == 1)
    #expect(effects.filter { $0 == nil }.count == 1)
  }

  private func effect(_ registry: DemandRegistry, _ change: DemandChange) async -> ChangeReceipt.Effect? {
    try? await registry.change(change).effect
  }

  @Test func changesThatWaitAreStoredTogether() async throws {
    let registry = try await registry()
    store.shut()
    async let first = registry.change(DemandChange(.put(Samples.workload("first"))))
    await store.untilHeld()
    try await withThrowingTaskGroup { group in
      for index in 0..<50 {
        group.addTask { _ = try await registry.change(DemandChange(.put(Samples.workload("w\(index)")))) }
      }
      while registry.waitingChanges < 50 { await Task.yield() }
      store.open()
      try await group.waitForAll()
    }
    _ = try await first
    #expect(store.commits == 2)
    #expect(registry.revision == 51)
    #expect(try await store.load().demand.registrations.count == 51)
  }

  @Test func eachOfSeveralChangesOfOneWorkloadInOneGroupIsToldWhatItMadeItself() async throws {
    let registry = try await registry()
    store.shut()
    async let first = registry.change(DemandChange(.put(Samples.workload("first"))))
    await store.untilHeld()
    let receipts = try await withThrowingTaskGroup(of: (rate: Double, receipt: ChangeReceipt).self) { group in
      for rate in 1...20 {
        let workload = Samples.workload("a", rate: Double(rate))
        group.addTask { (workload.rate, try await registry.change(DemandChange(.put(workload)))) }
      }
      while registry.waitingChanges < 20 { await Task.yield() }
      store.open()
      return try await group.reduce(into: []) { $0.append($1) }
    }
    _ = try await first
    for (rate, receipt) in receipts {
      #expect(receipt.registration?.workload.rate == rate)
      #expect(receipt.registration?.revision == receipt.revision)
    }
    #expect(Set(receipts.map(\.receipt.revision)).count == 20)
    #expect(Set(receipts.compactMap { $0.receipt.registration?.createdAt }).count == 1)
  }

  @Test func aRefusalDoesNotHinderTheOthersOfItsGroup() async throws {
    let registry = try await registry(limit: 2)
    store.shut()
    async let first = effect(registry, DemandChange(.put(Samples.workload("a"))))
    await store.untilHeld()
    async let taken = effect(registry, DemandChange(.create([Samples.workload("x"), Samples.workload("a")])))
    async let missing = effect(registry, DemandChange(.delete("nobody")))
    async let good = effect(registry, DemandChange(.create([Samples.workload("b")])))
    while registry.waitingChanges < 3 { await Task.yield() }
    store.open()
    #expect(await [first, taken, missing, good] == [.created, nil, nil, .created])
    #expect(ids(registry) == ["a", "b"])
    await #expect(throws: ChangeRefusal.tooMany(limit: 2)) {
      try await registry.change(DemandChange(.put(Samples.workload("c"))))
    }
  }

  @Test func aFailingStoreLeavesTheMemoryAsItWas() async throws {
    let registry = try await registry()
    _ = try await registry.change(DemandChange(.put(Samples.workload("a"))))
    let full = StoreError(.failed, "disk full")
    store.fail(with: full)
    await #expect(throws: ChangeRefusal.storeFailed(full)) {
      try await registry.change(DemandChange(.put(Samples.workload("b"))))
    }
    #expect(ids(registry) == ["a"])
    store.fail(with: nil)
    #expect(try await registry.change(DemandChange(.put(Samples.workload("c")))).revision == 2)
  }

  @Test func aKeyIsHonouredOnceAndRemembered() async throws {
    let claim = IdempotencyClaim(key: "k", fingerprint: 1)
    let change = DemandChange(.create([Samples.workload("a")]), claim: claim)
    var registry = try await registry()
    let first = try await registry.change(change)
    #expect(!first.isReplay)
    // A restart in between must not matter.
    registry = try await self.registry(now: Samples.time + 3600)
    let again = try await registry.change(change)
    #expect(again.isReplay)
    #expect(again.revision == first.revision && again.time == first.time && again.effect == first.effect)
    await #expect(throws: ChangeRefusal.keyReused) {
      try await registry.change(
        DemandChange(.create([Samples.workload("b")]), claim: IdempotencyClaim(key: "k", fingerprint: 2)))
    }
    #expect(ids(registry) == ["a"])
  }

  @Test func aRefusedRequestDoesNotUseUpItsKey() async throws {
    let registry = try await registry()
    _ = try await registry.change(DemandChange(.put(Samples.workload("a"))))
    let change = DemandChange(.create([Samples.workload("a")]), claim: IdempotencyClaim(key: "k", fingerprint: 1))
    await #expect(throws: ChangeRefusal.exists(id: "a", index: 0)) { try await registry.change(change) }
    _ = try await registry.change(DemandChange(.delete("a")))
    #expect(try await registry.change(change).isReplay == false)
  }

  @Test func aKeyIsFreeAgainAfterADay() async throws {
    let change = DemandChange(.create([Samples.workload("a")]), claim: IdempotencyClaim(key: "k", fingerprint: 1))
    var registry = try await registry()
    _ = try await registry.change(change)
    _ = try await registry.change(DemandChange(.delete("a")))
    registry = try await self.registry(now: Samples.time + 86_401)
    #expect(try await registry.change(change).isReplay == false)
  }

  @Test func profilesAreChangedLikeWorkloads() async throws {
    let registry = try await registry()
    let key = ProfileKey(model: "tiny", product: "A100-80GB")
    #expect(try await registry.change(DemandChange(.putProfile(Samples.profile()))).effect == .created)
    #expect(try await registry.change(DemandChange(.putProfile(Samples.profile()))).effect == .unchanged)
    #expect(try await registry.change(DemandChange(.putProfile(Samples.profile(throughput: 9)))).effect == .replaced)
    #expect(try await store.load().demand.profiles[key]?.profile == Samples.profile(throughput: 9))
    #expect(try await registry.change(DemandChange(.deleteProfile(key), if: .revision([2]))).effect == .deleted)
    await #expect(throws: ChangeRefusal.notFound) { try await registry.change(DemandChange(.deleteProfile(key))) }
    #expect(registry.snapshot.profiles.isEmpty)
  }

  @Test func profilesOfANamespaceAreApartAndGoWithIt() async throws {
    let registry = try await registry()
    func profile(_ model: String, points: Int = 1, in namespace: String?) -> ModelProfile {
      ModelProfile(
        model: model, product: "A100-80GB", source: .measured,
        points: (1...points).map {
          ProfilePoint(profile: 0, batch: $0, processes: 1, throughput: 9, latencyMs: 9)
        }, namespace: namespace)
    }
    func put(_ model: String, points: Int = 1, in namespace: String?) async throws -> ChangeReceipt {
      try await registry.change(DemandChange(.putProfile(profile(model, points: points, in: namespace))))
    }
    await #expect(throws: ChangeRefusal.unknownNamespace("a")) { try await put("m", in: "a") }
    for name in ["a", "b"] {
      _ = try await registry.change(DemandChange(.createNamespace(name, NamespaceTerms(quota: NamespaceQuota()))))
    }
    for name in ["a", "b", "default", nil] { #expect(try await put("m", in: name).effect == .created) }
    // Nobody's limit counts what others have.
    let limit = DemandTransaction.maxOwnProfiles
    for index in 1..<limit { #expect(try await put("m\(index)", in: "a").effect == .created) }
    await #expect(throws: ChangeRefusal.tooManyProfiles(limit: limit, in: "a")) { try await put("more", in: "a") }
    #expect(try await put("m", points: 2, in: "a").effect == .replaced)
    #expect(try await put("more", in: "b").effect == .created)
    let most = DemandTransaction.maxOwnPoints
    await #expect(throws: ChangeRefusal.tooManyPoints(limit: most, in: "b")) {
      try await put("m", points: most, in: "b")
    }
    _ = try await registry.change(DemandChange(.deleteNamespace("a")))
    let left = registry.snapshot.profiles.keys.map(\.namespace)
    #expect(Set(left) == ["b", "default", nil] && left.count == 4)
    #expect(try await Set(store.load().demand.profiles.keys) == Set(registry.snapshot.profiles.keys))
  }
}
