import ArgumentParser
import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaWire

extension FleetOperationDocument.Rollout.FailureAction: ExpressibleByArgument {}
extension PlacementPolicy: ExpressibleByArgument {}

/// How the controller deals with its nodes.
struct FleetOptions: ParsableArguments {
  @Flag(name: .long, help: "Push plans to the nodes by itself, until every node has what it is to have.")
  var autoApply = false

  @Option(
    name: .long, help: "Seconds between two heartbeats of a node; it counts as unreachable after three missed ones.")
  var heartbeat = 10.0

  @Option(
    name: .long, help: "Seconds that an unreachable node keeps its part of the plan, before plans go on without it.")
  var nodeGrace = 60.0

  @Option(name: .long, help: "Seconds that a node may take for a plan, attempts to reach it included.")
  var applyTimeout = 600.0

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Share of its rate that a workload may lack while a plan is brought to the nodes, as 10% or 0.1.",
      valueName: "share"))
  var maxUnavailable = "0%"

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Most segments that automatic applies make on nodes in a minute (default: no limit).", valueName: "count"))
  var movesPerMinute: Int?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Share by which a rate may lie below the one planned for without a new plan, as 10% or 0.1.", valueName: "share"))
  var deadBand = "0%"

  @Option(
    name: .long,
    help: "Seconds for which a rate has to be lower before plans follow it; they follow a higher one at once.")
  var hold = 0.0

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Falls by up to this share wait the whole hold time, deeper ones less: twice as deep, half as long.",
      valueName: "share"))
  var holdDepth = "100%"

  @Option(
    name: .long,
    help: """
      Seconds by which plans are ahead of rates that rise by schedules (default: as long as the newest roll-outs have taken, \
      \(Int(ScheduleLead.usual)) before the first).
      """)
  var scheduleLead: Double?

  @Option(
    name: .long,
    help: """
      Where new segments go where that costs no GPU: spread has a workload stand in several zones, or on several nodes, so that \
      the loss of one leaves something of it; pack fills few zones and nodes.
      """)
  var placement = PlacementPolicy.spread

  @Option(
    name: .long,
    help: "What to do when a node fails: stop leaves the others where they are, rollback brings all back.")
  var onFailure = FleetOperationDocument.Rollout.FailureAction.stop

  @Option(
    name: .long,
    help: """
      Seconds that servers get no new requests before they are stopped; longer than proxies take to hear of it. 0: none.
      """)
  var drainTime = 3.0

  @Option(
    name: .long,
    help: """
      URL of the admin page of an Envoy whose statistics of requests are read, for status.observed of workloads; may be \
      given several times.
      """)
  var observe: [String] = []

  @Option(name: .long, help: "Seconds between two readings of them; figures are of the last six.")
  var observeInterval = 10.0

  @Option(
    name: .long,
    help: ArgumentHelp("How far above its declared rate a workload is not told to deviate yet.", valueName: "share"))
  var observeBand = "20%"

  @Option(
    name: .long,
    help: """
      File with the secret that plans are signed with for nodes without one of their own (Standard Webhooks: whsec_ \
      and base64); the environment variable PARVA_WEBHOOK_SECRET does the same.
      """)
  var webhookSecretFile: String?

  @Option(name: .long, help: "Folder of secrets that registrations of nodes may name with webhookSecretRef.")
  var nodeSecrets: String?

  @Option(
    name: .long, help: "PEM of the authorities that agents' certificates are checked against (default: the system's).")
  var nodeCA: String?
  @Option(name: .long, help: "PEM certificate that the controller shows to agents (mutual TLS).")
  var nodeCertificate: String?
  @Option(name: .long, help: "PEM key of that certificate.")
  var nodeKey: String?

  func validate() throws {
    guard (0.05...300).contains(heartbeat) else { throw ValidationError("--heartbeat must be 0.05 to 300 seconds.") }
    guard (0...86_400).contains(nodeGrace) else {
      throw ValidationError("--node-grace must be 0 to 86400 seconds.")
    }
    guard (1...86_400).contains(applyTimeout) else {
      throw ValidationError("--apply-timeout must be 1 to 86400 seconds.")
    }
    for url in observe {
      if let fault = NodeSpecReader.addressFault(url) { throw ValidationError("--observe '\(url)': \(fault).") }
    }
    guard (0.1...3600).contains(observeInterval) else {
      throw ValidationError("--observe-interval must be 0.1 to 3600 seconds.")
    }
    _ = try PlanningArguments.share(observeBand, of: "--observe-band")
    guard (0...3600).contains(drainTime) else { throw ValidationError("--drain-time must be 0 to 3600 seconds.") }
    guard try PlanningArguments.share(maxUnavailable, of: "--max-unavailable") <= 1 else {
      throw ValidationError("--max-unavailable must be 0% to 100%.")
    }
    guard try PlanningArguments.share(deadBand, of: "--dead-band") < 1 else {
      throw ValidationError("--dead-band must be 0% to less than 100%.")
    }
    if let movesPerMinute, movesPerMinute < 1 { throw ValidationError("--moves-per-minute must be at least 1.") }
    guard (0...604_800).contains(hold) else { throw ValidationError("--hold must be 0 to 604800 seconds.") }
    guard (0...1).contains(try PlanningArguments.share(holdDepth, of: "--hold-depth")) else {
      throw ValidationError("--hold-depth must be 0% to 100%.")
    }
    if let scheduleLead, !(0...86_400).contains(scheduleLead) {
      throw ValidationError("--schedule-lead must be 0 to 86400 seconds.")
    }
    if (nodeCertificate == nil) != (nodeKey == nil) {
      throw ValidationError("--node-certificate and --node-key belong together.")
    }
  }

  var observing: TrafficObserver.Settings {
    get throws {
      var settings = TrafficObserver.Settings()
      settings.envoys = observe.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
      settings.interval = .seconds(observeInterval)
      settings.band = try PlanningArguments.share(observeBand, of: "--observe-band")
      return settings
    }
  }

  var calm: SteadyRate.Policy {
    get throws {
      SteadyRate.Policy(
        band: try PlanningArguments.share(deadBand, of: "--dead-band"), hold: hold,
        depth: try PlanningArguments.share(holdDepth, of: "--hold-depth"))
    }
  }

  var push: PushSettings {
    get throws {
      var settings = PushSettings()
      settings.deadline = .seconds(applyTimeout)
      settings.maxUnavailable = try PlanningArguments.share(maxUnavailable, of: "--max-unavailable")
      settings.onFailure = onFailure
      settings.drainTime = .seconds(drainTime)
      settings.movesPerMinute = movesPerMinute
      settings.tls = HTTPClientConfiguration.TLS(caFile: nodeCA, certificateFile: nodeCertificate, keyFile: nodeKey)
      settings.secrets = NodeSecrets(shared: try sharedSecret, folder: nodeSecrets)
      return settings
    }
  }

  private var sharedSecret: NodeSecret? {
    get throws {
      guard let text = try WebhookSecrets.load(file: webhookSecretFile).first else { return nil }
      return NodeSecret(text)
    }
  }
}

/// Secrets of Standard Webhooks, from a file or from the environment.
enum WebhookSecrets {
  /// The secrets of the file, one a line; without a file that of `PARVA_WEBHOOK_SECRET`; none where neither is given.
  static func load(file: String?) throws -> [String] {
    var secrets: [String] = []
    if let file {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
        throw CommandFailure(.badInput, "\(file) cannot be read")
      }
      secrets = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
        .filter { !$0.isEmpty && !$0.hasPrefix("#") }
    } else if let secret = ProcessInfo.processInfo.environment["PARVA_WEBHOOK_SECRET"], !secret.isEmpty {
      secrets = [secret]
    }
    guard secrets.allSatisfy({ WebhookSignature(secret: $0) != nil }) else {
      throw CommandFailure(.badInput, "a webhook secret is whsec_ and the base64 of 24 to 64 bytes")
    }
    return secrets
  }
}
