import Logging

/// Brings every plan to every node by itself, and goes on until each node has what the current plan wants of it.
///
/// It goes by what nodes have verified, not by what was pushed: a node that failed, rolled back, was restored or came back
/// is pushed to again, with pauses that grow.
struct AutoApply: Sendable {
  let board: PlanBoard
  let nodes: NodeRegistry
  let pusher: PlanPusher
  let settings: PushSettings
  let logger: Logger

  /// Runs until the task is cancelled or the board is closed.
  func run() async {
    var retries = PushRetries(first: settings.firstRetry, longest: settings.longestRetry)
    var begun: Int?
    while !Task.isCancelled, !board.isClosed {
      let plan = board.view.plan
      if let plan { await reconcile(plan, &retries, &begun) }
      let seen = plan?.record.revision ?? 0
      _ = await board.wait(for: settings.look) { ($0.plan?.record.revision ?? 0) > seen }
    }
  }

  /// - Parameter begun: the revision that was pushed to all nodes last; what is behind it is pushed to by itself.
  private func reconcile(_ plan: PublishedPlan, _ retries: inout PushRetries, _ begun: inout Int?) async {
    // A plan from the store may not know every node that is there now; the first planning follows.
    guard plan.origin == .planned, let assignments = plan.assignments else { return }
    let revision = plan.record.revision
    guard await !pusher.isHalted(revision) else { return }
    let busy = pusher.busy(at: revision)
    let behind = nodes.behind(assignments.gpus, among: assignments.nodes).filter { !busy.contains($0) }
    let due = retries.due(behind, busy: busy, revision: revision, at: .now)
    guard !due.isEmpty else { return }
    do throws(PlanPusher.Refusal) {
      _ = try await pusher.begin(plan, only: begun == revision ? due : nil)
      begun = revision
    } catch .noNodes {
      return
    } catch {
      logger.error("a plan cannot be pushed", metadata: ["revision": "\(revision)", "error": "\(error)"])
    }
  }
}
