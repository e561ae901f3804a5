import ParvaFormats
import ParvaWire

/// How a node starts what runs on an instance: between two that are equal it starts nothing anew.
///
/// What is planned of a queue is not in it, but how many servers follow from that: a node that had it from a controller
/// which knew no queues goes on as it is where the number is the same.
struct StartedAs: Hashable, Sendable {
  var workload: String?
  var model: String?
  var batch: Int?
  var processes: Int?
  /// An MPS daemon runs for more than one, whoever starts them.
  var servers: Int
  var launch: LaunchSpec?
  var mps: MPSSettings?
  /// Nil where the launch does not name it.
  var segment: String?
}

extension WantedInstance {
  var startedAs: StartedAs {
    StartedAs(
      workload: workload, model: model, batch: batch, processes: processes, servers: servers, launch: launch, mps: mps,
      segment: launch.map(LaunchTemplate.namesSegment) == true ? segment : nil)
  }

  /// Whether servers that run as `other` says go on as this one says: nothing is started anew between the two.
  func runsOn(from other: WantedInstance) -> Bool { place == other.place && startedAs == other.startedAs }
}
