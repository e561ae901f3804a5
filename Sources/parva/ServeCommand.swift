import ArgumentParser
import Dispatch
import Foundation
import Logging
import ParvaAPI
import ParvaFormats
import ParvaHTTP

/// `parva serve`: the controller.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Run the controller: register workloads and read the plan over HTTP.",
    discussion: """
      Plans by itself whenever the workloads change. What was answered with success is on disk. Ends on SIGTERM or \
      SIGINT after the requests that are open. Logs go to standard error.
      """)

  @Option(
    name: .long,
    help: """
      Where to listen: host:port on this machine (127.0.0.1, [::1], localhost) or unix:PATH; may be given several times.
      """)
  var listen: [String] = ["127.0.0.1:8080"]

  @Option(
    name: .long,
    help: "The SQLite file that keeps everything (default: parva/controller.sqlite in the user's state directory).")
  var store: String?

  @OptionGroup var profileOptions: ProfileOptions
  @OptionGroup var planner: PlannerArgument
  @OptionGroup var planning: PlanningArguments

  @Option(name: .long, help: "GPU pools as YAML or JSON: stock, hourly cost and watts per product.")
  var pools: String?

  @Option(name: .long, help: "Most workloads at a time.")
  var maxWorkloads = 250_000

  @Option(name: .long, help: "Plans kept in the store.")
  var keepPlans = 100

  @Flag(name: .long, help: "Refuse changes of what exists that carry no If-Match.")
  var requireIfMatch = false

  @Option(
    name: .long, help: "Least level that is logged: \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")).")
  var logLevel = Logger.Level.info.rawValue

  func validate() throws {
    guard maxWorkloads >= 1 else { throw ValidationError("--max-workloads must be at least 1.") }
    guard keepPlans >= 1 else { throw ValidationError("--keep-plans must be at least 1.") }
    guard Logger.Level(rawValue: logLevel) != nil else { throw ValidationError("Unknown log level '\(logLevel)'.") }
    if let open = listen.first(where: { !ListenAddress.isLocal($0) }) {
      throw ValidationError(
        """
        Listening on '\(open)' would open the controller to other machines, and this version has no credentials to ask \
        for. Listen on 127.0.0.1, [::1], localhost or unix:PATH, and put a proxy with TLS and authentication in front.
        """)
    }
  }

  func run() async throws {
    let logger = makeLogger()
    var configuration = Controller.Configuration(
      planning: PlanningSetup(
        planner: try planner.resolved(), pools: try profileOptions.pools(from: pools),
        catalogue: try profileOptions.catalogue(), options: try planning.options))
    configuration.maxWorkloads = maxWorkloads
    configuration.keptPlans = keepPlans
    configuration.requiresPreconditions = requireIfMatch
    configuration.version = Version.current
    let signals = StopSignals()
    do {
      let path = store ?? Self.defaultStore
      let controller = try await Controller(
        configuration: configuration, store: try SQLiteStore(path: path), logger: logger)
      let server = HTTPServer(
        configuration: HTTPServerConfiguration(addresses: listen),
        router: Router(routes: controller.routes, logger: logger),
        logger: logger)
      let addresses = try server.start()
      controller.start()
      logger.info("serving", metadata: ["addresses": "\(addresses.joined(separator: " "))", "store": "\(path)"])
      let signal = await signals.first()
      logger.info("stopping", metadata: ["signal": "\(signal)"])
      controller.releaseWaiters()
      await server.shutdown()
      try await controller.stop()
      logger.info("stopped")
    } catch let error as StoreError {
      throw CommandFailure(.badInput, error.message)
    } catch let error as HTTPServerError {
      throw CommandFailure(.unexpected, error.message)
    }
  }

  private func makeLogger() -> Logger {
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    var logger = Logger(label: "parva")
    logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
    return logger
  }

  /// By the XDG base directory specification.
  private static var defaultStore: String {
    let environment = ProcessInfo.processInfo.environment
    let state = environment["XDG_STATE_HOME"] ?? ""
    let folder = state.hasPrefix("/") ? state : NSHomeDirectory() + "/.local/state"
    return folder + "/parva/controller.sqlite"
  }
}

/// Where a server may listen without credentials.
enum ListenAddress {
  /// Whether only this machine can reach the address.
  static func isLocal(_ address: String) -> Bool {
    if address.hasPrefix("unix:") { return true }
    guard let colon = address.lastIndex(of: ":") else { return false }
    let host = address[..<colon]
    if ["localhost", "[::1]"].contains(host) { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}

/// SIGTERM and SIGINT as values instead of sudden ends.
private struct StopSignals {
  private let stream: AsyncStream<String>
  private let sources: [any DispatchSourceSignal]

  init() {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    self.stream = stream
    sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.yield(name) }
      source.resume()
      return source
    }
  }

  /// The first that comes.
  func first() async -> String {
    for await name in stream { return name }
    return ""
  }
}
