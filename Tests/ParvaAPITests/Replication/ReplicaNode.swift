import Foundation
import Logging
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP

@testable import ParvaAPI

/// One of several controllers on one store, with its server.
final class ReplicaNode: Sendable {
  let store: SharedLog.Replica
  let host: ReplicaHost
  let server: HTTPServer
  let address: String
  let link: PeerLink
  var leader: ReplicaStanding.Leader? {
    if case .follower(let leader) = store.standing { leader } else { nil }
  }
  /// Before a controller is made.
  let building = Gate(isOpen: true)
  private let client: HTTPClient
  private let running: Task<Void, Never>

  init(
    _ log: SharedLog, needsToken: Bool = false, seal: String? = nil, options: [String: String] = [:],
    handOver: Duration = .seconds(2)
  ) async throws {
    var quiet = Logger(label: "test")
    quiet.logLevel = .critical
    let logger = quiet
    var direct = HTTPClientConfiguration()
    direct.retries = 0
    client = HTTPClient(configuration: direct)
    store = try log.replica()
    // The address is known when the server listens, the routes need it before.
    let slot = RouterSlot(Router(routes: [], logger: logger))
    server = HTTPServer(configuration: .init(addresses: ["127.0.0.1:0"]), slot: slot, logger: logger)
    address = "http://\(try server.start()[0])"
    let link = PeerLink(address: address, seal: seal.flatMap { PeerSeal(secret: $0) })
    self.link = link
    let member = ReplicaMember(address: address, options: options)
    var settings = ReplicaHost.Settings()
    settings.handOver = handOver
    host = try await ReplicaHost(
      store: store, link: link, member: member, settings: settings, slot: slot, logger: logger
    ) {
      [building] role, store, leadership async throws(StoreError) in
      await building.pass()
      var configuration: Controller.Configuration
      do {
        configuration = Controller.Configuration(planning: try Harness.builtIn)
      } catch {
        throw StoreError(.failed, "\(error)")
      }
      configuration.settle = .zero
      configuration.nodes.sharesServices = true
      configuration.webhooks.allowed = [NetworkRange("127.0.0.0/8")].compactMap(\.self)
      configuration.push.leadership = leadership
      return try await Controller(configuration: configuration, store: store, role: role, logger: logger)
    } routing: { controller, part in
      var table = RouteTable(controller)
      table.part = part
      let access = AccessControl(tokens: controller.tokens, isRequired: needsToken)
      return Router(
        routes: table.routes + part.peerRoutes(controller), logger: logger, gate: part.guarding(access.gate),
        pause: part.pausing(access.pause), fields: part.fields)
    }
    running = Task { [host] in await host.run() }
    while store.address.isEmpty { await Task.yield() }
  }

  /// Several of one log; the first leads.
  static func several(
    _ count: Int, on log: SharedLog, needsToken: Bool = false, seal: String? = nil, handOver: Duration = .seconds(2)
  ) async throws -> [ReplicaNode] {
    var nodes: [ReplicaNode] = []
    for _ in 0..<count {
      nodes.append(try await ReplicaNode(log, needsToken: needsToken, seal: seal, handOver: handOver))
    }
    await log.lead(nodes[0].store)
    try await nodes[0].until("leader")
    return nodes
  }

  func ask(
    _ method: String, _ path: String, _ body: String = "", headers: HTTPHeaders = [:]
  ) async throws -> HTTPResponse {
    var request = HTTPClientRequest(method: method, url: address + path, headers: headers, body: Data(body.utf8))
    if !body.isEmpty { request.headers["Content-Type"] = "application/json" }
    request.timeout = .seconds(60)
    return try await client.send(request)
  }

  /// Returns once the replica plays this part.
  func until(_ role: String) async throws {
    while try await ask("GET", "/healthz").headers["Parva-Role"] != role { await Task.yield() }
  }

  func end() async {
    host.releaseWaiters()
    await server.shutdown(deadline: .zero)
    try? await host.stop()
    running.cancel()
  }
}
