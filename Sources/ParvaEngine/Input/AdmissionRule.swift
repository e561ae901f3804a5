/// Rule that says how much load a profile point may be given under an SLO.
public enum AdmissionRule: String, Hashable, Sendable, CaseIterable {
  /// The largest rate at which the segment keeps the percentile of the SLO under the declared arrivals, less the margin.
  case certified
  /// The published rule: execution latency below 0.45 x SLO, loaded up to its throughput (SC'24, section 3).
  case halfSLO = "half-slo"
}
