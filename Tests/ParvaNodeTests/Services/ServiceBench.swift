import Foundation
import ParvaWire
import Testing

@testable import ParvaNode

/// The node's services over real processes, in a folder of its own; what still runs is killed with it.
final class ServiceBench {
  static let standIns = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Integration/stand-in")
  static let gpu = "GPU-1"

  /// Short: Unix sockets are made below it.
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
    "pv-\(UInt32.random(in: 0...UInt32.max))")
  var services: NodeServices
  var simulated: Bool
  var mpsControl: String
  let adjust: (inout NodeServices.Configuration) -> Void

  init(
    simulated: Bool = true, mpsControl: String? = nil,
    adjust: @escaping (inout NodeServices.Configuration) -> Void = { _ in }
  ) throws {
    self.simulated = simulated
    self.adjust = adjust
    self.mpsControl = mpsControl ?? Self.standIns.appendingPathComponent("nvidia-cuda-mps-control").path
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    services = try Self.services(directory, simulated: simulated, mpsControl: self.mpsControl, adjust: adjust)
  }

  deinit {
    for pid in services.pids { kill(pid_t(pid), SIGKILL) }
    try? FileManager.default.removeItem(at: directory)
  }

  private static func services(
    _ directory: URL, simulated: Bool, mpsControl: String, bootID: String = "boot",
    adjust: (inout NodeServices.Configuration) -> Void
  ) throws -> NodeServices {
    var configuration = NodeServices.Configuration(
      directory: directory.appendingPathComponent("state"), runDirectory: directory.appendingPathComponent("run"),
      simulated: simulated)
    configuration.mpsControl = mpsControl
    configuration.timing.probeInterval = .milliseconds(30)
    configuration.timing.eagerProbeInterval = .milliseconds(30)
    configuration.timing.firstPause = .milliseconds(20)
    configuration.timing.longestPause = .milliseconds(60)
    configuration.timing.unhealthyTimeout = .milliseconds(100)
    configuration.timing.crashes = 4
    configuration.logLimit = 64 << 10
    adjust(&configuration)
    return try NodeServices(configuration: configuration, bootID: bootID)
  }

  /// The agent's next life.
  func restartAgent(bootID: String = "boot") throws {
    services = try Self.services(
      directory, simulated: simulated, mpsControl: mpsControl, bootID: bootID, adjust: adjust)
  }

  static func wanted(_ instances: [WantedInstance]) -> NodeAssignment {
    NodeAssignment(revision: 1, gpus: [WantedGPU(uuid: gpu, instances: instances)])
  }

  /// An instance whose servers are the stand-in, told to look at `folder`.
  func instance(
    at start: Int = 0, processes: Int = 1, words: [String] = [], stopTimeout: Double = 3600, mps: MPSSettings? = nil
  ) -> WantedInstance {
    WantedInstance(
      profileID: 9, start: start, segment: "resnet/\(start)", workload: "resnet", model: "resnet50", batch: 8,
      processes: processes, mps: mps,
      launch: LaunchSpec(
        command: Self.standIns.appendingPathComponent("server").path, args: [directory.path, "{port}"] + words,
        env: ["BATCH": "{batch}", "WHO": "{model} {process}/{processes}"],
        port: Int.random(in: 20_000...32_000), health: "/healthz", stopTimeout: stopTimeout))
  }

  static func owned(_ instances: [WantedInstance], life: Int = 1) -> [OwnedInstance] {
    instances.map { OwnedInstance(gpu: gpu, place: $0.place, instance: $0.start + 1, uuid: "MIG-\(life)-\($0.start)") }
  }

  func run(_ instances: [WantedInstance], life: Int = 1) {
    services.run(Self.wanted(instances), on: Self.owned(instances, life: life))
  }

  /// Looks until the condition holds; a failure after two minutes, which no healthy run comes near.
  func until(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: ([ServiceDocument]) throws -> Bool
  ) rethrows {
    let deadline = ContinuousClock.now + .seconds(120)
    while ContinuousClock.now < deadline {
      services.tick()
      if try condition(services.documents) { return }
      services.waitForNews(upTo: .milliseconds(20))
    }
    Issue.record("never \(what): \(services.documents)", sourceLocation: sourceLocation)
  }

  func untilHealthy(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) {
    until("\(count) healthy", sourceLocation: sourceLocation) { documents in
      documents.count == count && documents.allSatisfy { $0.status == "healthy" }
    }
  }

  /// Without the times, which are those of the run of the agent that tells.
  var timeless: [ServiceDocument] {
    services.documents.map { document in
      var document = document
      document.since = nil
      return document
    }
  }

  func write(_ name: String, _ text: String) throws {
    try text.write(to: directory.appendingPathComponent(name), atomically: true, encoding: .utf8)
  }

  func remove(_ name: String) throws {
    try FileManager.default.removeItem(at: directory.appendingPathComponent(name))
  }

  func text(_ name: String) -> String {
    (try? String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)) ?? ""
  }

  /// Every start of the stand-in server so far.
  func starts() throws -> [Start] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasPrefix("started-") }.sorted()
      .map { name in
        var start = try JSONDecoder().decode(
          Start.self, from: Data(contentsOf: directory.appendingPathComponent(name)))
        start.pid = Int(name.dropFirst("started-".count)) ?? 0
        return start
      }
  }

  struct Start: Decodable {
    var args: [String]
    var env: [String: String]
    var pid = 0

    private enum CodingKeys: String, CodingKey { case args, env }
  }

  static func isRunning(_ pid: Int?) -> Bool { pid.flatMap { ProcessIdentity.current($0) } != nil }
}
