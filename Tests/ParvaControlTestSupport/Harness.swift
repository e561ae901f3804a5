import Foundation
import Logging
import ParvaAPI
package import ParvaControl
import ParvaEngine
import ParvaFormats
package import ParvaHTTP
import Testing

/// A controller over a store of its own, spoken to through its routes.
package final class Harness: Sendable {
  package let folder: TemporaryFolder
  package let controller: Controller
  package let router: Router
  package let store: SQLiteStore

  /// - Parameter folder: of an earlier harness, to see what a restart keeps.
  package init(
    folder: TemporaryFolder? = nil, planning: PlanningSetup? = nil, starts: Bool = true, log: LogRecorder? = nil,
    requiresPreconditions: Bool = false, discoveryHold: Duration = .zero,
    _ configure: (inout Controller.Configuration) -> Void = { _ in }, storing: (any Store) -> any Store = { $0 }
  ) async throws {
    self.folder = try folder ?? TemporaryFolder()
    var configuration = Controller.Configuration(planning: try planning ?? Self.builtIn)
    // Most tests change the fleet and want the plan at once.
    configuration.settle = .zero
    // Agents that are made up send no heartbeats by themselves.
    configuration.push.wordTimeout = .zero
    // Nobody listens to what tests tell, unless they do themselves.
    configuration.webhooks.allowed = [NetworkRange("127.0.0.0/8")].compactMap(\.self)
    configuration.webhooks.firstPause = .seconds(60)
    configure(&configuration)
    var quiet = log.map { log in Logger(label: "test") { _ in log } } ?? Logger(label: "test")
    quiet.logLevel = log == nil ? .critical : .info
    store = try SQLiteStore(path: self.folder.file("parva.sqlite"))
    controller = try await Controller(configuration: configuration, store: storing(store), logger: quiet)
    var table = RouteTable(controller)
    table.requiresPreconditions = requiresPreconditions
    table.discoveryHold = discoveryHold
    router = Router(routes: table.routes, logger: quiet)
    if starts { controller.start() }
  }

  /// What any test has worked out serves all.
  private static let capacities = CapacityCache()

  /// The built-in catalogue on A100-80GB, by the rule that takes no time; what is certified is the engine's to test.
  package static var builtIn: PlanningSetup {
    get throws {
      let product = try Samples.product("A100-80GB")
      var setup = PlanningSetup(
        planner: Planners.default, pools: [Pool(product: product)], catalogue: BuiltInCatalogue.catalogue,
        options: PlanningOptions(admission: .halfSLO))
      setup.capacities = capacities
      return setup
    }
  }

  /// Answers one request; an answer that openapi.yaml does not describe is an issue of the test.
  package func send(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [], _ headers: HTTPHeaders = [:],
    body: String = "", as caller: Caller? = nil
  ) async -> HTTPResponse {
    var request = HTTPRequest(method: method, path: path, query: query, headers: headers, body: Data(body.utf8))
    request.caller = caller
    let response = await router.respond(to: request)
    if let route = router.route(method: method, path: path) {
      let operation = "\(route.method) \(route.pattern)"
      do {
        for fault in try APIDescription.own.get().faults(in: response, to: operation) {
          Issue.record("openapi.yaml does not tell all of an answer to \(operation): \(fault)")
        }
      } catch {
        Issue.record(error)
      }
    }
    return response
  }

  /// Stops the controller and starts another over the same store.
  package func restarted(
    _ configure: (inout Controller.Configuration) -> Void = { _ in }
  ) async throws -> Harness {
    try await controller.stop()
    return try await Harness(folder: folder, configure)
  }
}

extension HTTPResponse {
  package var text: String { String(decoding: body, as: UTF8.self) }

  /// The JSON value at a path of keys and indices, as `description` writes it; nil where there is none.
  package func json(_ path: String...) -> String? {
    var value: Any? = try? JSONSerialization.jsonObject(with: body)
    for step in path {
      if let list = value as? [Any] {
        value = Int(step).flatMap { list.indices.contains($0) ? list[$0] : nil }
      } else {
        value = (value as? [String: Any])?[step]
      }
    }
    return value.flatMap { $0 is NSNull ? nil : "\($0)" }
  }

  /// Status and code of a problem, for one-line expectations.
  package var problem: String {
    headers["Content-Type"] == "application/problem+json" ? "\(status) \(json("code") ?? "-")" : "\(status)"
  }
}

/// Bodies that tests send.
package enum Bodies {
  package static func workload(
    _ id: String, model: String = "resnet50", rate: Double = 100, latencyMs: Double = 200, labels: String = "{}"
  ) -> String {
    #"{"id":"\#(id)","model":"\#(model)","rate":\#(rate),"slo":{"latencyMs":\#(latencyMs)},"labels":\#(labels)}"#
  }

  package static func batch(_ workloads: String...) -> String {
    #"{"workloads":[\#(workloads.joined(separator: ","))]}"#
  }
}
