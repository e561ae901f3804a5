import Foundation
import ParvaControlTestSupport
import Synchronization
import Testing

@testable import ParvaControl

/// Several replicas in one process, over a member of etcd.
@Suite(.enabled(if: EtcdMember.shared != nil, "etcd is not installed")) struct EtcdReplicasTests {
  private struct Outcomes {
    var acknowledged: [String] = []
    var unknown: Set<String> = []
  }

  private final class Told: Sendable {
    let outcomes = Mutex(Outcomes())
  }

  private static func open(_ prefix: String) async throws -> any ReplicatedStore {
    let member = try #require(EtcdMember.shared)
    var access = StoreAccess()
    access.lease = .seconds(2)
    return try #require(try await Stores.openReplicated("etcd://\(member.endpoint)/\(prefix)", access))
  }

  private static func batch(_ name: String) -> StoreBatch {
    var batch = StoreBatch()
    batch.audit = [
      AuditEntry(
        time: Samples.time, who: "token:t", name: "ci", method: "PUT", path: "/v1/a", resource: "a", requestID: name,
        status: 200, isChange: true)
    ]
    return batch
  }

  private static func rows(_ store: any Store) async throws -> [String] {
    try await store.audit(AuditFilter(), .after(0), limit: 10_000).map(\.requestID)
  }

  /// Has a batch stored by whoever leads; what was refused for certain is tried again.
  private static func commit(
    _ name: String, _ stores: [any ReplicatedStore], _ told: Told
  ) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < end {
      for store in stores {
        guard case .leader(let term) = store.standing else { continue }
        do throws(StoreError) {
          try await store.writer(term: term).commit(batch(name))
          let count = told.outcomes.withLock { outcomes in
            outcomes.acknowledged.append(name)
            return outcomes.acknowledged.count
          }
          if count % 60 == 0 { await store.resign() }
          return
        } catch {
          if error.code == .outcomeUnknown {
            told.outcomes.withLock { _ = $0.unknown.insert(name) }
            return
          }
          #expect([.notLeader, .unavailable].contains(error.code), "\(error)")
        }
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw Missing("nobody stores \(name)")
  }

  @Test("whoever leads when, what was acknowledged is in every copy, once and in one order")
  func changesOfLeaders() async throws {
    let prefix = "replicas-\(UUID().uuidString)"
    var stores: [any ReplicatedStore] = []
    for index in 0..<3 {
      let store = try await Self.open(prefix)
      await store.campaign(as: "http://127.0.0.1:\(index + 1)")
      stores.append(store)
    }
    let told = Told()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for client in 0..<8 {
        group.addTask { [stores] in
          for index in 0..<30 { try await Self.commit("\(client)-\(index)", stores, told) }
        }
      }
      try await group.waitForAll()
    }
    // One that begins late reads the same.
    stores.append(try await Self.open(prefix))
    let last = stores.map(\.position).max() ?? 0
    for store in stores { #expect(await store.wait(for: last, until: .now + .seconds(20))) }
    let order = try await Self.rows(stores[0])
    for store in stores.dropFirst() { #expect(try await Self.rows(store) == order) }
    let (acknowledged, unknown) = told.outcomes.withLock { ($0.acknowledged, $0.unknown) }
    #expect(Set(order).count == order.count, "something is stored twice")
    #expect(Set(acknowledged).isSubset(of: order) && Set(order).isSubset(of: unknown.union(acknowledged)))
    for client in 0..<8 {
      let own = order.filter { $0.hasPrefix("\(client)-") }.compactMap { Int($0.split(separator: "-")[1]) }
      #expect(own == own.sorted(), "client \(client)'s commits changed places")
    }
    for store in stores { try await store.close() }
  }

  @Test func placesOfOneStoreAreReadAlike() throws {
    let places = ["//h:1/parva", "//h:1/parva/", "//h:1//parva", "//h:1", "//h:1/"]
    for place in places { #expect(try EtcdStore.Settings(place, StoreAccess()).prefix == "parva") }
    let refusal = #expect(throws: StoreError.self) { try EtcdStore.Settings("//me:word@h:1/parva", StoreAccess()) }
    #expect(refusal?.code == .cannotOpen && refusal?.message.contains("word") == false)
  }
}
