import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import Testing

/// A request that changes something, on a controller on which those before it were done.
struct ChangingRequest {
  var operation: String
  var path: String
  var body = ""
  var resource: String
  /// Whether the resource is there before and after.
  var before = true
  var after = true

  init(
    _ operation: String, _ path: String, _ body: String = "", _ resource: String, before: Bool = true,
    after: Bool = true
  ) {
    self.operation = operation
    self.path = path
    self.body = body
    self.resource = resource
    self.before = before
    self.after = after
  }
}

extension ChangingRequest {
  private static let profile =
    #"{"model":"tiny","product":"A100-80GB","source":"measured","points":"#
    + #"[{"profile":"1g.10gb","batch":1,"processes":1,"throughput":9,"latencyMs":9}]}"#

  static let all = [
    ChangingRequest("POST /v1/workloads", "/v1/workloads", Bodies.workload("new"), "workloads/new", before: false),
    ChangingRequest(
      "POST /v1/workloads/batch", "/v1/workloads/batch",
      Bodies.batch(Bodies.workload("b1"), Bodies.workload("b2")), "workloads"),
    ChangingRequest(
      "PUT /v1/workloads/{id}", "/v1/workloads/put", Bodies.workload("put"), "workloads/put", before: false),
    ChangingRequest("PUT /v1/workloads/{id}", "/v1/workloads/put", Bodies.workload("put", rate: 3), "workloads/put"),
    ChangingRequest("PATCH /v1/workloads/{id}", "/v1/workloads/put", #"{"rate":4}"#, "workloads/put"),
    ChangingRequest("PATCH /v1/workloads", "/v1/workloads", #"[{"id":"b1","rate":5}]"#, "workloads"),
    ChangingRequest("DELETE /v1/workloads/{id}", "/v1/workloads/put", "", "workloads/put", after: false),
    ChangingRequest("PUT /v1/workloads", "/v1/workloads", Bodies.batch(Bodies.workload("only")), "workloads"),
    ChangingRequest("PUT /v1/profiles/{model}", "/v1/profiles/tiny", profile, "profiles/tiny", before: false),
    ChangingRequest(
      "PUT /v1/profiles/{model}", "/v1/profiles/tiny", profile.replacing(":9,", with: ":8,"), "profiles/tiny"),
    ChangingRequest("DELETE /v1/profiles/{model}", "/v1/profiles/tiny", "", "profiles/tiny", after: false),
    ChangingRequest(
      "PUT /v1/nodes/{name}", "/v1/nodes/n2", #"{"address":"http://127.0.0.1:2"}"#, "nodes/n2", before: false),
    ChangingRequest("POST /v1/nodes/{name}/cordon", "/v1/nodes/n2/cordon", "", "nodes/n2"),
    ChangingRequest("POST /v1/nodes/{name}/uncordon", "/v1/nodes/n2/uncordon", "", "nodes/n2"),
    ChangingRequest("POST /v1/nodes/{name}/maintenance", "/v1/nodes/n2/maintenance", "", "nodes/n2"),
    ChangingRequest("POST /v1/nodes/{name}/return", "/v1/nodes/n2/return", "", "nodes/n2"),
    ChangingRequest("DELETE /v1/nodes/{name}", "/v1/nodes/n2", "", "nodes/n2", after: false),
    ChangingRequest(
      "POST /v1/namespaces", "/v1/namespaces", #"{"name":"vision"}"#, "namespaces/vision", before: false),
    ChangingRequest(
      "PUT /v1/namespaces/{name}", "/v1/namespaces/vision", #"{"quota":{"rate":9}}"#, "namespaces/vision"),
    ChangingRequest(
      "DELETE /v1/namespaces/{name}", "/v1/namespaces/vision", "", "namespaces/vision", after: false),
    ChangingRequest(
      "POST /v1/webhooks", "/v1/webhooks", #"{"url":"http://127.0.0.1:9/"}"#, "webhooks/", before: false),
    ChangingRequest(
      "PUT /v1/webhooks/{id}", "/v1/webhooks/put", #"{"url":"http://127.0.0.1:9/"}"#, "webhooks/put",
      before: false),
    ChangingRequest(
      "PUT /v1/webhooks/{id}", "/v1/webhooks/put", #"{"url":"http://127.0.0.1:9/b"}"#, "webhooks/put"),
    ChangingRequest("PATCH /v1/webhooks/{id}", "/v1/webhooks/put", #"{"retrySeconds":600}"#, "webhooks/put"),
    ChangingRequest("POST /v1/webhooks/{id}/rotate-secret", "/v1/webhooks/put/rotate-secret", "", "webhooks/put"),
    ChangingRequest(
      "POST /v1/webhooks/{id}/test", "/v1/webhooks/put/test", "", "webhooks/put", before: false, after: false),
    ChangingRequest(
      "POST /v1/webhooks/{id}/replay", "/v1/webhooks/put/replay", "", "webhooks/put", before: false, after: false),
    ChangingRequest("DELETE /v1/webhooks/{id}", "/v1/webhooks/put", "", "webhooks/put", after: false),
    ChangingRequest("POST /v1/tokens", "/v1/tokens", #"{"name":"ci","role":"reader"}"#, "tokens/", before: false),
    ChangingRequest("DELETE /v1/tokens/{id}", "/v1/tokens/LAST", "", "tokens/LAST", after: false),
    ChangingRequest(
      "PUT /v1/segments/{id}/endpoints", "/v1/segments/told%2F1/endpoints",
      #"{"endpoints":[{"address":"10.0.0.1","port":80}]}"#, "segments/told/1", before: false),
    ChangingRequest("POST /v1/plan/apply", "/v1/plan/apply", "", "operations/", before: false),
    ChangingRequest(
      "POST /v1/operations/{id}/pause", "/v1/operations/LAST/pause", "", "operations/LAST", before: false),
    ChangingRequest(
      "POST /v1/operations/{id}/resume", "/v1/operations/LAST/resume", "", "operations/LAST", before: false),
    ChangingRequest(
      "POST /v1/operations/{id}/abort", "/v1/operations/LAST/abort", "", "operations/LAST", before: false),
    ChangingRequest("POST /v1/plan/pin", "/v1/plan/pin", #"{"reason":"freeze"}"#, "plan/pin", before: false),
    ChangingRequest("DELETE /v1/plan/pin", "/v1/plan/pin", "", "plan/pin", after: false),
    ChangingRequest(
      "PUT /v1/windows/{name}", "/v1/windows/nights",
      #"{"kind":"freeze","from":"22:00","to":"05:00","timeZone":"UTC"}"#,
      "windows/nights", before: false),
    ChangingRequest("DELETE /v1/windows/{name}", "/v1/windows/nights", "", "windows/nights", after: false),
    ChangingRequest(
      "POST /v1/fleet/accept-silence", "/v1/fleet/accept-silence", "", "fleet", before: false, after: false),
  ]

  /// A roll-back needs a plan before this one: both are stored by the same calls as the other wishes and orders.
  static let left: Set<String> = [
    "POST /v1/operations/{id}/rollback", "POST /v1/plans/{revision}/rollback",
  ]

  /// Has the controller come to where it can be done.
  func prepare(_ api: Harness, _ clock: ManualClock) async throws {
    if operation == "POST /v1/plan/apply" {
      #expect(await api.send("GET", "/v1/plan", query: [("wait", "60")]).json("gpus", "0", "node") == "n1")
    }
    if resource == "segments/told/1" { try await api.hold("told/1", on: "n9") }
    if resource == "fleet" {
      clock.advance(by: .seconds(3600))
      try await api.controller.nodes.check()
    }
  }
}
