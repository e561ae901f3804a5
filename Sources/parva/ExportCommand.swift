import ArgumentParser
import Foundation
import ParvaAPI
import ParvaFormats

/// `parva export`: what other programs read.
struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write configurations of other programs.",
    subcommands: [ExportEnvoyBootstrapCommand.self, ExportHAProxyCommand.self, ExportNginxCommand.self])
}

/// `parva export envoy-bootstrap`: an Envoy that asks the controller for everything.
struct ExportEnvoyBootstrapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "envoy-bootstrap",
    abstract: "Write the bootstrap of an Envoy that knows nothing but where its controller is.",
    discussion: """
      JSON; start it with envoy --config-path FILE.json. Requests to it name their workload by the header \
      x-parva-workload or by a path below /w/ID.
      """)

  @Option(
    name: .long,
    help: """
      URL of the controller, for example http://127.0.0.1:8080. Of several replicas all may be given, again or with commas \
      between them: the first is asked, and each other while those before it do not answer.
      """)
  var controller: [String]
  @Option(name: .long, help: "Where the Envoy listens.")
  var listenAddress = "0.0.0.0"
  @Option(name: .long, help: "Port that the Envoy listens on.")
  var listenPort = DiscoveryRequest.port
  @Option(name: .long, help: "Port of the Envoy's admin interface, on 127.0.0.1 (default: none).")
  var adminPort: Int?
  @Option(
    name: .long, help: "Name of the Envoy in GET /v1/proxies; one of its own for each (default: the host's name).")
  var id: String?
  @Option(name: .long, help: "PEM of the authorities that the controller's certificate is checked against.")
  var ca: String?
  @Option(
    name: .long,
    help: """
      File with a bearer token of scope read. The bootstrap holds it as text, so keep that file as the token; the \
      controller must be https:// or on a loopback address.
      """)
  var tokenFile: String?

  func validate() throws {
    for (name, port) in [("--listen-port", listenPort), ("--admin-port", adminPort ?? 1)]
    where !(1...65_535).contains(port) {
      throw ValidationError("\(name) must be 1 to 65535.")
    }
    guard ToldEndpointsReader.isIPAddress(listenAddress) else {
      throw ValidationError("--listen-address must be an IP address without brackets.")
    }
    guard (1...16).contains(urls.count) else { throw ValidationError("--controller takes 1 to 16 URLs.") }
    for url in urls {
      if let fault = NodeSpecReader.addressFault(url) { throw ValidationError("--controller: \(fault).") }
    }
  }

  private var urls: [String] {
    controller.flatMap { $0.split(separator: ",") }.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  private static func controller(_ url: String) throws -> EnvoyBootstrap.Controller {
    let parts = URLComponents(string: url)
    let usesTLS = parts?.scheme?.lowercased() == "https"
    guard var host = parts?.host, parts?.path.isEmpty ?? true || parts?.path == "/" else {
      throw CommandFailure(.badInput, "--controller must be a URL without a path: Envoy asks below /v3")
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    return EnvoyBootstrap.Controller(host: host, port: parts?.port ?? (usesTLS ? 443 : 80), usesTLS: usesTLS)
  }

  func run() throws {
    let controllers = try urls.map(Self.controller)
    if ca != nil && !controllers.allSatisfy(\.usesTLS) {
      throw CommandFailure(.badInput, "--ca needs an https:// controller")
    }
    var token: String?
    if let tokenFile {
      for url in urls { try ServerOptions.checkTakesToken(url) }
      guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8) else {
        throw CommandFailure(.badInput, "\(tokenFile) cannot be read as text")
      }
      token = text.trimmingCharacters(in: .whitespacesAndNewlines)
      if token?.contains(where: { $0.isWhitespace || $0.isNewline }) != false || token?.isEmpty != false {
        throw CommandFailure(.badInput, "\(tokenFile) must hold one token and nothing else")
      }
    }
    let bootstrap = EnvoyBootstrap(
      controllers: controllers, caFile: ca, token: token,
      id: id ?? ProcessInfo.processInfo.hostName, listenAddress: listenAddress, listenPort: listenPort,
      adminPort: adminPort)
    try Console.write(try bootstrap.data())
  }
}
