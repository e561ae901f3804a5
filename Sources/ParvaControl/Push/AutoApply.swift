import Logging
import ParvaFormats
import ParvaServing
import ParvaWire
import Synchronization

/// Brings every plan to every node by itself, and goes on until each node has what the current plan wants of it.
///
/// It goes by what nodes have verified, not by what was pushed: a node that failed, rolled back, was restored or came back
/// is pushed to again, with pauses that grow.
package struct AutoApply: Sendable {
  let board: PlanBoard
  let nodes: NodeRegistry
  let pusher: PlanPusher
  let settings: PushSettings
  let windows: WindowRegistry
  /// Tells when windows shut and open.
  let events: EventLog
  /// Whether workloads have lost capacity.
  let hasLostCapacity: @Sendable () -> Bool
  let logger: Logger

  /// What it tells of itself, of which one is so at a time.
  package static let states = [
    "planning", "no_nodes", "halted", "limited", "pushing", "retrying", "holding", "waiting", "settled", "failing",
  ]

  /// Runs until the task is cancelled or the board is closed.
  func run() async {
    var retries = PushRetries(first: settings.firstRetry, longest: settings.longestRetry)
    var begun: Int?
    var wasOpen = true
    while !Task.isCancelled, !board.isClosed {
      tellOfWindows(&wasOpen)
      let view = board.view
      let plan = view.plan
      if let plan {
        await reconcile(plan, isCurrent: view.isCurrent || view.pin != nil, &retries, &begun)
      } else {
        tell("planning", "there is no plan yet")
      }
      let seen = plan?.record.revision ?? 0
      _ = await board.wait(for: settings.look) { ($0.plan?.record.revision ?? 0) > seen }
    }
  }

  /// - Parameter begun: the revision that was pushed to all nodes last; what is behind it is pushed to by itself.
  private func reconcile(
    _ plan: PublishedPlan, isCurrent: Bool, _ retries: inout PushRetries, _ begun: inout Int?
  ) async {
    // A plan from the store may not know every node that is there now; the first planning follows.
    guard isCurrent else {
      return tell("planning", "the first plan since the start is being made")
    }
    guard let assignments = plan.assignments else { return tell("no_nodes", "the plan is bound to no nodes") }
    let revision = plan.record.revision
    guard await !pusher.isHalted(revision) else {
      return tell(
        "halted", "an operation is paused or on its way back, or revision \(revision) was aborted or rolled back")
    }
    let busy = pusher.busy(at: revision)
    let behind = nodes.behind(assignments.gpus, among: assignments.nodes).filter { !busy.contains($0) }
    let due = retries.due(behind, busy: busy, revision: revision, at: .now)
    let pauses = retries.pauses(at: .now)
    // What has begun goes on to its end, and what stands already is restored.
    let isKnown = begun == revision || nodes.phases(of: revision) > 0
    if !due.isEmpty, !isKnown, busy.isEmpty, !windows.verdict.allows(lostCapacity: hasLostCapacity()) {
      let until = windows.until.map { " until \(Timestamp.text($0))" } ?? ""
      return tell(
        "waiting",
        "revision \(revision) waits\(until), by the windows \(windows.verdict.shutBy.joined(separator: ", "))", pauses)
    }
    if !busy.isEmpty, let moves = pusher.moves, moves.waiting.count > 0 {
      let (count, pause) = moves.waiting
      tell(
        "limited",
        "revision \(revision) is being brought to \(busy.count) nodes; \(count) parts wait, since at most \(moves.most) segments "
          + "are made in a minute; the next in about \(Int(pause.seconds.rounded(.up))) s", pauses)
    } else if !busy.isEmpty {
      tell("pushing", "revision \(revision) is being brought to \(busy.count) nodes", pauses)
    } else if !pauses.isEmpty {
      tell("retrying", "\(pauses.count) nodes are tried again after a pause", pauses)
    } else if let first = due.isEmpty ? board.view.holds.compactMap(\.until).min() : nil {
      let count = board.view.holds.count { $0.until != nil }
      tell(
        "holding",
        "revision \(revision) is everywhere; \(count) lower \(count == 1 ? "rate waits" : "rates wait") to be followed, the "
          + "first until \(Timestamp.text(first))")
    } else {
      let pinned = board.view.pin == nil ? "" : ", which is pinned"
      tell(due.isEmpty ? "settled" : "pushing", "revision \(revision)" + pinned)
    }
    guard !due.isEmpty else { return }
    do throws(PlanPusher.Refusal) {
      var options = PlanPusher.Options()
      options.isAutomatic = true
      _ = try await pusher.begin(plan, only: begun == revision ? due : nil, options: options)
      begun = revision
    } catch .noNodes {
      return
    } catch {
      tell("failing", "the push cannot be stored", pauses)
      logger.error("a plan cannot be pushed", metadata: ["revision": "\(revision)", "error": "\(error)"])
    }
  }

  private struct News: Encodable {
    var open: Bool
    var shutBy: [String]
    var until: String?
  }

  private func tellOfWindows(_ wasOpen: inout Bool) {
    let verdict = windows.verdict
    guard verdict.isOpen != wasOpen else { return }
    wasOpen = verdict.isOpen
    let until = windows.until.map(Timestamp.text)
    events.add("window", of: News(open: verdict.isOpen, shutBy: verdict.shutBy, until: until))
    logger.info(
      verdict.isOpen ? "plans go to nodes by themselves again" : "plans wait for a window",
      metadata: ["windows": "\(verdict.shutBy.joined(separator: " "))", "until": "\(until ?? "")"])
  }

  private func tell(_ state: String, _ message: String, _ pauses: [String: Duration] = [:]) {
    let told = FleetDocument.AutoApply(
      state: state, message: message,
      retries: pauses.sorted { $0.key < $1.key }.prefix(100).map { .init(node: $0.key, seconds: $0.value.seconds) })
    pusher.automatic.withLock { $0 = told }
  }
}
