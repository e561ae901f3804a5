import Foundation
package import ParvaWire

/// Reads what a node says it sees, and refuses what no driver could show.
package enum NodeStateReader {
  package static let bytes = 4 << 20
  static let gpus = 64
  static let profiles = 256
  static let instances = 64
  /// An MPS daemon and 48 clients of it on each of seven instances of every GPU, with room.
  static let services = 32_768
  static let axis = 64
  static let numbers = 0...1_000_000_000
  static let textBytes = 1024
  /// Every reader of JSON has these as they are written, also those that read numbers as floating point.
  package static let revisions = 0...(1 << 53) - 1

  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource) throws(InputErrors) -> NodeStateDocument {
    let document = try InputDocument(source, limit: bytes)
    let state = try document.decode(NodeStateDocument.self)
    var check = Check(document: document)
    check.count("gpus", state.observed.gpus.count, gpus, ["observed", "gpus"])
    check.text(state.observed.driverVersion, ["observed", "driverVersion"])
    check.number("revision", state.verified?.revision, ["verified", "revision"], revisions)
    check.number("phase", state.verified?.phase, ["verified", "phase"], revisions)
    check.number("accepted", state.accepted, ["accepted"], revisions)
    check.number("term", state.term, ["term"], revisions)
    for (index, owned) in state.owned.enumerated() {
      let path = ["owned", String(index)]
      check.number("profileId", owned.profileId, path + ["profileId"], numbers)
      check.number("start", owned.start, path + ["start"], 0...63)
      check.number("instance", owned.instance, path + ["instance"], numbers)
    }
    check.count("services", state.services.count, services, ["services"])
    for (index, service) in state.services.prefix(services).enumerated() {
      check.service(service, ["services", String(index)])
    }
    var seen: Set<String> = []
    for (index, gpu) in state.observed.gpus.prefix(gpus).enumerated() {
      let path = ["observed", "gpus", String(index)]
      if gpu.uuid.isEmpty || gpu.uuid.utf8.count > 95 {
        check.add(.invalidName, "uuid must be 1 to 95 bytes", path + ["uuid"], gpu.uuid)
      } else if !seen.insert(gpu.uuid).inserted {
        check.add(.duplicate, "a GPU may be listed once", path + ["uuid"], gpu.uuid)
      }
      check.gpu(gpu, path)
    }
    try check.refusals.check()
    return state
  }

  private struct Check {
    let document: InputDocument
    var refusals = Refusals()

    mutating func add(_ code: InputError.Code, _ message: String, _ path: [String], _ value: String?) {
      refusals.add(document.error(code, message, at: path, value: value))
    }

    mutating func count(_ what: String, _ count: Int, _ most: Int, _ path: [String]) {
      if count > most { add(.outOfRange, "at most \(most) \(what)", path, String(count)) }
    }

    mutating func text(_ text: String, _ path: [String]) {
      if text.utf8.count > NodeStateReader.textBytes {
        add(.outOfRange, "at most \(NodeStateReader.textBytes) bytes", path, text)
      }
    }

    mutating func number(_ name: String, _ value: Int?, _ path: [String], _ range: ClosedRange<Int>) {
      guard let value, let message = RangeCheck.message(name, value, range) else { return }
      add(.outOfRange, message, path, String(value))
    }

    /// What requests are sent by.
    mutating func service(_ service: ServiceDocument, _ path: [String]) {
      text(service.kind, path + ["kind"])
      text(service.status, path + ["status"])
      text(service.uuid, path + ["uuid"])
      if let workload = service.workload, !Names.isWorkload(workload) {
        add(.invalidName, "workload is \(Names.workloadRule)", path + ["workload"], workload)
      }
      number("port", service.port, path + ["port"], 1...65_535)
      number("start", service.start, path + ["start"], 0...63)
      number("ordinal", service.ordinal, path + ["ordinal"], NodeStateReader.numbers)
      if let since = service.since, !Self.isTime(since) {
        add(.outOfRange, "since must be a time as RFC 3339 has it", path + ["since"], String(since.prefix(100)))
      }
    }

    /// With or without a fraction of the second.
    private static func isTime(_ text: String) -> Bool {
      text.utf8.count <= 64
        && [true, false].contains {
          (try? Date.ISO8601FormatStyle(includingFractionalSeconds: $0).parse(text)) != nil
        }
    }

    mutating func gpu(_ gpu: ObservedGPU, _ path: [String]) {
      number("index", gpu.index, path + ["index"], 0...4096)
      text(gpu.board, path + ["board"])
      number("memoryMiB", gpu.memoryMiB, path + ["memoryMiB"], NodeStateReader.numbers)
      count("profiles", gpu.profiles.count, NodeStateReader.profiles, path + ["profiles"])
      for (index, profile) in gpu.profiles.prefix(NodeStateReader.profiles).enumerated() {
        let path = path + ["profiles", String(index)]
        text(profile.name, path + ["name"])
        number("id", profile.id, path + ["id"], NodeStateReader.numbers)
        number("computeSlices", profile.computeSlices, path + ["computeSlices"], 1...NodeStateReader.axis)
        number("size", profile.size, path + ["size"], 1...NodeStateReader.axis)
        number("memoryMiB", profile.memoryMiB, path + ["memoryMiB"], NodeStateReader.numbers)
        number("smCount", profile.smCount, path + ["smCount"], NodeStateReader.numbers)
        number("maxInstances", profile.maxInstances, path + ["maxInstances"], 0...NodeStateReader.axis)
        count("starts", profile.starts.count, NodeStateReader.axis, path + ["starts"])
        let fits = profile.starts.allSatisfy { $0 >= 0 && $0 <= NodeStateReader.axis - max(1, min(64, profile.size)) }
        if !fits { add(.outOfRange, "a placement must lie within 0 to 63", path + ["starts"], nil) }
      }
      count("instances", gpu.instances.count, NodeStateReader.instances, path + ["instances"])
      for (index, instance) in gpu.instances.prefix(NodeStateReader.instances).enumerated() {
        let path = path + ["instances", String(index)]
        number("profileId", instance.profileID, path + ["profileId"], NodeStateReader.numbers)
        number("start", instance.start, path + ["start"], 0...63)
        number("size", instance.size, path + ["size"], 1...NodeStateReader.axis)
      }
    }
  }
}
