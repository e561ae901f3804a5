import ParvaFormats
package import ParvaHTTP

extension Controller {
  /// Every route there is; openapi.yaml tells the same, and a test compares the two.
  package var routes: [Route] {
    let workloads = WorkloadHandlers(
      registry: registry, board: board, requiresPreconditions: configuration.requiresPreconditions)
    let set = WorkloadSetHandlers(
      registry: registry, board: board, requiresPreconditions: configuration.requiresPreconditions)
    let plan = PlanHandlers(registry: registry, board: board)
    let events = PlanEventHandlers(board: board)
    let health = HealthHandlers(board: board, version: configuration.version)
    let document = OpenAPIHandlers()
    let metrics = MetricsHandlers(metrics: metrics, registry: registry, board: board)
    let table = [
      Route("GET", "/", .inline(health.index)),
      Route("GET", "/healthz", .inline(health.live)),
      Route("GET", "/readyz", .inline(health.ready)),
      Route("GET", "/metrics", .inline(metrics.get)),
      Route("GET", "/openapi.yaml", .inline(document.get)),
      Route("GET", "/v1/workloads", .async(set.list)),
      Route("POST", "/v1/workloads", .async(workloads.create)),
      Route("PUT", "/v1/workloads", bodyLimit: InputLimits.fileBytes, .async(set.replaceAll)),
      Route("POST", "/v1/workloads/batch", bodyLimit: InputLimits.fileBytes, .async(set.createBatch)),
      Route("GET", "/v1/workloads/{id}", .inline(workloads.get)),
      Route("PUT", "/v1/workloads/{id}", .async(workloads.put)),
      Route("PATCH", "/v1/workloads/{id}", .async(workloads.patch)),
      Route("DELETE", "/v1/workloads/{id}", .async(workloads.delete)),
      Route("GET", "/v1/plan", .ready(plan.getReady, otherwise: plan.get)),
      Route("GET", "/v1/plan/events", concurrency: PlanEventHandlers.mostStreams, .async(events.stream)),
    ]
    return table.map(metrics.measured)
  }
}
