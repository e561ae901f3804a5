import ArgumentParser
import Foundation
import Logging
import ParvaHTTP
import ParvaNode
import ParvaServing
import ParvaWire

/// `parva node [run]`: the agent.
struct NodeRunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run the agent: take plans over HTTP and keep the last verified one standing.")

  @OptionGroup var options: NodeDriverOptions
  @OptionGroup var link: ControllerLinkOptions
  @OptionGroup var logging: LogOptions
  @OptionGroup var tracing: TracingOptions

  @Option(name: .long, help: "Address to listen on: host:port, [v6]:port or unix:PATH; may be given several times.")
  var listen: [String] = ["127.0.0.1:8090"]

  @Option(
    name: .long,
    help: """
      File with the secrets that plans are signed with (Standard Webhooks: whsec_ and base64), one a line; the \
      environment variable PARVA_WEBHOOK_SECRET does the same for one.
      """)
  var webhookSecretFile: String?

  @OptionGroup var tls: TLSOptions

  @Flag(name: .long, help: "Take plans from anybody who reaches the address; loopback addresses only.")
  var insecure = false
  @Flag(name: .long, help: "Turn MIG mode on where a plan needs it; this may reset a GPU.")
  var manageMigMode = false
  @Flag(name: .long, help: "Take over instances that stand exactly where one is wanted, whoever made them.")
  var adopt = false
  @Option(name: .long, help: "Seconds between two looks whether the GPUs still are as verified.")
  var reconcile: Int = 60

  @Option(
    name: .long,
    help: "MPS control program, for instances that several processes share (default: nvidia-cuda-mps-control in PATH).")
  var mpsControl: String = "nvidia-cuda-mps-control"
  @Option(
    name: .long,
    help: """
      Short folder for the sockets of MPS daemons (default: /run/parva/node, or run below --state-dir or for other users).
      """)
  var runDir: String?
  @Flag(
    name: .long, help: "The agent's control group is its own (Delegate=yes): services get groups and limits below it.")
  var delegatedCgroup = false

  @Option(
    name: .long,
    help: """
      First and last id of users that nobody else has, as 61000-61099: the servers and the daemon of each instance run as \
      one of them instead of as the agent's user. Takes root.
      """,
    transform: NodeRunCommand.users)
  var serverUsers: ClosedRange<Int>?
  @Option(
    name: .long,
    help: "File with the token that state and metrics are shown for to other machines (Authorization: Bearer).")
  var readTokenFile: String?

  @OptionGroup var configured: ConfigurationOptions

  private static func users(_ text: String) throws -> ClosedRange<Int> {
    let ends = text.split(separator: "-").map { Int($0) }
    guard ends.count == 2, let first = ends[0], let last = ends[1], first > 0, first <= last, last < 1 << 31 else {
      throw ValidationError("--server-users takes two ids such as 61000-61099, not '\(text)'.")
    }
    return first...last
  }

  func validate() throws {
    if serverUsers != nil && geteuid() != 0 {
      throw ValidationError("--server-users takes root: no other user may start programs as somebody else.")
    }
    try ListenAddress.check(listen)
    if !link.controller.isEmpty && link.advertise == nil,
      ["0.0.0.0:", "[::]:", "unix:"].contains(where: listen[0].hasPrefix)
    {
      throw ValidationError("Say with --advertise under which URL the controller reaches this agent.")
    }
    if reconcile < 1 { throw ValidationError("--reconcile must be at least 1 second.") }
    let open = listen.filter { !ListenAddress.isLocal($0) }
    if insecure && !open.isEmpty {
      throw ValidationError("--insecure is for loopback addresses, not \(open.joined(separator: ", ")).")
    }
  }

  func run() async throws {
    let termination = TerminationSignal()
    let store = try options.store()
    let lock = try options.locked(store)
    defer { lock.release() }
    let logger = logging.logger("parva.node")
    let driver = try options.opened(replaces: true) { machine in
      logging.announce("simulated: \(machine); no hardware is touched") {
        logger.notice("no hardware is touched", metadata: ["simulated": "\(machine)"])
      }
    }
    let secrets = try WebhookSecrets.load(file: webhookSecretFile)
    let authority = try authority(secrets)
    let scheme = tls.tlsCertificate == nil ? "http" : "https"
    let simulated = try options.observe(driver).simulated
    var configuration = NodeAgent.Configuration(
      name: options.nodeName, options: ApplyPlanner.Options(manageMIGMode: manageMigMode, adopt: adopt))
    configuration.reconcileInterval = .seconds(reconcile)
    let tracer = tracing.tracer("parva-node", [("parva.node", options.nodeName)], logger: logger)
    configuration.tracer = tracer
    let bell = Doorbell()
    configuration.onChange = { bell.ring() }
    let agent = NodeAgent(
      configuration: configuration, driver: driver, store: store,
      services: try services(store: store, simulated: simulated, logger: logger) { bell.ring() }, simulated: simulated,
      logger: logger)
    var server = HTTPServer.Configuration(addresses: listen)
    server.loops = 1
    server.tls = tls.configuration(clientRequired: false)
    let counters = ServerCounters()
    let talks = LinkCounters()
    let routes = NodeRoutes(
      agent: agent, authority: authority, readToken: try readToken(), server: counters, link: talks
    ).routes
    let http = HTTPServer(
      configuration: server, router: Router(routes: routes, logger: logger), logger: logger)
    counters.count(http)
    let addresses: [String]
    do {
      try await agent.start()
      addresses = try http.start()
      logging.announce("listening on \(addresses.joined(separator: ", "))" + (simulated ? " (simulated)" : "")) {
        logger.notice("listening", metadata: ["addresses": "\(addresses.joined(separator: " "))"])
      }
    } catch {
      throw CommandFailure(.unexpected, "\(error)")
    }
    let running = Task { await agent.run() }
    let exporting = Task { await tracer?.run() }
    let linkConfiguration = try link.configuration(
      name: options.nodeName, secrets: secrets, listening: "\(scheme)://\(addresses[0])")
    let linking = linkConfiguration.map { configuration in
      let link = ControllerLink(configuration: configuration, logger: logger, bell: bell, counters: talks) {
        try await agent.document()
      }
      return Task { await link.run() }
    }
    await termination.wait {
      guard tls.tlsCertificate != nil else { return }
      do throws(HTTPServerError) {
        try http.reloadCertificates()
        logger.info("read certificates again")
      } catch {
        logger.error("certificates not read again; the old ones stay", metadata: ["cause": "\(error.message)"])
      }
    }
    linking?.cancel()
    await http.shutdown()
    running.cancel()
    await running.value
    tracer?.stop()
    await exporting.value
  }

  private func services(
    store: NodeStore, simulated: Bool, logger: Logger, onChange: @escaping @Sendable () -> Void
  ) throws -> NodeServices {
    var configuration = NodeServices.Configuration(
      directory: store.directory, runDirectory: options.runDirectory(runDir), simulated: simulated)
    configuration.mpsControl = mpsControl
    configuration.hasDelegatedGroup = delegatedCgroup
    configuration.users = serverUsers
    configuration.onChange = onChange
    do {
      return try NodeServices(configuration: configuration, bootID: store.bootID, logger: logger)
    } catch let failure as ApplyJournal.Failure {
      throw CommandFailure(.unexpected, "\(failure.code): \(failure)")
    } catch {
      throw CommandFailure(.unexpected, "\(store.directory.path) cannot be used: \(error.localizedDescription)")
    }
  }

  private func readToken() throws -> SecretDigest? {
    guard let readTokenFile else { return nil }
    let text = try? String(contentsOfFile: readTokenFile, encoding: .utf8)
    guard let token = text?.trimmingCharacters(in: .whitespacesAndNewlines), token.utf8.count >= 16,
      let digest = SecretDigest(of: token)
    else { throw CommandFailure(.badInput, "--read-token-file \(readTokenFile) holds no token of 16 bytes or more") }
    return digest
  }

  private func authority(_ secrets: [String]) throws -> NodeRoutes.Authority {
    if !secrets.isEmpty { return .signed(secrets.compactMap { WebhookSignature(secret: $0) }) }
    if tls.tlsClientCA != nil { return .clientCertificate }
    if insecure { return .anyone }
    throw CommandFailure(
      .badInput,
      "say who may apply plans: --webhook-secret-file (or PARVA_WEBHOOK_SECRET), --tls-client-ca, or --insecure")
  }
}
