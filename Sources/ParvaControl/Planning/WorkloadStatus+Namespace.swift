import ParvaFormats

extension WorkloadStatus {
  /// As who is bound to a namespace is told it: revisions are those of what a plan tells that, and reasons hold nothing of others.
  package func told(in namespace: String, _ view: PlanBoard.View) -> WorkloadStatus {
    var status = self
    let since = view.revision(for: namespace)
    if status.planRevision != nil { status.planRevision = since }
    status.appliedRevision = status.appliedRevision.flatMap { applied in since.flatMap { applied >= $0 ? $0 : nil } }
    if let code, let message { status.message = Self.told(message, because: code) }
    return status
  }

  /// A reason as it is told in a namespace: what is lacking, and how much would be enough, depends on what others have.
  package static func told(_ message: String, because code: String) -> String {
    switch code {
    case "no_stock": "no GPUs are free for it"
    case "planning_failed": "the last planning failed"
    case "plan_pinned": "the plan is pinned and stays until it is released"
    case "not_planned": "the planner failed, and what stands does not carry it"
    case "spread_unreachable": "there are fewer failure domains than it must stand on"
    case "excluded": "its own constraints exclude all GPUs"
    default: message
    }
  }
}
