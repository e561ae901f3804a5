import ParvaEngine
import ParvaWire

/// What runs on an instance, and where on its GPU: what two plans have alike needs no instance made.
struct SegmentJob: Hashable, Sendable {
  var place: InstancePlace
  var workload: String
  var batch: Int
  var processes: Int

  init(_ segment: Segment, on gpu: PlannedGPU) {
    place = gpu.place(of: segment)
    (workload, batch, processes) = (segment.workload, segment.batch, segment.processes)
  }

  /// Nil where nothing runs on the instance.
  init?(_ instance: WantedInstance) {
    guard let workload = instance.workload, let batch = instance.batch, let processes = instance.processes else {
      return nil
    }
    place = instance.place
    (self.workload, self.batch, self.processes) = (workload, batch, processes)
  }
}

extension PlannedGPU {
  /// Where a segment stands, as the driver has it.
  func place(of segment: Segment) -> InstancePlace {
    InstancePlace(profileID: product.profiles[segment.profile].driverProfileID, start: segment.start)
  }

  var jobs: Set<SegmentJob> { Set(segments.map { SegmentJob($0, on: self) }) }
}
