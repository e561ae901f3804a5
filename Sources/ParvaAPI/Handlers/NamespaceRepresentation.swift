import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaWire

/// Writes what a namespace is told of plans and servers: what serves its own workloads, and nothing of the fleet that it shares.
enum NamespaceRepresentation {
  /// What a plan has for a namespace; `revision` is that since which it has been so.
  static func plan(_ plan: Plan, since revision: Int, of space: Space) -> Data {
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.field("namespace", space.name)
      root.field("revision", revision)
      write(plan, of: space, &root)
    }
    writer.finish()
    return Data(writer.bytes)
  }

  /// What a plan that could be would have for a namespace.
  static func preview(_ plan: Plan, of space: Space) -> Data {
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.field("namespace", space.name)
      root.object("plan") { write(plan, of: space, &$0) }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func write(_ plan: Plan, of space: Space, _ root: inout DocumentWriter) {
    root.array("segments") { list in
      let own = plan.gpus.lazy.flatMap { gpu in
        gpu.segments.lazy.filter { space.holds($0.workload) }.map { (gpu: gpu, segment: $0) }
      }
      for (gpu, segment) in sorted(Array(own)) {
        list.object(inline: true) { write(segment, on: gpu, space, &$0) }
      }
    }
    root.array("unplaced") { list in
      for refusal in plan.unplaced where space.holds(refusal.workload) {
        list.object(inline: true) { object in
          object.field("workload", space.told(refusal.workload))
          object.field("code", refusal.code.rawValue)
          object.field("message", space.told(refusal.message, because: refusal.code.rawValue))
        }
      }
    }
    root.array("partial") { list in
      for service in plan.partial where space.holds(service.workload) {
        list.object(inline: true) { object in
          object.field("workload", space.told(service.workload))
          object.field("demanded", service.demanded)
          object.field("served", service.served)
          object.field("code", service.code.rawValue)
          object.field("message", space.told(service.message, because: service.code.rawValue))
        }
      }
    }
  }

  /// The segments of one workload.
  static func segments(
    _ segments: [(index: Int, gpu: PlannedGPU, segment: Segment)], since revision: Int?, of space: Space,
    _ format: DocumentFormat
  ) -> Data {
    var writer = DocumentWriter(format == .yaml ? .yaml : .json)
    writer.object { root in
      root.field("planRevision", revision)
      root.array("segments") { list in
        for (gpu, segment) in sorted(segments.map { ($0.gpu, $0.segment) }) {
          list.object(inline: true) { write(segment, on: gpu, space, &$0) }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  /// In order of name: that of the GPUs depends on what others have on them.
  private static func sorted(_ segments: [(gpu: PlannedGPU, segment: Segment)]) -> [(gpu: PlannedGPU, segment: Segment)]
  {
    segments.sorted { ($0.segment.workload, $0.segment.ordinal) < ($1.segment.workload, $1.segment.ordinal) }
  }

  private static func write(_ segment: Segment, on gpu: PlannedGPU, _ space: Space, _ object: inout DocumentWriter) {
    object.field("id", space.told(segment.id))
    object.field("workload", space.told(segment.workload))
    object.field("model", segment.model)
    object.field("product", gpu.product.name)
    object.field("profile", gpu.product.profiles[segment.profile].name)
    PlanWriter.writeService(of: segment, on: gpu, &object)
  }
}

extension Space {
  /// A reason as it is told.
  func told(_ message: String, because code: String) -> String {
    name == nil ? message : WorkloadStatus.told(message, because: code)
  }
}

extension WorkloadStatus {
  /// As it is told to a caller.
  func told(to space: Space, _ view: PlanBoard.View) -> WorkloadStatus {
    space.name.map { told(in: $0, view) } ?? self
  }
}

/// A server as its namespace is told of it.
struct NamespaceEndpoint: Encodable {
  let workload: String
  let segment: String?
  let ordinal: Int
  let zone: String?
  let address: String
  let port: Int?
  let weight: Int
  let state: String
  let reported: String?
  let reason: String?
  let since: String

  init(_ endpoint: EndpointDocument, _ space: Space) {
    workload = space.told(endpoint.workload)
    segment = endpoint.segment.map { space.told($0) }
    (ordinal, zone, address, port) = (endpoint.ordinal, endpoint.zone, endpoint.address, endpoint.port)
    (weight, state, reported) = (endpoint.weight, endpoint.state, endpoint.reported)
    (reason, since) = (endpoint.reason, endpoint.since)
  }

  struct List: Encodable {
    let version: String
    let endpoints: [NamespaceEndpoint]
  }
}
