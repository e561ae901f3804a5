import ParvaWire

/// Takes the requests away from what a part destroys, before the part goes.
///
/// A place whose servers get requests is `draining` for ``time`` first, which has to be longer than proxies take to hear
/// of it. What is asked of the roll-out meanwhile counts: where it is paused, the servers get requests again until it goes
/// on, and where it is aborted or rolled back, the part does not go at all.
struct SegmentDrain: Sendable {
  let traffic: TrafficBoard
  let time: Duration
  /// For how long to wait after a start of the controller until proxies are told anything: until then they send where the
  /// controller before it said.
  let settling: Duration

  /// Returns once the part may go; false where it is not to go. Places that may go are to be released once the part is
  /// through, one way or another.
  func run(_ places: Set<SegmentPlace>, _ control: RolloutControl) async -> Bool {
    let end = ContinuousClock.now + settling
    while !Task.isCancelled {
      let wishes = control.wishes
      if wishes.isAborted || wishes.rollsBack { return false }
      if wishes.isPaused {
        _ = await control.next(after: wishes.serial)
        continue
      }
      if !traffic.view.isSettled && ContinuousClock.now < end {
        _ = await control.next(after: wishes.serial, within: .milliseconds(50))
        continue
      }
      guard let drained = await traffic.drain(places), drained < time else { return goesOn(places) }
      let after = await control.next(after: wishes.serial, within: time - drained)
      if after.serial == wishes.serial { return goesOn(places) }
      traffic.release(places)
    }
    return false
  }

  private func goesOn(_ places: Set<SegmentPlace>) -> Bool {
    if !Task.isCancelled { return true }
    traffic.release(places)
    return false
  }
}

extension NodeRecord {
  /// Where servers run now that would not go on as they are once the node has this. O(instances).
  func leaving(for wanted: NodeAssignment) -> Set<SegmentPlace> {
    var places: Set<SegmentPlace> = []
    for assignment in [applied, expected, sent].compactMap(\.self) {
      for gpu in assignment.gpus {
        for instance in gpu.instances where instance.workload != nil {
          let next = wanted.instance(gpu: gpu.uuid, place: instance.place)
          if next.map({ $0.runsOn(from: instance) }) != true {
            places.insert(SegmentPlace(gpu: gpu.uuid, place: instance.place))
          }
        }
      }
    }
    return places
  }
}
