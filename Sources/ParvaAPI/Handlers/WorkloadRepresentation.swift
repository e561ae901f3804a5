import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaWire

/// Writes registrations as clients see them.
enum WorkloadRepresentation {
  /// What `Accept` may ask for. CSV cannot hold all of a workload.
  static let formats: [DocumentFormat] = [.json, .yaml]

  static func one(
    _ registration: Registration, _ status: WorkloadStatus, _ conditions: [ConditionDocument] = [],
    _ observation: TrafficObservation? = nil, _ nextRate: (time: Int, rate: Double)? = nil,
    _ format: DocumentFormat = .json, in space: Space
  ) -> Data {
    var writer = DocumentWriter(format == .yaml ? .yaml : .json)
    writer.object { write(registration, status, conditions, observation, nextRate, space, &$0) }
    writer.finish()
    return Data(writer.bytes)
  }

  /// A page, or a whole answer where `cursor` is nil.
  static func list(
    _ rows: some Collection<Registration>, revision: Int, cursor: String?, _ format: DocumentFormat = .json,
    in space: Space, status: (Registration) -> WorkloadStatus
  ) -> Data {
    var writer = DocumentWriter(format == .yaml ? .yaml : .json, capacity: 256 + rows.count * 400)
    writer.object { root in
      root.array("workloads") { list in
        for row in rows {
          list.object(inline: true) { write(row, status(row), [], nil, nil, space, &$0) }
        }
      }
      root.field("revision", revision)
      root.field("nextCursor", cursor)
    }
    writer.finish()
    return Data(writer.bytes)
  }

  /// A line of JSON for each.
  static func lines(_ rows: some Sequence<Registration>, in space: Space, status: (Registration) -> WorkloadStatus)
    -> Data
  {
    var lines = Data()
    for row in rows {
      var writer = DocumentWriter(.json, capacity: 512)
      writer.object(inline: true) { write(row, status(row), [], nil, nil, space, &$0) }
      writer.finish()
      lines.append(contentsOf: writer.bytes)
    }
    return lines
  }

  /// - Parameter revision: of the plan; nil before the first.
  static func segments(
    _ segments: [(index: Int, gpu: PlannedGPU, segment: Segment)], revision: Int?, _ format: DocumentFormat
  ) -> Data {
    var writer = DocumentWriter(format == .yaml ? .yaml : .json, capacity: 128 + segments.count * 400)
    writer.object { root in
      root.field("planRevision", revision)
      root.array("segments") { list in
        for (index, gpu, segment) in segments {
          list.object(inline: true) { object in
            PlanWriter.write(segment, on: gpu, &object)
            object.field("gpu", index)
            object.field("pool", gpu.pool)
            object.field("product", gpu.product.name)
            object.field("node", gpu.node)
            object.field("uuid", gpu.uuid)
          }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  static func history(_ id: String, _ entries: [WorkloadHistory.Entry], in space: Space) -> Data {
    var writer = DocumentWriter(.json, capacity: 128 + entries.count * 200)
    writer.object { root in
      root.field("workload", space.told(id))
      root.array("history") { list in
        for entry in entries {
          list.object(inline: true) { object in
            object.field("time", Timestamp.text(entry.time))
            object.field("type", entry.type)
            object.field("status", entry.status.rawValue)
            object.field("reason", entry.reason)
            object.field("message", space.told(entry.message(own: space.name != nil), because: entry.reason))
          }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func write(
    _ observation: TrafficObservation, _ registration: Registration, _ space: Space, _ object: inout DocumentWriter
  ) {
    object.object("observed") { observed in
      observed.field("seconds", observation.seconds)
      observed.field("requests", observation.counts.requests)
      observed.field("failed", observation.counts.failed)
      observed.field("rate", observation.rate)
      observed.field("p50Ms", observation.latency(of: 0.5))
      observed.field("p99Ms", observation.latency(of: 0.99))
      let share = observation.share(within: registration.workload.sloLatencyMs)
      observed.field("withinSloAtLeast", share?.lowerBound)
      observed.field("withinSloAtMost", share?.upperBound)
      observed.array("segments") { segments in
        for (id, rate) in observation.segments {
          segments.object { segment in
            segment.field("id", space.told(id))
            segment.field("rate", rate)
          }
        }
      }
    }
  }

  private static func write(
    _ registration: Registration, _ status: WorkloadStatus, _ conditions: [ConditionDocument],
    _ observation: TrafficObservation?, _ nextRate: (time: Int, rate: Double)?, _ space: Space,
    _ object: inout DocumentWriter
  ) {
    WorkloadWriter.write(space.told(registration.workload), &object)
    if Namespace.isQualified(registration.id) { object.field("namespace", Namespace.of(registration.id)) }
    object.field("revision", registration.revision)
    object.field("createdAt", Timestamp.text(registration.createdAt))
    object.field("updatedAt", Timestamp.text(registration.updatedAt))
    object.object("status", inline: true) { object in
      object.field("state", status.state.rawValue)
      object.field("queue", registration.workload.queue.rawValue)
      object.field("planRevision", status.planRevision)
      object.field("appliedRevision", status.appliedRevision)
      object.field("capacityPlanned", status.capacityPlanned)
      object.field("capacityUp", status.capacityUp)
      if let code = status.code { object.field("code", code) }
      if let message = status.message { object.field("message", message) }
      if let rate = status.rate { object.field("rate", rate) }
      if let nextRate {
        object.object("nextRate", inline: true) { next in
          next.field("rate", nextRate.rate)
          next.field("at", Timestamp.text(Date(timeIntervalSince1970: TimeInterval(nextRate.time))))
        }
      }
      if let observation { write(observation, registration, space, &object) }
      guard !conditions.isEmpty else { return }
      object.array("conditions") { list in
        for condition in conditions {
          list.object(inline: true) { object in
            object.field("type", condition.type)
            object.field("status", condition.status.rawValue)
            object.field("reason", condition.reason)
            object.field("message", condition.message)
            object.field("since", condition.since)
          }
        }
      }
    }
  }
}
