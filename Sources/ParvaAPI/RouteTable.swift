package import ParvaControl
import ParvaEngine
import ParvaFormats
package import ParvaHTTP
package import ParvaServing

/// How a controller is spoken to: every route in one table.
package struct RouteTable: Sendable {
  private let controller: Controller
  private let server: ServerCounters
  /// Whether changes of what exists must carry If-Match.
  package var requiresPreconditions = false
  /// How long an Envoy that holds what there is may wait for another; shorter than its `request_timeout`.
  package var discoveryHold = Duration.seconds(4)
  /// What `/` tells.
  package var version = ""

  /// - Parameter server: counts what the server that gets these routes has seen.
  package init(_ controller: Controller, server: ServerCounters = ServerCounters()) {
    self.controller = controller
    self.server = server
  }

  /// Every route there is; openapi.yaml tells the same, and a test compares the two.
  package var routes: [Route] {
    let (registry, board, setup) = (controller.registry, controller.board, controller.configuration.planning)
    let rule = PreconditionRule(isRequired: requiresPreconditions)
    let workloads = WorkloadHandlers(
      registry: registry, board: board, nodes: controller.nodes, conditions: controller.conditions,
      traffic: controller.traffic, observer: controller.observer, rule: rule)
    let set = WorkloadSetHandlers(
      registry: registry, board: board, nodes: controller.nodes, rule: rule)
    let plan = PlanHandlers(registry: registry, nodes: controller.nodes, board: board)
    let events = PlanEventHandlers(board: board)
    let history = PlanHistoryHandlers(store: controller.store)
    let preview = PreviewHandlers(
      registry: registry, nodes: controller.nodes, plan: plan, setup: setup, backend: controller.previews)
    let nodes = NodeHandlers(
      nodes: controller.nodes, board: board, rule: rule)
    let fleet = FleetHandlers(
      nodes: controller.nodes, pusher: controller.pusher, board: controller.board,
      holdsRates: controller.configuration.calm != .none)
    let operations = OperationHandlers(pusher: controller.pusher, plan: plan)
    let profiles = ProfileHandlers(
      registry: registry, setup: setup, rule: rule)
    let stream = EventHandlers(log: controller.events)
    let health = HealthHandlers(board: board, store: controller.store, version: version)
    let dashboard = DashboardHandlers(index: health.index)
    let endpoints = EndpointHandlers(traffic: controller.traffic, registry: registry)
    let targets = TargetHandlers(nodes: controller.nodes, traffic: controller.traffic)
    let proxies = ProxyRegistry()
    let discovery = DiscoveryHandlers(
      traffic: controller.traffic, proxies: proxies, hold: discoveryHold, now: controller.configuration.now)
    let document = OpenAPIHandlers()
    let metrics = MetricsHandlers(metrics: ControllerMetrics(controller, server: server, proxies: proxies))
    let table = [
      Route("GET", "/", .inline(dashboard.root)),
      Route("GET", "/v1", .inline(health.entry)),
      Route("GET", "/dashboard/{version}/{file}", .inline(dashboard.file)),
      Route("GET", "/healthz", .inline(health.live)),
      Route("GET", "/readyz", .inline(health.ready)),
      Route("GET", "/metrics", .inline(metrics.get)),
      Route("GET", "/openapi.yaml", .inline(document.get)),
      Route("GET", "/v1/workloads", .async(set.list)),
      Route("POST", "/v1/workloads", .begun(workloads.create)),
      Route("PUT", "/v1/workloads", bodyLimit: InputLimits.fileBytes, .async(set.replaceAll)),
      Route("PATCH", "/v1/workloads", bodyLimit: InputLimits.fileBytes, .async(set.patch)),
      Route("POST", "/v1/workloads/batch", bodyLimit: InputLimits.fileBytes, .async(set.createBatch)),
      Route("GET", "/v1/workloads/{id}", .inline(workloads.get)),
      Route("PUT", "/v1/workloads/{id}", .async(workloads.put)),
      Route("PATCH", "/v1/workloads/{id}", .async(workloads.patch)),
      Route("DELETE", "/v1/workloads/{id}", .async(workloads.delete)),
      Route("GET", "/v1/workloads/{id}/segments", .async(workloads.segments)),
      Route("GET", "/v1/profiles", .async(profiles.list)),
      Route("GET", "/v1/profiles/{model}", .async(profiles.get)),
      Route("PUT", "/v1/profiles/{model}", bodyLimit: ProfileHandlers.bodyLimit, .async(profiles.put)),
      Route("DELETE", "/v1/profiles/{model}", .async(profiles.delete)),
      Route("GET", "/v1/plan", .begun(plan.get)),
      Route("GET", "/v1/plan/events", concurrency: EventStream.most, .async(events.stream)),
      Route(
        "POST", "/v1/plan/preview", bodyLimit: InputLimits.fileBytes, concurrency: PreviewHandlers.mostAtATime,
        .async(preview.post)),
      Route("GET", "/v1/plans", .async(history.list)),
      Route("GET", "/v1/plans/{revision}", .async(history.get)),
      Route("GET", "/v1/plans/{a}/diff/{b}", .async(history.diff)),
      Route("POST", "/v1/plan/apply", .async(operations.apply)),
      Route("GET", "/v1/operations", .async(operations.list)),
      Route("GET", "/v1/operations/{id}", .async(operations.get)),
      Route("POST", "/v1/operations/{id}/pause", .async(operations.control(.pause))),
      Route("POST", "/v1/operations/{id}/resume", .async(operations.control(.resume))),
      Route("POST", "/v1/operations/{id}/abort", .async(operations.control(.abort))),
      Route("POST", "/v1/operations/{id}/rollback", .async(operations.control(.rollback))),
      Route("GET", "/v1/nodes", .async(nodes.list)),
      Route("GET", "/v1/nodes/{name}", .async(nodes.get)),
      Route("PUT", "/v1/nodes/{name}", .async(nodes.put)),
      Route("DELETE", "/v1/nodes/{name}", .async(nodes.delete)),
      Route("POST", "/v1/nodes/{name}/cordon", .async(nodes.set(.cordoned))),
      Route("POST", "/v1/nodes/{name}/uncordon", .async(nodes.set(.inService))),
      Route("POST", "/v1/nodes/{name}/maintenance", .async(nodes.set(.maintenance))),
      Route("POST", "/v1/nodes/{name}/return", .async(nodes.set(.inService))),
      Route("POST", "/v1/nodes/{name}/status", bodyLimit: NodeStateReader.bytes, .async(nodes.heartbeat)),
      Route("GET", "/v1/events", concurrency: EventStream.most, .async(stream.stream)),
      Route("GET", "/v1/fleet", .inline(fleet.get)),
      Route("POST", "/v1/fleet/accept-silence", .async(fleet.acceptSilence)),
      Route("GET", "/v1/endpoints", .async(endpoints.list)),
      Route(
        "GET", "/v1/endpoints/events", concurrency: EventStream.most, .async(endpoints.stream)),
      Route("GET", "/v1/workloads/{id}/endpoints", .async(endpoints.ofWorkload)),
      Route("PUT", "/v1/segments/{id}/endpoints", .async(endpoints.put)),
      Route("GET", "/v1/proxies", .inline(discovery.list)),
      Route("GET", "/v1/prometheus-targets", .inline(targets.get)),
    ]
    let asked = EnvoyType.allCases.map { type in
      var route = Route(
        "POST", "/v3/discovery:\(type.rawValue)", bodyLimit: DiscoveryHandlers.bodyLimit,
        .begun(discovery.discover(type)))
      route.takesLargeBodiesOnLoop = true
      return route
    }
    return (table + asked).map(metrics.measured)
  }
}
