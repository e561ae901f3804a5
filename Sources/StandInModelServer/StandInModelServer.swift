import ArgumentParser
import Dispatch
import Foundation
import Logging
import ParvaHTTP

/// A model server that computes nothing: it queues, forms batches and takes its time as a server of a segment does.
///
/// For trying Parva out and for its tests; every answer says that it is simulated.
@main
struct StandInModelServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "StandInModelServer",
    abstract: "SIMULATED model server: takes as long as a profile says, and computes nothing.",
    discussion: """
      One first-in first-out queue; each instance takes at most --batch of the oldest requests at once when it is free. \
      GET and POST on /, /infer and /v2/models/MODEL/infer; /healthz tells requests in flight, /metrics counts. SIGTERM: \
      what was taken is answered, new requests are refused with 503, and the server ends.
      """)

  @Option(name: .long, help: "Port to listen on; 0 takes a free one, which is told on standard error.")
  var port: Int
  @Option(name: .long, help: "Address to listen on.")
  var host = "127.0.0.1"
  @Option(name: .long, help: "Model that it stands in for.")
  var model: String
  @Option(name: .long, help: "Workload, for its answers.")
  var workload: String?
  @Option(name: .long, help: "Segment, for its answers.")
  var segment: String?
  @Option(name: .long, help: "Most requests that are executed together.")
  var batch = 1
  @Option(name: .long, help: "Model instances that share the GPU instance, which says how fast each is.")
  var processes = 1
  @Option(
    name: .long, help: "Model instances in this server (default: --processes); 1 where each process is a server.")
  var instances: Int?
  @Option(name: .long, help: "How many times longer than the profile says everything takes.")
  var drift = 1.0
  @OptionGroup var execution: ExecutionOptions

  func validate() throws {
    guard (0...65_535).contains(port) else { throw ValidationError("--port must be 0 to 65535.") }
    guard (1...4096).contains(batch) else { throw ValidationError("--batch must be 1 to 4096.") }
    guard (1...48).contains(processes), (1...48).contains(instances ?? 1) else {
      throw ValidationError("--processes and --instances must be 1 to 48.")
    }
    guard drift > 0, drift <= 1000 else { throw ValidationError("--drift must be above 0 and at most 1000.") }
  }

  func run() async throws {
    // Before anything that takes long, so that none is missed.
    let (ended, ending) = AsyncStream.makeStream(of: Void.self)
    let sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { ending.yield() }
      source.resume()
      return source
    }
    defer { for source in sources { source.cancel() } }
    let times = try execution.milliseconds(model: model, limit: batch, processes: processes)
    let simulated = SimulatedModel(
      durations: times.map { .microseconds(Int64(($0 * drift * 1000).rounded())) }, instances: instances ?? processes)
    var configuration = HTTPServer.Configuration(addresses: ["\(host):\(port)"])
    configuration.loops = 1
    let logger = Logger(label: "stand-in") { StreamLogHandler.standardError(label: $0) }
    let bound = ModelRoutes.Port(port)
    let routes = ModelRoutes(
      name: ModelRoutes.Name(model: model, workload: workload, segment: segment), port: bound, model: simulated)
    let server = HTTPServer(
      configuration: configuration, router: Router(routes: routes.routes, logger: logger), logger: logger)
    do throws(HTTPServerError) {
      let addresses = try server.start()
      for address in addresses { bound.take(from: address) }
      logger.info("SIMULATED \(model): listening on \(addresses.joined(separator: ", "))")
    } catch {
      throw ValidationError(error.message)
    }
    for await _ in ended { break }
    // Health is still told meanwhile: the node asks for it.
    await simulated.drain()
    await server.shutdown()
  }
}
