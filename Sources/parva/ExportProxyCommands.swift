import ArgumentParser
import ParvaFormats

/// `parva export haproxy`: a whole configuration that commands keep up to date.
struct ExportHAProxyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "haproxy",
    abstract: "Write the configuration of an HAProxy before a controller's servers.",
    discussion: """
      Start it with haproxy -f FILE, and keep it as the controller tells by parva proxy haproxy --watch. Requests to it \
      name their workload by the header x-parva-workload or by a path below /w/ID.
      """)

  static let defaultSocket = "/run/haproxy/parva.sock"

  @Option(name: .long, help: "Where the HAProxy listens.")
  var listenAddress = "0.0.0.0"
  @Option(name: .long, help: "Port that the HAProxy listens on.")
  var listenPort = 10_000
  @Option(name: .long, help: "Path of the socket on which it takes commands.")
  var socket = Self.defaultSocket
  @Option(
    name: .long, help: "Least slots for servers of each workload; it has twice as many as servers where that is more.")
  var slots = 8

  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard (1...65_535).contains(listenPort) else { throw ValidationError("--listen-port must be 1 to 65535.") }
    guard (1...HAProxyFile.mostSlots).contains(slots) else {
      throw ValidationError("--slots must be 1 to \(HAProxyFile.mostSlots).")
    }
    guard ToldEndpointsReader.isIPAddress(listenAddress) else {
      throw ValidationError("--listen-address must be an IP address without brackets.")
    }
    try HAProxySocket.check(socket)
  }

  func run() async throws {
    let (workloads, version) = try await server.connection().proxied()
    let file = HAProxyFile(listenAddress: listenAddress, listenPort: listenPort, socket: socket, slots: slots)
    guard let text = file.text(workloads, version: version) else {
      throw CommandFailure(
        .checkFailed,
        "a workload has more than \(HAProxyFile.mostSlots) servers, the most that HAProxy takes turns over")
    }
    try Console.write(text)
  }
}

/// `parva export nginx`: upstreams.
struct ExportNginxCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nginx",
    abstract: "Write the upstreams of an nginx before a controller's servers.",
    discussion: "To be included in http { }, and to be written anew and reloaded when the endpoints change.")

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let (workloads, version) = try await server.connection().proxied()
    try Console.write(NginxFile.text(workloads, version: version))
  }
}
