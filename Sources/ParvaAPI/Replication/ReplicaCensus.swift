import Foundation
import Logging
import ParvaControl
import Synchronization

/// Looks again and again at who takes part, and says what does not fit together: in the log when it begins and ends, and to
/// whoever asks.
final class ReplicaCensus: Sendable {
  private struct Asked: Sendable {
    var reach: ReplicaFinding.Reach
    var at: ContinuousClock.Instant
    /// How often in a row nobody has answered, or another.
    var failures = 0
  }

  private struct State {
    var asked: [String: Asked] = [:]
    var findings: [ReplicaFinding] = []
  }

  private static let pause = Duration.seconds(5)
  /// After so long a replica that answered is asked for again.
  private static let rest = Duration.seconds(30)
  /// A request that fails says little, and the record of a replica that was killed stays for a while.
  static let leastFailures = 4

  let own: ReplicaMember
  private let store: any ReplicatedStore
  private let link: PeerLink
  private let logger: Logger
  private let state = Mutex(State())

  init(_ own: ReplicaMember, _ store: any ReplicatedStore, _ link: PeerLink, logger: Logger) {
    (self.own, self.store, self.link, self.logger) = (own, store, link, logger)
  }

  var members: [ReplicaMember] { store.members.map(\.member) }
  var findings: [ReplicaFinding] { state.withLock(\.findings) }

  /// Until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      await look()
      try? await Task.sleep(for: Self.pause)
    }
  }

  func look() async {
    let members = store.members
    let others = members.map(\.member).filter { $0.id != own.id }
    let known = state.withLock(\.asked)
    let due = others.filter { other in
      guard let asked = known[other.id] else { return true }
      return asked.failures > 0 || asked.at.duration(to: .now) >= Self.rest
    }
    let answers = await withTaskGroup(of: (String, ReplicaFinding.Reach).self) { [link] group in
      for other in due { group.addTask { (other.id, await link.member(at: other.address)) } }
      return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    let (before, after) = state.withLock { state in
      var asked = state.asked.filter { id, _ in others.contains { $0.id == id } }
      for (id, reach) in answers {
        let failures = reach == .answers(id: id) ? 0 : (asked[id]?.failures ?? 0) + 1
        asked[id] = Asked(reach: reach, at: .now, failures: failures)
      }
      let sure = asked.filter { $0.value.failures == 0 || $0.value.failures >= Self.leastFailures }
      let before = state.findings
      state.asked = asked
      state.findings = ReplicaFinding.all(
        members, own: own.id, reach: sure.mapValues(\.reach), hindrance: store.hindrance, now: .now)
      return (before, state.findings)
    }
    tell(before, after)
  }

  private func tell(_ before: [ReplicaFinding], _ after: [ReplicaFinding]) {
    func key(_ finding: ReplicaFinding) -> [String] { [finding.code.rawValue, finding.id] }
    let (old, new) = (Set(before.map(key)), Set(after.map(key)))
    for finding in after where !old.contains(key(finding)) {
      logger.warning(
        "replicas do not fit together",
        metadata: ["code": "\(finding.code.rawValue)", "address": "\(finding.address)", "error": "\(finding.message)"])
    }
    for finding in before where !new.contains(key(finding)) {
      logger.notice(
        "replicas fit together again",
        metadata: ["code": "\(finding.code.rawValue)", "address": "\(finding.address)"])
    }
  }
}
