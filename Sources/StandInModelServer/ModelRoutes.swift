import Foundation
import ParvaHTTP
import ParvaServing
import Synchronization

/// What a stand-in server answers. Every answer says that nothing was computed.
struct ModelRoutes: Sendable {
  struct Name: Codable, Sendable {
    var model: String
    var workload: String?
    var segment: String?
  }

  private struct Result: Encodable {
    var simulated = true
    var model: String
    var workload: String?
    var segment: String?
    var port: Int
    var batch: Int
    var waitedMs: Double
    var executedMs: Double
  }

  private struct HealthDocument: Encodable {
    var simulated = true
    var model: String
    var status: String
    var inFlight: Int
  }

  /// The port that it listens on, which is known only once it listens.
  final class Port: Sendable {
    private let state: Mutex<Int>

    init(_ number: Int) { state = Mutex(number) }

    var number: Int { state.withLock { $0 } }

    /// Takes it from an address that is listened on.
    func take(from address: String) {
      guard let text = address.split(separator: ":").last, let number = Int(text) else { return }
      state.withLock { $0 = number }
    }
  }

  let name: Name
  let port: Port
  let model: SimulatedModel

  /// Requests go to any of three paths: the root, which a balancer that rewrites prefixes asks for, `/infer`, and the path of
  /// KServe's inference protocol.
  var routes: [Route] {
    ["/", "/infer", "/v2/models/{model}/infer"].flatMap { path in
      ["GET", "POST"].map { Route($0, path, bodyLimit: 16 << 20, .async(infer)) }
    } + [Route("GET", "/healthz", .inline(health)), Route("GET", "/metrics", .inline(metrics))]
  }

  private func infer(_ request: HTTPRequest) async throws -> HTTPResponse {
    if let asked = request.pathParameters["model"], asked != name.model {
      throw ProblemDetails(status: 404, code: "unknown_model", detail: "This server stands in for \(name.model).")
    }
    guard let answer = await model.serve() else {
      // The connection goes too, so that a balancer does not keep it for the next request.
      throw ProblemDetails(
        status: 503, code: "draining", detail: "This server ends and takes nothing new.",
        headers: ["Connection": "close", "Retry-After": "1"])
    }
    return try .json(
      200,
      Result(
        model: name.model, workload: name.workload, segment: name.segment, port: port.number, batch: answer.batch,
        waitedMs: Self.milliseconds(answer.waited), executedMs: Self.milliseconds(answer.executed)))
  }

  /// 503 while it drains: it is to get nothing new. `inFlight` tells the node when it may end.
  private func health(_ request: HTTPRequest) throws -> HTTPResponse {
    let counts = model.counts
    return try .json(
      counts.isDraining ? 503 : 200,
      HealthDocument(
        model: name.model, status: counts.isDraining ? "draining" : "ready", inFlight: counts.inFlight))
  }

  private func metrics(_ request: HTTPRequest) -> HTTPResponse {
    let counts = model.counts
    let labels = ["model": name.model, "workload": name.workload ?? "", "segment": name.segment ?? ""]
    var text = MetricsText()
    for (suffix, kind, help, value) in [
      ("requests_total", "counter", "Requests answered.", counts.served),
      ("refused_total", "counter", "Requests refused while draining.", counts.refused),
      ("batches_total", "counter", "Batches executed.", counts.batches),
      ("waiting", "gauge", "Requests that wait.", counts.waiting),
      ("in_flight", "gauge", "Requests that came and are not answered.", counts.inFlight),
    ] {
      text.family("parva_stand_in_" + suffix, kind, help) { $0.sample(labels, Double(value)) }
    }
    text.family("parva_stand_in_sojourn_seconds", "histogram", "From coming to answer.") {
      $0.histogram(labels, counts.sojourns)
    }
    return .metrics(text.text)
  }

  private static func milliseconds(_ duration: Duration) -> Double {
    (duration.seconds * 1e6).rounded() / 1e3
  }
}
