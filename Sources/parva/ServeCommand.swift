import ArgumentParser
import Foundation
import Logging
import ParvaAPI
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// `parva serve`: the controller.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Run the controller: register workloads and read the plan over HTTP.",
    discussion: """
      Plans by itself whenever the workloads change. What was answered with success is on disk. Ends on SIGTERM or \
      SIGINT after the requests that are open; SIGHUP reads certificates, tokens and limits again. Logs go to standard error.
      """)

  @Option(
    name: .long,
    help: """
      Where to listen: host:port, [v6]:port, *:port, unix:PATH or systemd (socket activation); may be given several \
      times. What other machines can reach needs --tls-certificate, and --token-file, --require-token, --oidc-issuer or --tls-client-ca.
      """)
  var listen: [String] = ["127.0.0.1:8080"]

  @Option(
    name: .long,
    help: """
      Where everything is kept: KIND:PLACE, or the path of a SQLite file (default: parva/controller.sqlite in the user's \
      state directory). Kinds: \(Self.kinds).
      """)
  var store: String?

  private static var kinds: String {
    (Stores.all.map { "\($0.scheme), \($0.summary)" } + Stores.replicated.map { "\($0.scheme), \($0.summary)" })
      .joined(separator: "; ")
  }

  @OptionGroup var replicas: ReplicaOptions
  @OptionGroup var tls: TLSOptions

  @Option(
    name: .long,
    help: """
      File of bearer tokens, one a line: ROLE NAME TOKEN, where ROLE is reader, operator, admin, or node for the agent of \
      the node NAME alone, and TOKEN may be given as sha256: and its digest. Read again on SIGHUP. With it, every request \
      needs a token, of the file or made by parva token create, or a client certificate.
      """)
  var tokenFile: String?

  @Flag(
    name: .long,
    help:
      "Have every request need a token or a client certificate, as with --token-file, where tokens made by parva token create are enough."
  )
  var requireToken = false

  @OptionGroup var issuer: IssuerOptions
  @OptionGroup var limits: RateLimitOptions

  @Option(
    name: .long,
    help: """
      File of what client certificates are good for, one rule a line: ROLE CN=NAME or ROLE URI=NAME, where NAME may hold one \
      *; with the role node it stands for the node. Read again on SIGHUP. Without it they allow everything.
      """)
  var certificateRoles: String?

  @Option(name: .long, help: "Threads that answer connections (default: one per core).")
  var loops: Int?

  @Flag(name: .long, help: "Log every request.")
  var accessLog = false

  @OptionGroup var profileOptions: ProfileOptions
  @OptionGroup var traceOptions: TraceOptions
  @OptionGroup var planner: PlannerArgument
  @OptionGroup var planning: PlanningArguments

  @Option(name: .long, help: "GPU pools as YAML or JSON: name, product, count, hourlyCost, watts, nodes.")
  var pools: String?

  @Option(name: .long, help: "Most workloads at a time.")
  var maxWorkloads = 250_000

  @Option(
    name: .long,
    help: "How many workloads have series of their own in /metrics, in order of id; all are in the sums.")
  var metricsWorkloads = 1000

  @Option(name: .long, help: "Most plans kept in the store.")
  var keepPlans = 100

  @Option(name: .long, help: "Most MiB of kept plans in the store, where they are compressed; the newest always stays.")
  var keepPlansMib = 256

  @Option(name: .long, help: "Days that plans are kept after another has replaced them.")
  var keepPlansDays = 30

  @Option(name: .long, help: "Most changes kept in the audit; of refusals and the like, a tenth of that beside them.")
  var keepAudit = AuditRetention().count

  @Option(name: .long, help: "Days that the audit keeps what was done.")
  var keepAuditDays = 90

  @Flag(name: .long, help: "Refuse changes of what exists that carry no If-Match.")
  var requireIfMatch = false

  @OptionGroup var fleet: FleetOptions
  @OptionGroup var webhooks: WebhookOptions

  @OptionGroup var logging: LogOptions
  @OptionGroup var tracing: TracingOptions
  @OptionGroup var configured: ConfigurationOptions

  func validate() throws {
    try ListenAddress.check(listen)
    guard certificateRoles == nil || tls.tlsClientCA != nil else {
      throw ValidationError("--certificate-roles needs --tls-client-ca.")
    }
    guard Stores.replicatedKind(of: store ?? "") != nil || !replicas.areAny else {
      throw ValidationError(
        "--advertise, --lease, --max-staleness, --peer-... and --etcd-... are for a store that controllers share: "
          + "--store etcd://HOST:PORT,HOST:PORT/PREFIX.")
    }
    guard maxWorkloads >= 1 else { throw ValidationError("--max-workloads must be at least 1.") }
    if let loops, !(1...256).contains(loops) { throw ValidationError("--loops must be 1 to 256.") }
    guard (0...100_000).contains(metricsWorkloads) else {
      throw ValidationError("--metrics-workloads must be 0 to 100000.")
    }
    guard keepPlans >= 1 else { throw ValidationError("--keep-plans must be at least 1.") }
    guard (1...1_000_000).contains(keepPlansMib) else {
      throw ValidationError("--keep-plans-mib must be 1 to 1000000.")
    }
    guard (1...100_000).contains(keepPlansDays) else { throw ValidationError("--keep-plans-days must be 1 to 100000.") }
    guard (1...100_000_000).contains(keepAudit) else {
      throw ValidationError("--keep-audit must be 1 to 100000000.")
    }
    guard (1...100_000).contains(keepAuditDays) else { throw ValidationError("--keep-audit-days must be 1 to 100000.") }
    if let open = listen.first(where: { !ListenAddress.isLocal($0) && $0 != "systemd" }), !isSecured {
      throw ValidationError(Self.unsecured(open))
    }
  }

  func run() async throws {
    Allocation.returnLargeBlocks()
    let logger = logging.logger("parva")
    let tracer = tracing.tracer("parva-controller", logger: logger)
    var configuration = Controller.Configuration(
      planning: PlanningSetup(
        planner: try planner.resolved(), pools: try profileOptions.pools(from: pools),
        catalogue: try profileOptions.catalogue(), options: try planning.options))
    configuration.planning.patience = .seconds(planning.deadline)
    configuration.planning.traces = try traceOptions.traces()
    configuration.maxWorkloads = maxWorkloads
    configuration.tracer = tracer
    configuration.measuredWorkloads = metricsWorkloads
    configuration.keptPlans = PlanRetention(
      count: keepPlans, bytes: keepPlansMib << 20, age: Double(keepPlansDays) * 86_400)
    configuration.keptAudit = AuditRetention(count: keepAudit, age: Double(keepAuditDays) * 86_400)
    configuration.nodes.heartbeat = .seconds(fleet.heartbeat)
    configuration.nodes.fleet.grace = .seconds(fleet.nodeGrace)
    configuration.calm = try fleet.calm
    configuration.scheduleLead = fleet.scheduleLead
    configuration.planning.placement = fleet.placement
    configuration.push = try fleet.push
    configuration.observing = try fleet.observing
    configuration.webhooks = webhooks.settings
    configuration.appliesByItself = fleet.autoApply
    configuration.worker = PlanWorker.Settings()
    let signals = TerminationSignal()
    let file = try tokens()
    let roles = try roles()
    let issued = try await issuer.issued(logger)
    let door = Door(file, roles)
    let counters = ServerCounters()
    let live = LiveLimits(limits)
    let routing: ReplicaHost.Routing = { controller, part in
      let access = door.access { file, roles in
        AccessControl(
          file: file, tokens: controller.tokens, issued: issued, trustsCertificates: tls.tlsClientCA != nil,
          roles: roles, isRequired: needsCredentials)
      }
      var table = RouteTable(controller, server: counters)
      table.requiresPreconditions = requireIfMatch
      table.version = Version.current
      table.streams = live.streams
      table.issued = issued
      table.part = part
      return Router(
        routes: table.routes + part.peerRoutes(controller), logger: logger, gate: part.guarding(access.gate),
        meter: live.limiter.meter, pause: part.pausing(access.pause), fields: part.fields)
    }
    do {
      let path = store ?? StorePlace.usual
      let slot = RouterSlot(HealthHandlers.waiting(logger))
      let server = HTTPServer(configuration: serverConfiguration, slot: slot, logger: logger)
      counters.count(server)
      let opening = Task { try await opened(path, configuration, routing, slot, logger) }
      // A store of its own is there at once or not at all; a shared one may be away for long, and the process says so meanwhile.
      if Stores.replicatedKind(of: path) == nil { _ = try await opening.value }
      let addresses = try server.start()
      if !isSecured, let open = addresses.first(where: { !ListenAddress.isLocal($0) }) {
        await server.shutdown(deadline: .zero)
        throw CommandFailure(.badInput, Self.unsecured(open))
      }
      let ending = Task {
        let signal = await signals.wait {
          reload(server, door, issued, logger)
          live.reload(server, logger)
        }
        opening.cancel()
        return signal
      }
      let served: ServedController
      do {
        served = try await opening.value
      } catch {
        await server.shutdown(deadline: .zero)
        guard opening.isCancelled else { throw error }
        let signal = await ending.value
        logger.info("stopped", metadata: ["signal": "\(signal)"])
        return
      }
      let exporting = Task { await tracer?.run() }
      let following = Task { await issued?.keys.run() }
      defer { following.cancel() }
      served.start()
      logger.info("serving", metadata: ["addresses": "\(addresses.joined(separator: " "))", "store": "\(path)"])
      let signal = await ending.value
      logger.info("stopping", metadata: ["signal": "\(signal)"])
      served.releaseWaiters()
      try await served.stop { await server.shutdown() }
      tracer?.stop()
      await exporting.value
      logger.info("stopped")
    } catch let error as StoreError {
      throw CommandFailure(.badInput, error.message)
    } catch let error as HTTPServerError {
      throw CommandFailure(.unexpected, error.message)
    }
  }

  private func opened(
    _ path: String, _ configuration: Controller.Configuration, _ routing: @escaping ReplicaHost.Routing,
    _ slot: RouterSlot, _ logger: Logger
  ) async throws -> ServedController {
    guard let kind = Stores.replicatedKind(of: path) else {
      let controller = try await Controller(
        configuration: configuration, store: try Stores.open(path), logger: logger)
      slot.replace(with: routing(controller, .alone))
      return .alone(controller)
    }
    let (place, access) = (kind.place(in: path), try replicas.access())
    let link = try replicas.link(
      listening: listen, tls: tls, needsSecret: needsCredentials, isNear: try kind.isNear(place, access))
    let shared = try await kind.open(place, access, logger)
    let settings = (try? VerbConfiguration.of(Array(CommandLine.arguments.dropFirst())))?.settings ?? []
    let member = ReplicaMember(
      address: link.address, host: ProcessInfo.processInfo.hostName, version: Version.current,
      options: SharedOptions.told(settings))
    let host = try await ReplicaHost(
      store: shared, link: link, member: member, settings: replicas.settings, slot: slot, logger: logger
    ) {
      role, store, leadership async throws(StoreError) in
      var configuration = configuration
      configuration.nodes.sharesServices = true
      configuration.push.leadership = leadership
      return try await Controller(configuration: configuration, store: store, role: role, logger: logger)
    } routing: {
      routing($0, $1)
    }
    return .replica(host)
  }

  // MARK: - Who may come in

  private var takesTokens: Bool { tokenFile != nil || requireToken || issuer.isOn }

  /// Else whoever reaches the address may do everything.
  private var needsCredentials: Bool { takesTokens || tls.tlsClientCA != nil }

  private var isSecured: Bool { tls.tlsCertificate != nil && needsCredentials }

  private static func unsecured(_ address: String) -> String {
    """
    Listening on '\(address)' opens the controller to other machines, which needs --tls-certificate and --tls-key, and \
    --token-file, --require-token, --oidc-issuer or --tls-client-ca to tell who may come in. Without them listen on 127.0.0.1, [::1], localhost or \
    unix:PATH.
    """
  }

  private var serverConfiguration: HTTPServerConfiguration {
    // With tokens a certificate is one of two ways in, without them the only one.
    var configuration = HTTPServerConfiguration(
      addresses: listen, tls: tls.configuration(clientRequired: !takesTokens))
    configuration.accessLog = accessLog
    configuration.maxBodyMemory = limits.bodyMemory
    configuration.maxBodyMemoryPerCaller = limits.bodyMemoryPerCaller
    if let loops { configuration.loops = loops }
    return configuration
  }

  private func tokens() throws(CommandFailure) -> AccessTokens? {
    guard let tokenFile else { return nil }
    guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
      throw CommandFailure(.badInput, "\(tokenFile) cannot be read as text")
    }
    do {
      return try AccessTokens(text)
    } catch {
      throw CommandFailure(.badInput, "\(tokenFile): \(error)")
    }
  }

  private func roles() throws(CommandFailure) -> CertificateRoles? {
    guard let certificateRoles else { return nil }
    guard let text = try? String(contentsOfFile: certificateRoles, encoding: .utf8) else {
      throw CommandFailure(.badInput, "\(certificateRoles) cannot be read as text")
    }
    do {
      return try CertificateRoles(text)
    } catch {
      throw CommandFailure(.badInput, "\(certificateRoles): \(error)")
    }
  }

  /// What cannot be read leaves what is there in force.
  private func reload(
    _ server: HTTPServer, _ door: Door, _ issued: IssuedTokens?, _ logger: Logger
  ) {
    issued?.keys.renew()
    do {
      if tls.tlsCertificate != nil { try server.reloadCertificates() }
      let (tokens, roles) = (try tokens(), try roles())
      door.replace(tokens, roles)
      logger.info("read certificates and tokens again")
    } catch let error as HTTPServerError {
      logger.error("certificates not read again; the old ones stay", metadata: ["cause": "\(error.message)"])
    } catch let error as CommandFailure {
      logger.error("tokens not read again; the old ones stay", metadata: ["cause": "\(error.message ?? "")"])
    } catch {
      logger.error("not read again", metadata: ["cause": "\(error)"])
    }
  }
}
