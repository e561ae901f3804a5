package import Foundation
package import ParvaEngine
package import ParvaServing

extension Controller {
  package struct Configuration: Sendable {
    package var planning: PlanningSetup
    /// When plans follow rates that fall.
    package var calm = SteadyRate.Policy.none
    /// Seconds by which plans are ahead of rates that rise by schedules; nil: the time that roll-outs turn out to take.
    package var scheduleLead: Double?
    /// Most registrations at a time.
    package var maxWorkloads = 250_000
    /// Which plans are kept in the store.
    package var keptPlans = PlanRetention()
    /// Which rows of the audit are kept.
    package var keptAudit = AuditRetention()
    package var nodes = NodeRegistry.Settings()
    package var push = PushSettings()
    /// Whose statistics of requests are read.
    package var observing = TrafficObserver.Settings()
    /// How subscribers are told what happens.
    package var webhooks = WebhookSender.Settings()
    /// Whether plans are pushed by themselves, until every node has what it is to have.
    package var appliesByItself = false
    /// How long the fleet has to be quiet before plans are made for what has changed of it; at most five times this is
    /// waited.
    package var settle = Duration.seconds(1)
    /// Where plans are made: nil is in this process.
    package var worker: PlanWorker.Settings?
    /// How many workloads have series of their own in `/metrics`, in order of id.
    package var measuredWorkloads = 1000
    /// Is told of what belongs to traces; nil where nobody wants any.
    package var tracer: Tracer?
    package var now: @Sendable () -> Date = { Date() }
    /// Rests between plannings.
    package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    package init(planning: PlanningSetup) { self.planning = planning }
  }

  /// What part it plays.
  package enum Role: Sendable {
    /// It plans and pushes.
    ///
    /// - Parameters:
    ///   - term: in which it leads within the store's epoch; 0 where it is the only one.
    ///   - takesOver: whether another one has just led: what that one has planned is not planned anew.
    ///   - from: which one of this process has followed until now: what it has in memory is not read anew.
    case leads(term: Int, takesOver: Bool, from: Controller? = nil)
    /// It only answers what it is asked, from its copy of what another one stores.
    case follows(any ReplicatedStore)

    package static let alone = Role.leads(term: 0, takesOver: false)
  }
}
