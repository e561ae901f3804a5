/// Why a plan was made, as far as it is known.
package struct PlanCause: Hashable, Sendable, Codable {
  package enum Trigger: String, Hashable, Sendable, Codable, CaseIterable {
    /// Workloads or profiles were registered, changed or removed.
    case demand
    /// Nodes came, went, or were cordoned; GPUs were lost or came back.
    case fleet
    /// A rate that had been held was followed.
    case rate
    /// A rate went, or is to go, by its schedule.
    case schedule
    /// The first planning of this process: what it does otherwise may have changed, too.
    case start
    /// An earlier plan was brought back.
    case rollback
    /// A plan that had been pinned was released.
    case release
  }

  /// Names that are listed of each kind; the counts are whole.
  package static let mostNames = 20

  package var triggers: [Trigger]
  /// The plan that was brought back.
  package var broughtBack: Int?
  /// The plan before; nil for the first.
  package var after: Int?
  /// Workloads registered or changed since that plan's demand, and those removed.
  package var changed = Names()
  package var removed = Names()
  /// Profiles put since then.
  package var profiles = 0
  /// Whose requests it comes of, as far as this process has seen them, at most ``mostNames``; nil where nobody asked.
  package var who: [Author]?

  /// Somebody who has asked for a change.
  package struct Author: Hashable, Sendable, Codable, Comparable {
    /// As the audit has it.
    package var id: String
    package var name: String

    package init(id: String, name: String) { (self.id, self.name) = (id, name) }

    package static func < (a: Author, b: Author) -> Bool { (a.id, a.name) < (b.id, b.name) }
  }

  package struct Names: Hashable, Sendable, Codable {
    package var count = 0
    /// In order, at most ``mostNames``.
    package var first: [String] = []

    package init() {}

    init(_ ids: some Sequence<String>) {
      let sorted = ids.sorted()
      (count, first) = (sorted.count, Array(sorted.prefix(mostNames)))
    }
  }

  package init(_ triggers: [Trigger], after: Int? = nil) {
    self.triggers = triggers
    self.after = after
  }

  /// What has changed of a demand since the plan before was made for it. O(registrations).
  init(
    _ triggers: [Trigger], of demand: Demand, removed: [String], after record: PlanRecord?, by authors: Set<Author>
  ) {
    self.init(triggers, after: record?.revision)
    let seen = record?.demandRevision ?? 0
    changed = Names(demand.registrations.rows.lazy.filter { $0.revision > seen }.map(\.id))
    // Who has come back is among those that have changed.
    self.removed = Names(Set(removed.filter { demand.registrations[$0] == nil }))
    profiles = demand.profiles.values.count { $0.revision > seen }
    who = authors.isEmpty ? nil : Array(authors.sorted().prefix(Self.mostNames))
  }
}
