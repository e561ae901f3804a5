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
  package var discoveryHold = Duration.seconds(8)
  /// Judges tokens of an issuer, where one is named.
  package var issued: IssuedTokens?
  /// What the controller is among its replicas.
  package var part = ReplicaPart.alone
  /// How many event streams there may be at a time, of each kind; asked whenever one begins.
  package var streams: @Sendable () -> StreamLimits = { StreamLimits() }
  /// What `/` tells.
  package var version = ""

  /// - Parameter server: counts what the server that gets these routes has seen.
  package init(_ controller: Controller, server: ServerCounters = ServerCounters()) {
    self.controller = controller
    self.server = server
  }

  /// Every route there is, with the least role that may call it; openapi.yaml tells the same, and a test compares the two.
  package var routes: [Route] {
    let (registry, board, setup) = (controller.registry, controller.board, controller.configuration.planning)
    let rule = PreconditionRule(isRequired: requiresPreconditions)
    let workloads = WorkloadHandlers(
      registry: registry, board: board, nodes: controller.nodes, conditions: controller.conditions,
      traffic: controller.traffic, observer: controller.observer,
      now: controller.configuration.now, rule: rule)
    let set = WorkloadSetHandlers(
      registry: registry, board: board, nodes: controller.nodes, now: controller.configuration.now, rule: rule)
    let plan = PlanHandlers(
      registry: registry, nodes: controller.nodes, board: board, windows: controller.windows)
    let events = PlanEventHandlers(board: board)
    let history = PlanHistoryHandlers(store: controller.store)
    let pins = PlanPinHandlers(controller: controller)
    let preview = PreviewHandlers(
      registry: registry, nodes: controller.nodes, plan: plan, setup: setup, backend: controller.previews,
      now: controller.configuration.now, lead: controller.scheduleLead)
    let nodes = NodeHandlers(
      nodes: controller.nodes, board: board, rule: rule)
    let fleet = FleetHandlers(
      nodes: controller.nodes, pusher: controller.pusher, board: controller.board, windows: controller.windows,
      holdsRates: controller.configuration.calm != .none, lead: controller.scheduleLead)
    let operations = OperationHandlers(pusher: controller.pusher, plan: plan, windows: controller.windows)
    let windows = WindowHandlers(windows: controller.windows)
    let profiles = ProfileHandlers(
      registry: registry, setup: setup, rule: rule)
    let stream = EventHandlers(log: controller.events)
    let health = HealthHandlers(board: board, store: controller.store, version: version, part: part)
    let replicas = ReplicaHandlers(part: part)
    let dashboard = DashboardHandlers(index: health.index)
    let endpoints = EndpointHandlers(traffic: controller.traffic, registry: registry)
    let targets = TargetHandlers(nodes: controller.nodes, traffic: controller.traffic)
    let proxies = ProxyRegistry()
    let discovery = DiscoveryHandlers(
      traffic: controller.traffic, proxies: proxies, hold: discoveryHold, now: controller.configuration.now)
    let tokens = TokenHandlers(tokens: controller.tokens, registry: registry)
    let namespaces = NamespaceHandlers(
      registry: registry, tokens: controller.tokens, webhooks: controller.webhooks, events: controller.events,
      rule: rule)
    let webhooks = WebhookHandlers(webhooks: controller.webhooks, registry: registry, rule: rule)
    let audit = AuditHandlers(log: controller.audit)
    let document = OpenAPIHandlers()
    let metrics = MetricsHandlers(
      metrics: ControllerMetrics(
        controller, server: server, proxies: proxies, issued: issued, version: version, part: part))
    let open: @Sendable () -> Route.Concurrency = { [streams] in
      let limits = streams()
      return Route.Concurrency(most: limits.most, share: limits.share)
    }
    var table = [
      Route("GET", "/", .anyone, .inline(dashboard.root)),
      Route("GET", "/v1", .anyone, .inline(health.entry)),
      Route("GET", "/dashboard/{version}/{file}", .anyone, .inline(dashboard.file)),
      Route("GET", "/healthz", .anyone, .inline(health.live)),
      Route("GET", "/readyz", .anyone, .inline(health.ready)),
      Route("GET", "/metrics", .reader, .async(metrics.get)),
      Route("GET", "/openapi.yaml", .anyone, .inline(document.get)),
      Route("GET", "/openapi.json", .anyone, .async(document.getJSON)),
      Route("GET", "/docs", .anyone, .inline(dashboard.docs)),
      Route("GET", "/v1/workloads", .reader.orItsNamespace, .async(set.list)),
      Route("POST", "/v1/workloads", .operator.orItsNamespace, .begun(workloads.create)),
      Route("PUT", "/v1/workloads", .operator.orItsNamespace, bodyLimit: InputLimits.fileBytes, .async(set.replaceAll)),
      Route("PATCH", "/v1/workloads", .operator.orItsNamespace, bodyLimit: InputLimits.fileBytes, .async(set.patch)),
      Route(
        "POST", "/v1/workloads/batch", .operator.orItsNamespace, bodyLimit: InputLimits.fileBytes,
        .async(set.createBatch)),
      Route("GET", "/v1/workloads/{id}", .reader.orItsNamespace, .inline(workloads.get)),
      Route("PUT", "/v1/workloads/{id}", .operator.orItsNamespace, .async(workloads.put)),
      Route("PATCH", "/v1/workloads/{id}", .operator.orItsNamespace, .async(workloads.patch)),
      Route("DELETE", "/v1/workloads/{id}", .operator.orItsNamespace, .async(workloads.delete)),
      Route("GET", "/v1/workloads/{id}/segments", .reader.orItsNamespace, .async(workloads.segments)),
      Route("GET", "/v1/workloads/{id}/history", .reader.orItsNamespace, .async(workloads.history)),
      Route("GET", "/v1/profiles", .reader.orItsNamespace, .async(profiles.list)),
      Route("GET", "/v1/profiles/{model}", .reader.orItsNamespace, .async(profiles.get)),
      Route(
        "PUT", "/v1/profiles/{model}", .operator.orItsNamespace, bodyLimit: ProfileHandlers.bodyLimit,
        .async(profiles.put)),
      Route("DELETE", "/v1/profiles/{model}", .operator.orItsNamespace, .async(profiles.delete)),
      Route("GET", "/v1/plan", .reader.orItsNamespace, .begun(plan.get)),
      Route(
        "GET", "/v1/plan/events", .reader.orItsNamespace, shared: open,
        .async(events.stream)),
      Route(
        "POST", "/v1/plan/preview", .reader.orItsNamespace, bodyLimit: InputLimits.fileBytes,
        shared: { PreviewHandlers.places }, .async(preview.post)),
      Route("GET", "/v1/plan/pin", .reader, .inline(pins.get)),
      Route("POST", "/v1/plan/pin", .operator, .async(pins.pin)),
      Route("DELETE", "/v1/plan/pin", .operator, .async(pins.release)),
      Route("GET", "/v1/plans", .reader, .async(history.list)),
      Route("GET", "/v1/plans/{revision}", .reader, .async(history.get)),
      Route("POST", "/v1/plans/{revision}/rollback", .operator, .async(pins.bringBack)),
      Route("GET", "/v1/plans/{a}/diff/{b}", .reader, .async(history.diff)),
      Route("POST", "/v1/plan/apply", .operator, .async(operations.apply)),
      Route("GET", "/v1/windows", .reader, .inline(windows.list)),
      Route("GET", "/v1/windows/{name}", .reader, .inline(windows.get)),
      Route("PUT", "/v1/windows/{name}", .operator, .async(windows.put)),
      Route("DELETE", "/v1/windows/{name}", .operator, .async(windows.delete)),
      Route("GET", "/v1/operations", .reader, .async(operations.list)),
      Route("GET", "/v1/operations/{id}", .reader, .async(operations.get)),
      Route("POST", "/v1/operations/{id}/pause", .operator, .async(operations.control(.pause))),
      Route("POST", "/v1/operations/{id}/resume", .operator, .async(operations.control(.resume))),
      Route("POST", "/v1/operations/{id}/abort", .operator, .async(operations.control(.abort))),
      Route("POST", "/v1/operations/{id}/rollback", .operator, .async(operations.control(.rollback))),
      Route("GET", "/v1/nodes", .reader, .async(nodes.list)),
      Route("GET", "/v1/nodes/{name}", .reader.orItsNode, .async(nodes.get)),
      Route("PUT", "/v1/nodes/{name}", .operator.orItsNode, .async(nodes.put)),
      Route("DELETE", "/v1/nodes/{name}", .operator, .async(nodes.delete)),
      Route("POST", "/v1/nodes/{name}/cordon", .operator, .async(nodes.set(.cordoned))),
      Route("POST", "/v1/nodes/{name}/uncordon", .operator, .async(nodes.set(.inService))),
      Route("POST", "/v1/nodes/{name}/maintenance", .operator, .async(nodes.set(.maintenance))),
      Route("POST", "/v1/nodes/{name}/return", .operator, .async(nodes.set(.inService))),
      Route(
        "POST", "/v1/nodes/{name}/status", .operator.orItsNode.heartbeat, bodyLimit: NodeStateReader.bytes,
        .async(nodes.heartbeat)),
      Route(
        "GET", "/v1/events", .reader.orItsNamespace, shared: open,
        .async(stream.stream)),
      Route("GET", "/v1/fleet", .reader, .inline(fleet.get)),
      Route("POST", "/v1/fleet/accept-silence", .operator, .async(fleet.acceptSilence)),
      Route("GET", "/v1/endpoints", .reader.orItsNamespace, .async(endpoints.list)),
      Route(
        "GET", "/v1/endpoints/events", .reader.orItsNamespace, shared: open,
        .async(endpoints.stream)),
      Route("GET", "/v1/workloads/{id}/endpoints", .reader.orItsNamespace, .async(endpoints.ofWorkload)),
      Route("PUT", "/v1/segments/{id}/endpoints", .operator.orItsNamespace, .async(endpoints.put)),
      Route("GET", "/v1/proxies", .reader, .inline(discovery.list)),
      Route("GET", "/v1/namespaces", .reader.orItsNamespace, .inline(namespaces.list)),
      Route("POST", "/v1/namespaces", .admin, .async(namespaces.create)),
      Route("GET", "/v1/namespaces/{name}", .reader.orItsNamespace, .inline(namespaces.get)),
      Route("PUT", "/v1/namespaces/{name}", .admin, .async(namespaces.put)),
      Route("DELETE", "/v1/namespaces/{name}", .admin, .async(namespaces.delete)),
      Route("GET", "/v1/tokens", .auditor, .inline(tokens.list)),
      Route("POST", "/v1/tokens", .admin, .async(tokens.create)),
      Route("GET", "/v1/tokens/{id}", .auditor, .inline(tokens.get)),
      Route("DELETE", "/v1/tokens/{id}", .admin, .async(tokens.revoke)),
      Route("GET", "/v1/webhooks", .reader.orItsNamespace, .async(webhooks.list)),
      Route("POST", "/v1/webhooks", .operator.orItsNamespace, .async(webhooks.create)),
      Route("GET", "/v1/webhooks/{id}", .reader.orItsNamespace, .async(webhooks.get)),
      Route("PUT", "/v1/webhooks/{id}", .operator.orItsNamespace, .async(webhooks.put)),
      Route("PATCH", "/v1/webhooks/{id}", .operator.orItsNamespace, .async(webhooks.patch)),
      Route("DELETE", "/v1/webhooks/{id}", .operator.orItsNamespace, .async(webhooks.delete)),
      Route("GET", "/v1/webhooks/{id}/deliveries", .reader.orItsNamespace, .inline(webhooks.deliveries)),
      Route("GET", "/v1/webhooks/{id}/dead-letters", .reader.orItsNamespace, .async(webhooks.deadLetters)),
      Route("POST", "/v1/webhooks/{id}/replay", .operator.orItsNamespace, .async(webhooks.replay)),
      Route("POST", "/v1/webhooks/{id}/rotate-secret", .operator.orItsNamespace, .async(webhooks.rotate)),
      Route(
        "POST", "/v1/webhooks/{id}/test", .operator.orItsNamespace, concurrency: WebhookHandlers.mostTests,
        .async(webhooks.test)),
      Route("GET", "/v1/audit", .auditor, concurrency: AuditHandlers.mostExports, .async(audit.list)),
      Route("GET", "/v1/whoami", .anyCaller, .inline(tokens.whoami)),
      Route("GET", "/v1/prometheus-targets", .reader, .inline(targets.get)),
      Route("GET", "/v1/replicas", .reader, .inline(replicas.list)),
    ]
    // A dry run of it tells the way that it would go, and needs no store for that.
    for index in table.indices where table[index].pattern == "/v1/plan/apply" { table[index].triesItself = true }
    let asked = EnvoyType.allCases.map { type in
      var route = Route(
        "POST", "/v3/discovery:\(type.rawValue)", .reader, bodyLimit: DiscoveryRequest.bytes,
        .begun(discovery.discover(type)))
      route.takesLargeBodiesOnLoop = true
      return route
    }
    let recorder = AuditRecorder(log: controller.audit, now: controller.configuration.now) { [part] in part.isSure }
    let tracer = controller.configuration.tracer
    // Heartbeats and proxies ask all the time.
    let traced =
      table.map { $0.traced(by: tracer, isFrequent: $0.pattern == "/v1/nodes/{name}/status") }
      + asked.map { $0.traced(by: tracer, isFrequent: true) }
    return traced.map { metrics.measured(part.placed(recorder.recorded($0))) }
  }
}
