package import Foundation
import ParvaEngine
import ParvaFormats

/// What is planned for a workload, and what is known to run of it.
///
/// The two are told apart: a plan is a promise until nodes have read back what it wants, and what was applied goes on
/// serving while a new plan is made.
package struct WorkloadStatus: Hashable, Sendable {
  package enum State: String, Hashable, Sendable, CaseIterable {
    /// What is known to run carries the whole rate.
    case served
    /// What is known to run carries a part of the rate.
    case partial
    /// Nothing is known to run; the plan gives it capacity.
    case planned
    /// Nothing is known to run, and the plan leaves it out and says why.
    case unserved
    /// Nothing is known to run, and no plan has been made since the last change.
    case pending
  }

  package var state: State
  /// The current plan where it covers the workload's last change, else nil.
  package var planRevision: Int?
  /// The newest plan that a node with running instances of it has verified; nil where none runs.
  package var appliedRevision: Int?
  /// Requests per second that the plan gives it; nil where no plan covers its last change.
  package var capacityPlanned: Double?
  /// Requests per second of the instances that are known to run; nil while no node is registered.
  package var capacityUp: Double?
  /// Why it is not served whole; stable.
  package var code: String?
  package var message: String?
  /// Requests per second that it asks for now, where that goes by a schedule.
  package var rate: Double?

  /// Of a workload that was just registered.
  package static let pending = WorkloadStatus(state: .pending)

  private init(state: State) { self.state = state }

  /// - Parameters:
  ///   - running: what runs of it; nil while no node is registered.
  ///   - date: the present.
  package init(of registration: Registration, on board: PlanBoard.View, running: RunningCapacity?, at date: Date) {
    self.init(state: .pending)
    let rate = registration.rate(at: date.wholeSeconds).rate
    if !registration.workload.schedule.isEmpty { self.rate = rate }
    capacityUp = running?.capacity
    appliedRevision = running?.revision
    addPlan(of: registration, board)
    guard let running, running.capacity > 0 else { return }
    state = running.carries(rate) ? .served : .partial
    if state == .served {
      // Why a plan leaves it out, or why there is none, matters still: what runs will not stay.
      if planRevision != nil, (capacityPlanned ?? 0) > 0 { (code, message) = (nil, nil) }
    } else if code == nil {
      code = "not_applied"
      message =
        "\(running.capacity.shortText) of \(rate.shortText) requests/s are known to run; the nodes have not applied the rest"
    }
  }

  /// What the plan alone says.
  private mutating func addPlan(of registration: Registration, _ board: PlanBoard.View) {
    guard let plan = board.plan, plan.record.demandRevision >= registration.revision else {
      if let failure = board.failure, board.attempted >= registration.revision {
        code = "planning_failed"
        message = failure
      } else if let pin = board.pin {
        code = "plan_pinned"
        message = "plan revision \(pin.revision) is pinned and stays until it is released"
      }
      return
    }
    planRevision = plan.record.revision
    capacityPlanned = plan.capacity(of: registration.id)
    if let unserved = plan.unserved(registration.id) {
      state = .unserved
      code = unserved.code.rawValue
      message = unserved.message
    } else {
      state = .planned
      if let service = plan.partialService(of: registration.id) {
        code = service.code.rawValue
        message = "\(service.served) of \(service.demanded) requests/s are planned: \(service.message)"
      }
    }
  }
}
