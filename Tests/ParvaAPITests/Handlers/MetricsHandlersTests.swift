import ParvaControlTestSupport
import ParvaHTTP
import Testing

@Suite struct MetricsHandlersTests {
  @Test func requestsAndPlansAreCounted() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("lost", model: "nobody"))
    _ = await api.send("GET", "/v1/plan")
    let response = await api.send("GET", "/metrics")
    #expect(response.headers["Content-Type"]?.hasPrefix("text/plain; version=0.0.4") == true)
    let lines = Set(response.text.split(separator: "\n").map(String.init))
    for line in [
      "# TYPE parva_http_requests_total counter",
      #"parva_http_requests_total{method="POST",route="/v1/workloads",status="201"} 2"#,
      #"parva_http_requests_total{method="POST",route="/v1/workloads",status="409"} 1"#,
      #"parva_http_request_duration_seconds_count{method="POST",route="/v1/workloads"} 3"#,
      #"parva_http_request_duration_seconds_bucket{le="+Inf",method="POST",route="/v1/workloads"} 3"#,
      "parva_workloads 2", "parva_demand_revision 2", "parva_plan_gpus 1", "parva_plan_unserved_workloads 1",
      "parva_planning_failures_total 0",
    ] { #expect(lines.contains(line), "\(line) is missing") }
  }
}
