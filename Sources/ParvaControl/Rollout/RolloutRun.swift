import ParvaEngine
import ParvaWire

/// Carries a transition out: tells each node its part when its turn has come, until nothing is left that can be done.
struct RolloutRun: Sendable {
  enum End: Hashable, Sendable {
    /// Every node has what it is to have.
    case complete
    /// Some parts failed, and those that wait for them never began.
    case incomplete
    case aborted
    case cancelled
  }

  /// One node's part as it is to be brought there.
  struct Order: Sendable {
    var node: String
    var wanted: NodeAssignment
    var isLast: Bool
    /// Segments that it makes.
    var made = 0
    /// What has to be up before the part counts as done; empty where nobody waits for it.
    var awaited: [(uuid: String, place: InstancePlace)]
  }

  private enum Event: Sendable {
    case ended(part: Int, well: Bool)
    case wished(RolloutControl.Wishes)
  }

  let revision: Int
  /// Phase of the parts of the first wave.
  let firstPhase: Int
  let control: RolloutControl
  /// Told whenever it changes: of each node whose turn has not come, what it waits for.
  var tellWaits: @Sendable (_ waits: [String: String]) -> Void = { _ in }
  /// Brings a node its part; answers whether the node has verified it and what is awaited is up.
  let bring: @Sendable (Order) async -> Bool

  /// - Parameter way: from what stands now.
  /// - Returns: how it ended, and the nodes of which something waits that will not begin.
  func run(_ way: FleetTransition) async -> (end: End, waiting: Set<String>) {
    var way = way
    await withTaskGroup(of: Event.self) { group in
      var seen = control.wishes
      var told: [String: String] = [:]
      func follow() {
        group.addTask { [control, serial = seen.serial] in .wished(await control.next(after: serial)) }
      }
      func heed() {
        if seen.isPaused { way.machine.pause() } else { way.machine.resume() }
        if seen.isAborted || seen.rollsBack { way.machine.abort() }
        for part in way.machine.begin() {
          let order = order(part, &way)
          group.addTask { [bring] in .ended(part: part, well: await bring(order)) }
        }
        let waits = waits(way.machine)
        if waits != told { tellWaits(waits) }
        told = waits
      }
      follow()
      heed()
      while !way.machine.isOver, !Task.isCancelled, let event = await group.next() {
        switch event {
        case .ended(let part, let well): way.machine.ended(part, well: well)
        case .wished(let wishes):
          seen = wishes
          if !Task.isCancelled { follow() }
        }
        heed()
      }
      group.cancelAll()
    }
    let waiting = Set(way.machine.waiting.map { way.machine.parts[$0].node }).union(way.unreached)
    if Task.isCancelled { return (.cancelled, waiting) }
    if way.machine.isComplete && way.unreached.isEmpty { return (.complete, []) }
    // A part that did not begin for an abort may have been told of it before this was.
    return (way.machine.isAborted || control.wishes.isAborted ? .aborted : .incomplete, waiting)
  }

  private func waits(_ machine: RolloutMachine) -> [String: String] {
    let blockers = machine.blockers
    var waits: [String: String] = [:]
    for index in machine.waiting where waits[machine.parts[index].node] == nil {
      let node = machine.parts[index].node
      guard let other = blockers[index] else {
        if machine.isPaused { waits[node] = "the operation is paused" }
        continue
      }
      let (part, progress) = (machine.parts[other], machine.progress[other])
      let whose =
        part.node == node
        ? "its own part of wave \(part.wave + 1)" : "the part of \(part.node) in wave \(part.wave + 1)"
      waits[node] =
        "waits for \(whose)"
        + (progress == .failed ? ", which failed" : progress == .running ? ", which is under way" : "")
    }
    return waits
  }

  private func order(_ index: Int, _ way: inout FleetTransition) -> Order {
    let part = way.machine.parts[index]
    let gpus = way.tell(index)
    return Order(
      node: part.node, wanted: NodeAssignment(revision: revision, phase: firstPhase + part.wave, gpus: gpus),
      isLast: part.isLast && !way.unreached.contains(part.node), made: way.made(in: index),
      awaited: way.awaited(of: index))
  }
}
