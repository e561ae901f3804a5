package import ParvaWire

/// What runs on the instances: MPS daemons and servers. Calls may block for as long as draining takes.
package protocol InstanceServices: Sendable {
  /// Processes that `release` would end.
  var pids: Set<Int> { get }
  var documents: [ServiceDocument] { get }
  /// Ends what runs on instances that `wanted` does not have, or has with other contents.
  func release(exceptFor wanted: NodeAssignment)
  /// Makes everything run that `wanted` asks for on the instances that are there.
  func run(_ wanted: NodeAssignment, on owned: [OwnedInstance])
  /// Looks after what runs; called about once a second.
  func tick()
}

/// Runs nothing.
package struct NoServices: InstanceServices {
  package init() {}
  package var pids: Set<Int> { [] }
  package var documents: [ServiceDocument] { [] }
  package func release(exceptFor wanted: NodeAssignment) {}
  package func run(_ wanted: NodeAssignment, on owned: [OwnedInstance]) {}
  package func tick() {}
}
