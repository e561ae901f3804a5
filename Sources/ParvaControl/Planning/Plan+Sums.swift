import ParvaEngine

extension Plan {
  /// What all segments of each workload come to together. O(segments).
  func sums(_ value: (Segment) -> Double) -> [String: Double] {
    gpus.reduce(into: [:]) { sums, gpu in
      for segment in gpu.segments { sums[segment.workload, default: 0] += value(segment) }
    }
  }
}
