import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

/// Many workloads in one request, as lines too, and all that is wrong with them.
@Suite struct WorkloadBulkTests {
  private static let lines: HTTPHeaders = ["Content-Type": "application/x-ndjson", "Prefer": "return=minimal"]

  /// What a list as lines is, and its header.
  private static func export(
    _ api: Harness, _ query: [(name: String, value: String)] = []
  ) async throws -> (lines: [String], revision: String?) {
    let response = await api.send("GET", "/v1/workloads", query: query, ["Accept": "application/x-ndjson"])
    #expect(response.status == 200 && response.headers["Content-Type"] == "application/x-ndjson", "\(response.text)")
    let text = Mutex("")
    try await response.stream?(
      HTTPBodyWriter { bytes in text.withLock { $0 += String(decoding: bytes, as: UTF8.self) } })
    return (text.withLock { $0 }.split(separator: "\n").map(String.init), response.headers["Parva-Demand-Revision"])
  }

  @Test("what is listed as lines can be sent as lines, and is the same set")
  func linesGoRound() async throws {
    let (api, other) = (try await Harness(starts: false), try await Harness(starts: false))
    let bodies = (0..<1_100).map { Bodies.workload("w\($0)", rate: Double($0 + 1), labels: #"{"t":"\#($0 % 2)"}"#) }
    let created = await api.send(
      "POST", "/v1/workloads/batch", Self.lines, body: "\n" + bodies.joined(separator: "\r\n\n"))
    #expect(created.status == 201, "\(created.text.prefix(300))")
    let (list, revision) = try await Self.export(api)
    #expect(list.count == bodies.count && revision == "1")
    #expect(await other.send("PUT", "/v1/workloads", Self.lines, body: list.joined(separator: "\n")).status == 200)
    let (one, two) = (api.controller.registry.snapshot, other.controller.registry.snapshot)
    #expect(one.registrations.rows.map(\.workload) == two.registrations.rows.map(\.workload))
    let cursor = one.registrations.rows[400].id
    let rest = one.registrations.rows.dropFirst(401).filter { $0.workload.labels["t"] == "1" }
    #expect(try await Self.export(api, [("cursor", cursor), ("labelSelector", "t=1")]).lines.count == rest.count)
    let limit = await api.send("GET", "/v1/workloads", query: [("limit", "5")], ["Accept": "application/x-ndjson"])
    #expect(limit.problem == "400 invalid_parameter")
  }

  @Test("of lines that are wrong each is told with its number, the first hundred, and all are counted")
  func wrongLines() async throws {
    let api = try await Harness(starts: false)
    var body = [Bodies.workload("a"), "", #"{"id":"b"}"#, "{", Bodies.workload("a"), Bodies.workload("c", rate: -1)]
    let some = await api.send("PUT", "/v1/workloads", Self.lines, body: body.joined(separator: "\n"))
    let faults = try JSONDecoder().decode(JSONValue.self, from: some.body)
    #expect(some.problem == "422 missing_key" && faults["errorCount"] == 4, "\(some.text)")
    #expect(faults["errors"].elements.map { $0["line"] } == [3, 4, 5, 6])
    #expect(
      faults["errors"].elements.map { $0["code"] } == ["missing_key", "invalid_syntax", "duplicate", "out_of_range"])
    #expect(faults["errors"].elements.map { $0["pointer"] } == ["", .null, "/id", "/rate"])
    body = (0..<150).map { Bodies.workload("w\($0)", rate: -1) }
    let many = await api.send("PUT", "/v1/workloads", Self.lines, body: body.joined(separator: "\n"))
    let all = try JSONDecoder().decode(JSONValue.self, from: many.body)
    #expect(all["errors"].elements.count == 100 && all["errorCount"] == 150)
    #expect(api.controller.registry.revision == 0)
  }

  @Test("of ids that are taken, and of patches that are wrong, the first hundred are told with their places")
  func manyFaults() async throws {
    let api = try await Harness(starts: false)
    let bodies = (0..<150).map { Bodies.workload("w\($0)") }
    #expect(await api.send("POST", "/v1/workloads/batch", body: "[\(bodies.joined(separator: ","))]").status == 201)
    let mixed = [Bodies.workload("new"), ""] + bodies
    for (headers, body, place) in [
      (HTTPHeaders(), "[\(mixed.filter { !$0.isEmpty }.joined(separator: ","))]", "pointer"),
      (Self.lines, mixed.joined(separator: "\n"), "line"),
    ] {
      let taken = await api.send("POST", "/v1/workloads/batch", headers, body: body)
      let faults = try JSONDecoder().decode(JSONValue.self, from: taken.body)
      #expect(taken.problem == "409 already_exists" && faults["errorCount"] == 150, "\(taken.text)")
      #expect(faults["errors"].elements.count == 100)
      #expect(faults["errors"].elements.first?[place] == (place == "line" ? 3 : "/1/id"))
    }
    let patches = (0..<200).map { #"{"id":"w\#($0)","rate":\#($0 < 100 ? 5 : -1)}"# }
    let patched = await api.send("PATCH", "/v1/workloads", body: "[\(patches.joined(separator: ","))]")
    let faults = try JSONDecoder().decode(JSONValue.self, from: patched.body)
    #expect(patched.problem == "422 out_of_range" && faults["errorCount"] == 100, "\(patched.text)")
    #expect(faults["errors"].elements.first?["pointer"] == "/100/rate")
    #expect(
      faults["errors"].elements.last?["code"] == "not_found" && faults["errors"].elements.last?["pointer"] == "/199/id")
    #expect(api.controller.registry.revision == 1)
  }

  @Test("of a body full of faults as much is read as is told, and the answer says so")
  func floods() async throws {
    let api = try await Harness(starts: false)
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("a")).status == 201)
    let many = InputLimits.refusals * 3
    func list(_ piece: (Int) -> String) -> String { "[" + (0..<many).map(piece).joined(separator: ",") + "]" }
    let patches = [
      list { _ in "1" }, list { _ in #"{"x":1}"# }, list { #"{"id":"n\#($0)"}"# },
      list { #"{"id":"n\#($0)","rate":1}"# },
      list { _ in #"{"id":"a","rate":2}"# },
    ]
    let bodies = [list { _ in "1" }, list { _ in "{}" }, list { _ in Bodies.workload("b") }]
    var requests: [(String, String, String)] = patches.map { ("PATCH", "/v1/workloads", $0) }
    for (method, path) in [("PUT", "/v1/workloads"), ("POST", "/v1/workloads/batch"), ("POST", "/v1/plan/preview")] {
      requests += bodies.map { (method, path, $0) }
    }
    for (method, path, body) in requests {
      let answer = await api.send(method, path, body: body)
      let problem = try JSONDecoder().decode(JSONValue.self, from: answer.body)
      #expect([404, 422].contains(answer.status), "\(method) \(path) \(body.prefix(30))")
      #expect(problem["errorCount"] == .number(Double(InputLimits.refusals)), "\(method) \(path) \(body.prefix(30))")
      #expect(problem["detail"].text?.contains("at which reading ended") == true, "\(answer.text.prefix(300))")
      #expect(answer.body.count < 50_000)
    }
    #expect(api.controller.registry.revision == 1)
  }

  @Test("more workloads than a controller keeps are refused however many they are")
  func tooMany() async throws {
    let api = try await Harness(starts: false) { $0.maxWorkloads = 10 }
    let body = "[" + (0..<40).map { Bodies.workload("w\($0)") }.joined(separator: ",") + "]"
    for (method, path) in [("PUT", "/v1/workloads"), ("POST", "/v1/workloads/batch"), ("POST", "/v1/plan/preview")] {
      #expect(await api.send(method, path, body: body).problem == "409 too_many_workloads", "\(path)")
    }
  }

  @Test("lists and rates that are read in one pass are read as the general way reads them, and judged as it judges")
  func quickIsAsGeneral() throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    for _ in 0..<300 {
      let items = (0..<Int.random(in: 0...4, using: &random)).map { _ in
        Bodies.workload(
          ["a", "b", "c", "ü"].randomElement(using: &random)!, rate: [1.0, -1, 2.5].randomElement(using: &random)!)
          + ["", "", "", " ", ","].randomElement(using: &random)!
      }
      let list = "[\(items.joined(separator: ","))]"
      let text = Bool.random(using: &random) ? list : #"{"workloads": \#(list)}"#
      // A member that the quick way does not have sends the same list the general way.
      let slow = text.replacing(#""labels":{}"#, with: #""labels":{},"queue":null"#)
      let quick = Result { try WorkloadReader.read(InputSource(Data(text.utf8), format: .json)) }
      let general = Result { try WorkloadReader.read(InputSource(Data(slow.utf8), format: .json)) }
      #expect((try? quick.get()) == (try? general.get()), "seed \(seed): \(text)")
      let single = Result {
        try WorkloadReader.read(InputSource(Data(items.joined(separator: "\n").utf8), format: .ndjson))
      }
      if items.allSatisfy({ !$0.hasSuffix(",") }) {
        #expect((try? single.get()) == (try? general.get()), "seed \(seed): \(text)")
      }
    }
  }

  @Test("faults of lines are told by their lines, in one sentence")
  func linesInTheDetail() async throws {
    let api = try await Harness(starts: false)
    let answer = await api.send("PUT", "/v1/workloads", Self.lines, body: "{}\n{\"id\":7}\n\n{\"id\":\"a\"}\n")
    let detail = answer.json("detail") ?? ""
    #expect(answer.status == 422 && detail.hasPrefix("Line 1: ") && detail.contains("; line 4: "), "\(answer.text)")
    #expect(!detail.contains(" :"), "\(detail)")
    try await api.controller.stop()
  }
}
