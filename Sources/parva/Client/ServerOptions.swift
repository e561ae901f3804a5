import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// Which controller a verb talks to, and how it is let in. A flag counts before the environment, that before the context.
struct ServerOptions: ParsableArguments {
  static let usualServer = "http://127.0.0.1:8080"

  @Option(
    name: [.long, .customLong("controller")],
    help: """
      The controller: http://HOST:PORT, https://HOST:PORT or unix:PATH (default: PARVA_SERVER, then the context's, then \
      \(Self.usualServer)). Of several replicas all may be given, with commas between them: the first that answers is asked.
      """)
  var server: String?

  @Option(
    name: .long, help: "Context of the configuration file (default: its current one); see parva context.",
    completion: NameCompletion.contexts)
  var context: String?

  @Option(name: .long, help: "File with the bearer token (default: PARVA_TOKEN, then the context's file).")
  var tokenFile: String?

  @Option(name: .customLong("ca"), help: "PEM of the authorities that the controller's certificate is checked against.")
  var ca: String?

  @Option(name: .long, help: "PEM of the certificate that is shown to the controller, with --key.")
  var certificate: String?

  @Option(name: .long, help: "PEM of that certificate's key.")
  var key: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How long a controller that does not answer, or has no leader, is asked again, as 10s or 2m; 0 for not at all.",
      valueName: "duration"))
  var retryFor = "10s"

  func validate() throws {
    guard patience != nil else { throw ValidationError("--retry-for must be 0, or \(TokenSpecReader.lifetimeRule).") }
    if let server, let fault = Self.fault(server) { throw ValidationError("--server '\(server)': \(fault).") }
    if (certificate == nil) != (key == nil) { throw ValidationError("--certificate and --key go together.") }
  }

  private var patience: Duration? {
    ["0", "0s"].contains(retryFor) ? .zero : TokenSpecReader.seconds(retryFor).map { .seconds($0) }
  }

  /// Each address for itself.
  static func addresses(_ server: String) -> [String] {
    server.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// Why these are no addresses of controllers; nil if they are.
  static func fault(_ servers: String) -> String? { addresses(servers).lazy.compactMap { fault(of: $0) }.first }

  private static func fault(of server: String) -> String? {
    if server.hasPrefix("unix:") { return server.count > 5 ? nil : "a path has to follow unix:" }
    return NodeSpecReader.addressFault(server)
  }

  /// - Throws: where a token that is sent to this controller could be read on the way.
  static func checkTakesToken(_ url: String) throws(CommandFailure) {
    guard url.lowercased().hasPrefix("https:") || isLoopback(url) else {
      throw CommandFailure(.badInput, "\(url): a token is sent over https, or to a loopback address; use https")
    }
  }

  private static func isLoopback(_ url: String) -> Bool {
    // The name decides, not where it points to: what resolves it may not be on this machine.
    URLComponents(string: url)?.host.map { NetworkAddress.isLoopback(host: $0) } ?? false
  }

  func connection(timeout: Duration = .seconds(60)) throws -> ServerConnection {
    let environment = ProcessInfo.processInfo.environment
    let named = environment["PARVA_SERVER"].flatMap { $0.isEmpty ? nil : $0 }
    // A server that is named outright is not the context's: neither are its secrets.
    let isNamedOutright = context == nil && (server ?? named) != nil
    let stored = isNamedOutright ? nil : try ClientContexts.load().context(named: context)
    let address = server ?? (context == nil ? named : nil) ?? stored?.server ?? Self.usualServer
    if let fault = Self.fault(address) { throw CommandFailure(.badInput, "server '\(address)': \(fault)") }
    var configuration = HTTPClientConfiguration()
    configuration.timeout = timeout
    configuration.maxResponseBytes = 512 << 20
    configuration.tls.caFile = ca ?? stored?.ca
    configuration.tls.certificateFile = certificate ?? stored?.certificate
    configuration.tls.keyFile = key ?? stored?.key
    // Which request may be sent again, and to which replica, the connection knows best.
    configuration.retries = 0
    let token = try token(stored, environment)
    let addresses = Self.addresses(address)
    if addresses.count > 1 { configuration.connectTimeout = .seconds(2) }
    let targets = try addresses.map { address in
      var configuration = configuration
      var base = address.hasSuffix("/") ? String(address.dropLast()) : address
      if address.hasPrefix("unix:") {
        configuration.unixSocketPath = String(address.dropFirst(5))
        base = "http://localhost"
      }
      if token != nil { try Self.checkTakesToken(base) }
      return ServerConnection.Target(base: base, shown: address, client: HTTPClient(configuration: configuration))
    }
    return ServerConnection(targets, token: token, home: stored?.namespace, patience: patience ?? .zero)
  }

  private func token(_ stored: ClientContext?, _ environment: [String: String]) throws -> String? {
    if tokenFile == nil, context == nil, let token = environment["PARVA_TOKEN"], !token.isEmpty { return token }
    guard let path = tokenFile ?? stored?.tokenFile else { return nil }
    let text = String(decoding: try InputSource.load(path, limit: 16 << 10).data, as: UTF8.self)
    let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !token.isEmpty, token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw CommandFailure(.badInput, "\(path): a token is one line of printable characters without spaces")
    }
    return token
  }
}
