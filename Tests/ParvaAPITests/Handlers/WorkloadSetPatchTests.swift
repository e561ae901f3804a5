import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaHTTP
import ParvaTestSupport
import Testing

/// `PATCH /v1/workloads`: many changes in one request.
struct WorkloadSetPatchTests {
  private static func harness() async throws -> Harness {
    let api = try await Harness(starts: false)
    let bodies = ["a", "b", "c"].map { Bodies.workload($0) }
    #expect(await api.send("POST", "/v1/workloads/batch", body: "[\(bodies.joined(separator: ","))]").status == 201)
    return api
  }

  @Test("rates and other members change in one revision, and what is not named stays")
  func changes() async throws {
    let api = try await Self.harness()
    let response = await api.send(
      "PATCH", "/v1/workloads", body: #"{"workloads":[{"id":"a","rate":7},{"id":"c","priority":3,"labels":{"k":"v"}}]}"#
    )
    #expect(response.status == 200)
    #expect(response.json("workloads", "0", "rate") == "7.0")
    #expect(response.json("workloads", "1", "priority") == "3")
    #expect(response.json("workloads", "1", "labels", "k") == "v")
    #expect(response.json("revision") == "2")
    #expect(await api.send("GET", "/v1/workloads/b").json("revision") == "1")
  }

