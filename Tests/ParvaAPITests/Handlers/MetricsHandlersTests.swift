import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import ParvaWire
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

  @Test func everyMetricHasARowInTheDocumentsAndNoRowIsWithoutOne() async throws {
    let documented = try MetricsTable(documented: ["Controller", "Both"])
    let api = try await Harness(starts: false)
    let fresh = MetricsTable(served: await api.send("GET", "/metrics").text)
    #expect(fresh.faults(against: documented) == [])
    let busy = try await Harness { configuration in
      configuration.observing.envoys = ["http://127.0.0.1:1"]
      configuration.appliesByItself = true
    }
    try await busy.join(FleetSamples.state("one", gpus: 2))
    _ = await busy.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    _ = await busy.send("POST", "/v1/workloads", body: Bodies.workload("lost", model: "nobody"))
    _ = await busy.send("GET", "/v1/plan")
    let served = MetricsTable(served: await busy.send("GET", "/metrics").text)
    #expect(served.faults(against: documented) == [])
    #expect(served.rows.mapValues(\.type) == fresh.rows.mapValues(\.type), "what is served depends on what happens")
  }

  @Test("rows of the audit that found no room are counted")
  func lostRowsOfTheAuditAreCounted() async throws {
    let api = try await Harness(starts: false)
    let entry = AuditEntry(
      time: Samples.time, who: "w", name: "w", method: "PUT", path: "/", resource: "r", requestID: "r", status: 409,
      isChange: false)
    for _ in 0..<10_003 { api.controller.audit.note(entry) }
    let lines = await api.send("GET", "/metrics").text.split(separator: "\n")
    #expect(lines.contains("parva_audit_dropped_total 3"))
  }

  @Test("series by workload are bounded, in order of id, and the sums are of all workloads")
  func seriesByWorkloadAreBounded() async throws {
    let api = try await Harness { $0.measuredWorkloads = 2 }
    for id in ["c", "a", "d", "b"] {
      _ = await api.send("POST", "/v1/workloads", body: Bodies.workload(id))
    }
    _ = await api.send("GET", "/v1/plan")
    let lines = await api.send("GET", "/metrics").text.split(separator: "\n")
    let named = Set(lines.flatMap { $0.matches(of: #/workload="([^"]*)"/#).map { String($0.output.1) } })
    #expect(named == ["a", "b"])
    #expect(lines.contains("parva_workload_series_limit 2") && lines.contains("parva_workloads 4"))
    #expect(lines.contains(#"parva_workload_declared_requests_per_second{workload="a"} 100"#))
    #expect(lines.contains(#"parva_workload_promised_ratio{workload="b"} 0.99"#))
  }

  @Test func gpusAreCountedByProductAndState() async throws {
    let api = try await Harness()
    let gpus = [
      try FleetSamples.gpu("one", 0, instances: [(9, 0)]), try FleetSamples.gpu("one", 1),
      try FleetSamples.gpu("one", 2, mig: .init(current: false, pending: false)),
    ]
    try await api.join(FleetSamples.state("one", gpus))
    let lines = Set(await api.send("GET", "/metrics").text.split(separator: "\n").map(String.init))
    for line in [
      #"parva_gpus{product="A100-80GB",state="used"} 1"#, #"parva_gpus{product="A100-80GB",state="free"} 1"#,
      #"parva_gpus{product="A100-80GB",state="mig_mode_off"} 1"#,
      #"parva_gpus{product="A100-80GB",state="gpu_faulty"} 0"#,
      #"parva_gpu_slices{product="A100-80GB",state="allocated"} 3"#,
      #"parva_gpu_slices{product="A100-80GB",state="stranded"} 4"#,
      #"parva_gpu_slices{product="A100-80GB",state="free"} 7"#,
    ] { #expect(lines.contains(line), "\(line) is missing") }
  }
}
