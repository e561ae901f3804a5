import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP

/// Whether a workload is served, as the newest plan has it.
struct WorkloadStatus: Hashable {
  enum State: String {
    /// The current plan covers it.
    case served
    /// The current plan gives it less than it asks for, as it allows, and says why.
    case partial
    /// The current plan leaves it out, and says why.
    case unserved
    /// No plan has been made since its last change.
    case pending
  }

  var state: State
  /// The plan that the state speaks of; nil while pending.
  var planRevision: Int?
  var code: String?
  var message: String?

  static let pending = WorkloadStatus(state: .pending)

  /// The status of a registration on the board.
  init(of registration: Registration, on board: PlanBoard.View) {
    guard let plan = board.plan, plan.record.demandRevision >= registration.revision else {
      self = .pending
      if let failure = board.failure, board.attempted >= registration.revision {
        code = "planning_failed"
        message = failure
      }
      return
    }
    planRevision = plan.record.revision
    if let refusal = plan.refusal(of: registration.id) {
      state = .unserved
      code = refusal.code.rawValue
      message = refusal.message
    } else if let service = plan.partialService(of: registration.id) {
      state = .partial
      code = service.code.rawValue
      message = "\(service.served) of \(service.demanded) requests/s are served: \(service.message)"
    } else {
      state = .served
    }
  }

  private init(state: State) { self.state = state }
}

/// Writes registrations as clients see them.
enum WorkloadRepresentation {
  /// What `Accept` may ask for. CSV cannot hold all of a workload.
  static let offers = PlanHandlers.offers.filter { [.json, .yaml].contains($0.offer) }

  static func one(_ registration: Registration, _ status: WorkloadStatus, _ format: PlanFormat = .json) -> Data {
    var writer = DocumentWriter(format == .yaml ? .yaml : .json)
    writer.object { write(registration, status, &$0) }
    writer.finish()
    return Data(writer.bytes)
  }

  /// A page, or a whole answer where `cursor` is nil.
  static func list(
    _ rows: some Collection<Registration>, revision: Int, cursor: String?, _ format: PlanFormat = .json,
    status: (Registration) -> WorkloadStatus
  ) -> Data {
    var writer = DocumentWriter(format == .yaml ? .yaml : .json, capacity: 256 + rows.count * 400)
    writer.object { root in
      root.array("workloads") { list in
        for row in rows {
          list.object(inline: true) { write(row, status(row), &$0) }
        }
      }
      root.field("revision", revision)
      root.field("nextCursor", cursor)
    }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func write(
    _ registration: Registration, _ status: WorkloadStatus, _ object: inout DocumentWriter
  ) {
    WorkloadWriter.write(registration.workload, &object)
    object.field("revision", registration.revision)
    object.field("createdAt", Timestamp.text(registration.createdAt))
    object.field("updatedAt", Timestamp.text(registration.updatedAt))
    object.object("status", inline: true) { object in
      object.field("state", status.state.rawValue)
      object.field("planRevision", status.planRevision)
      if let code = status.code { object.field("code", code) }
      if let message = status.message { object.field("message", message) }
    }
  }
}

/// Times as RFC 3339 writes them, in UTC with milliseconds.
enum Timestamp {
  private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

  static func text(_ date: Date) -> String { style.format(date) }
}