  @Test("patches that change nothing make no revision")
  func nothing() async throws {
    let api = try await Self.harness()
    let rate = await api.send("GET", "/v1/workloads/a").json("rate") ?? ""
    let response = await api.send("PATCH", "/v1/workloads", body: #"[{"id":"a","rate":\#(rate)},{"id":"b"}]"#)
    #expect(response.status == 200)
    #expect(response.json("revision") == "1")
    #expect(await api.send("PATCH", "/v1/workloads", body: "[]").json("revision") == "1")
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let body: String
    let problem: String
    var pointer: String?
    var headers: HTTPHeaders = [:]
    var testDescription: String { "\(problem) for \(body)" }
  }

  @Test(
    "a list with one fault changes nothing and tells its place",
    arguments: [
      Refusal(body: #"[{"id":"a","rate":7},{"id":"x","rate":1}]"#, problem: "404 not_found", pointer: "/1/id"),
      Refusal(body: #"[{"id":"a","rate":7},{"id":"b","rate":-1}]"#, problem: "422 out_of_range", pointer: "/1/rate"),
      Refusal(
        body: #"{"workloads":[{"id":"a","rate":7},{"id":"b","slo":{"latencyMs":0}}]}"#, problem: "422 out_of_range",
        pointer: "/workloads/1/slo/latencyMs"),
      Refusal(body: #"[{"id":"a","rate":7},{"id":"a","rate":8}]"#, problem: "422 duplicate", pointer: "/1/id"),
      Refusal(body: #"[{"id":"a","rate":7},{"rate":8}]"#, problem: "422 missing_key", pointer: "/1/id"),
      Refusal(body: #"[{"id":"a","rate":7},8]"#, problem: "422 wrong_type", pointer: "/1"),
      Refusal(body: #"[{"id":"a","rate":7},{"id":"b","rat":8}]"#, problem: "422 unknown_key", pointer: "/1/rat"),
      Refusal(body: #"[{"id":"a","rate":7},{"id":"b","rate":null}]"#, problem: "422 missing_key", pointer: "/1"),
      Refusal(body: #"{"id":"a","rate":7}"#, problem: "400 invalid_syntax"),
      Refusal(body: #"[{"id":"a","rate":7}"#, problem: "400 invalid_syntax"),
      Refusal(body: "", problem: "400 body_missing"),
      Refusal(body: #"[{"id":"a","rate":7}]"#, problem: "412 precondition_failed", headers: ["If-Match": "\"99\""]),
    ])
  func refusals(_ refusal: Refusal) async throws {
    let api = try await Self.harness()
    let before = await api.send("GET", "/v1/workloads").body
    let response = await api.send("PATCH", "/v1/workloads", refusal.headers, body: refusal.body)
    #expect(response.problem == refusal.problem)
    if let pointer = refusal.pointer { #expect(response.json("pointer") == pointer) }
    #expect(await api.send("GET", "/v1/workloads").body == before)
  }

  @Test("a repetition under the same key changes nothing")
  func replay() async throws {
    let api = try await Self.harness()
    let (key, body) = (["Idempotency-Key": "k1"] as HTTPHeaders, #"[{"id":"a","rate":7}]"#)
    #expect(await api.send("PATCH", "/v1/workloads", key, body: body).json("revision") == "2")
    _ = await api.send("PATCH", "/v1/workloads/a", body: #"{"rate":9}"#)
    let again = await api.send("PATCH", "/v1/workloads", key, body: body)
    #expect(again.headers["Idempotency-Replayed"] == "true")
    #expect(again.json("workloads", "0", "rate") == "9.0")
  }

  @Test("requests that race each other lose nothing: every one is in the end or was refused whole")
  func races() async throws {
    let api = try await Self.harness()
    // Each adds a label of its own to all three, so that a lost update would show.
    let statuses = await withTaskGroup(of: (Int, Int).self) { group in
      for number in 0..<40 {
        group.addTask {
          let body = ["a", "b", "c"].map { #"{"id":"\#($0)","labels":{"n\#(number)":"x"}}"# }.joined(separator: ",")
          return (number, await api.send("PATCH", "/v1/workloads", body: "[\(body)]").status)
        }
      }
      return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for (number, status) in statuses {
      #expect([200, 409].contains(status))
      for id in ["a", "b", "c"] {
        let label = await api.send("GET", "/v1/workloads/\(id)").json("labels", "n\(number)")
        #expect((label == "x") == (status == 200), "\(id) n\(number)")
      }
    }
    #expect(statuses.values.contains(200))
  }

  @Test("random lists leave each workload as single patches leave it")
  func likeSingles() async throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    for round in 0..<30 {
      let (bulk, single) = (try await Self.harness(), try await Self.harness())
      let patches = ["a", "b", "c"].shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random)).map { id in
        let members = [
          #""rate":\#(Int.random(in: 1...9, using: &random))"#,
          #""priority":\#(Int.random(in: 0...2, using: &random))"#,
          #""labels":{"t":"x"}"#, #""labels":null"#,
          #""slo":{"latencyMs":\#(Int.random(in: 50...99, using: &random))}"#,
        ].shuffled(using: &random)[0]
        return #"{"id":"\#(id)",\#(members)}"#
      }
      #expect(await bulk.send("PATCH", "/v1/workloads", body: "[\(patches.joined(separator: ","))]").status == 200)
      for patch in patches {
        let id = patch.dropFirst(7).prefix(1)
        #expect(await single.send("PATCH", "/v1/workloads/\(id)", body: patch).status == 200)
      }
      for id in ["a", "b", "c"] {
        let (one, other) = (
          await bulk.send("GET", "/v1/workloads/\(id)"), await single.send("GET", "/v1/workloads/\(id)")
        )
        for path in [["rate"], ["priority"], ["labels", "t"], ["slo", "latencyMs"]] {
          let (a, b) = (Self.member(path, of: one), Self.member(path, of: other))
          #expect(a == b, "seed \(seed), round \(round), \(id) \(path)")
        }
      }
    }
  }

  private static func member(_ path: [String], of response: HTTPResponse) -> String? {
    path.count == 1 ? response.json(path[0]) : response.json(path[0], path[1])
  }

  @Test("lists can be narrowed to a model and a state")
  func filters() async throws {
    let api = try await Self.harness()
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("v", model: "vgg16"))
    #expect(await api.send("GET", "/v1/workloads", query: [("model", "vgg16")]).json("workloads", "0", "id") == "v")
    #expect(await api.send("GET", "/v1/workloads", query: [("model", "vgg16")]).json("workloads", "1") == nil)
    #expect(await api.send("GET", "/v1/workloads", query: [("state", "pending")]).json("workloads", "3", "id") == "v")
    #expect(await api.send("GET", "/v1/workloads", query: [("state", "served")]).json("workloads", "0") == nil)
    #expect(await api.send("GET", "/v1/workloads", query: [("state", "lost")]).status == 400)
  }

  @Test("a workload's segments are those of the plan, with their GPUs")
  func segments() async throws {
    let api = try await Harness()
    _ = await api.send("POST", "/v1/workloads/batch", body: "[\(Bodies.workload("a")),\(Bodies.workload("b"))]")
    let plan = await api.send("GET", "/v1/plan")
    let own = await api.send("GET", "/v1/workloads/a/segments")
    #expect(own.status == 200)
    #expect(own.json("planRevision") == plan.json("revision"))
    let id = try #require(own.json("segments", "0", "id"))
    #expect(String(decoding: plan.body, as: UTF8.self).contains(#""id": "\#(id)""#))
    #expect(own.json("segments", "0", "workload") == "a")
    #expect(own.json("segments", "0", "gpu") != nil)
    #expect(await api.send("GET", "/v1/workloads/none/segments").status == 404)
    #expect(
      await api.send("GET", "/v1/workloads/a/segments", ["If-None-Match": own.headers["ETag"] ?? ""]).status == 304)
  }
}
