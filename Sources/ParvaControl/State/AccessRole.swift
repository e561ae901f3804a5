/// What a credential allows.
package enum AccessRole: String, Hashable, Sendable, CaseIterable {
  /// To read everything but tokens and the audit.
  case reader
  /// To change workloads, profiles, plans and nodes, too.
  case `operator`
  /// Everything: tokens and the audit, too.
  case admin
  /// What the agent of one node has to say and to ask about that node, and nothing else.
  case node

  /// Each includes those below it; a node's is above none.
  package var level: Int {
    switch self {
    case .node: 0
    case .reader: 1
    case .operator: 2
    case .admin: 3
    }
  }

  /// The role that a level asks for.
  package init?(level: Int) {
    guard let role = Self.allCases.first(where: { $0.level == level && $0 != .node }) else { return nil }
    self = role
  }
}
