import Foundation
import ParvaWire

/// Reads the usual JSON of one workload in one pass, and gives up on everything else.
///
/// What it accepts, the general way reads with the same result; what it gives up on, the general way judges: escapes,
/// text beyond ASCII, keys that are unknown, doubled or rare, wrong types and broken syntax. So it knows no errors.
enum QuickWorkloadParser {
  /// Nil where the general way has to look. O(bytes).
  static func spec(_ data: Data) -> WorkloadSpec? {
    QuickJSON.read(data) { json throws(QuickJSON.Unusual) in try json.workload() }
  }

  /// Steps through a list, bare or under its one key; whether all of it is usual and was taken. O(bytes).
  ///
  /// - Parameter take: answers whether to go on.
  static func list(_ data: Data, _ take: (WorkloadSpec) -> Bool) -> Bool {
    let isBare = QuickJSON.read(data) { json throws(QuickJSON.Unusual) in
      try json.list(under: "workloads") { json throws(QuickJSON.Unusual) in
        guard take(try json.workload()) else { throw QuickJSON.Unusual() }
      }
    }
    return isBare != nil
  }
}

extension QuickJSON {
  fileprivate mutating func workload() throws(Unusual) -> WorkloadSpec {
    var id: String?
    var namespace: String?
    var model: String?
    var rate: Double?
    var slo: WorkloadSpec.SLO?
    var arrivals: WorkloadSpec.Arrivals?
    var priority: Int?
    var labels: [String: String]?
    try object { parser, key throws(Unusual) in
      switch key {
      case "id": try Self.fill(&id, with: try parser.string())
      case "namespace": try Self.fill(&namespace, with: try parser.string())
      case "model": try Self.fill(&model, with: try parser.string())
      case "rate": try Self.fill(&rate, with: try parser.number())
      case "slo": try Self.fill(&slo, with: try parser.slo())
      case "arrivals": try Self.fill(&arrivals, with: try parser.arrivals())
      case "priority": try Self.fill(&priority, with: try parser.integer())
      case "labels": try Self.fill(&labels, with: try parser.labels())
      default: throw Unusual()
      }
    }
    guard let id, let model, let rate, let slo else { throw Unusual() }
    return WorkloadSpec(
      id: id, namespace: namespace, model: model, rate: rate, slo: slo, arrivals: arrivals, priority: priority,
      labels: labels)
  }

  private mutating func slo() throws(Unusual) -> WorkloadSpec.SLO {
    var latencyMs: Double?
    var percentile: Double?
    try object { parser, key throws(Unusual) in
      switch key {
      case "latencyMs": try Self.fill(&latencyMs, with: try parser.number())
      case "percentile": try Self.fill(&percentile, with: try parser.number())
      default: throw Unusual()
      }
    }
    guard let latencyMs else { throw Unusual() }
    return WorkloadSpec.SLO(latencyMs: latencyMs, percentile: percentile)
  }

  private mutating func arrivals() throws(Unusual) -> WorkloadSpec.Arrivals {
    var process: String?
    var cv2: Double?
    try object { parser, key throws(Unusual) in
      switch key {
      case "process": try Self.fill(&process, with: try parser.string())
      case "cv2": try Self.fill(&cv2, with: try parser.number())
      default: throw Unusual()
      }
    }
    guard let process else { throw Unusual() }
    return WorkloadSpec.Arrivals(process: process, cv2: cv2)
  }

  private mutating func labels() throws(Unusual) -> [String: String] {
    var labels: [String: String] = [:]
    try object { parser, key throws(Unusual) in
      guard labels.updateValue(try parser.string(), forKey: key) == nil else { throw Unusual() }
    }
    return labels
  }
}
