import Foundation
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

/// Every change leaves a row, in the batch that stores it.
@Suite struct AuditTests {
  private static func rows(_ api: Harness, _ query: [(name: String, value: String)] = []) async throws -> [JSONValue] {
    let list = await api.send("GET", "/v1/audit", query: query)
    #expect(list.status == 200, "\(list.text)")
    return try JSONDecoder().decode(JSONValue.self, from: list.body)["entries"].elements
  }

  @Test("each route that changes something stores its row with the change, as the answer says")
  func everyChangeHasItsRow() async throws {
    let clock = ManualClock()
    var gated: GatedStore?
    let api = try await Harness({ $0.nodes.clock = { clock.now } }) { store in
      let gate = GatedStore(store)
      gated = gate
      return gate
    }
    let store = try #require(gated)
    let recorded = Set(
      RouteTable(api.controller).routes.filter { $0.access?.isRecorded == true }.map { "\($0.method) \($0.pattern)" })
    #expect(Set(ChangingRequest.all.map(\.operation)).union(ChangingRequest.left) == recorded)
    try await api.join(try FleetSamples.state("n1", gpus: 1))
    var last = ""
    var count = 0
    for change in ChangingRequest.all {
      try await change.prepare(api, clock)
      let before = store.auditRows
      let response = await api.send(
        String(change.operation.prefix { $0 != " " }), change.path.replacing("LAST", with: last), body: change.body)
      #expect((200..<300).contains(response.status), "\(change.operation): \(response.text)")
      // What is in the audit by now came with the change: what comes later is still in memory.
      #expect(store.auditRows == before + 1, "\(change.operation)")
      count += 1
      let row = try #require(try await Self.rows(api, [("limit", "1")]).first)
      #expect(row["status"].number == Double(response.status), "\(change.operation)")
      #expect(row["changed"] == .bool(true), "\(change.operation)")
      #expect(row["method"].text == String(change.operation.prefix { $0 != " " }))
      #expect(row["path"].text == change.path.replacing("LAST", with: last), "\(change.operation)")
      let resource = change.resource.replacing("LAST", with: last)
      #expect(
        row["resource"].text.map { resource.hasSuffix("/") ? $0.hasPrefix(resource) : $0 == resource } == true,
        "\(change.operation): \(row["resource"])")
      #expect((row["before"].text != nil) == change.before, "\(change.operation): \(row["before"])")
      #expect((row["after"].text != nil) == change.after, "\(change.operation): \(row["after"])")
      #expect(row["requestId"].text == response.headers["X-Request-Id"], "\(change.operation)")
      if let location = response.headers["Location"] {
        last = location.split(separator: "/").last.map(String.init) ?? ""
      }
    }
    let numbers = try await Self.rows(api, [("limit", "1000")]).compactMap(\.["number"].number)
    #expect(numbers.count >= count && numbers == numbers.sorted(by: >))
    try await api.controller.stop()
  }

  @Test("what comes before a change is what came after the one before it")
  func hashesAreAChain() async throws {
    let api = try await Harness(starts: false)
    for rate in [1.0, 2, 1] { _ = await api.send("PUT", "/v1/workloads/a", body: Bodies.workload("a", rate: rate)) }
    _ = await api.send("DELETE", "/v1/workloads/a")
    let rows = try await Self.rows(api, [("resource", "workloads/a")])
    #expect(rows.count == 4)
    for (newer, older) in zip(rows, rows.dropFirst()) { #expect(newer["before"] == older["after"]) }
    // The same declaration has the same hash at another revision.
    let hashes = rows.compactMap(\.["after"].text).map { $0.drop { $0 != "." } }
    #expect(hashes.count == 3 && hashes[0] == hashes[2] && hashes[0] != hashes[1])
  }

  @Test("what was refused, and what changed nothing, is there too, and marked so")
  func refusalsAreThere() async throws {
    let api = try await Harness(starts: false)
    _ = await api.send("PUT", "/v1/workloads/a", body: Bodies.workload("a"))
    #expect(await api.send("PUT", "/v1/workloads/a", body: Bodies.workload("a")).status == 200)
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("a")).status == 409)
    #expect(await api.send("DELETE", "/v1/workloads/b").status == 404)
    _ = await api.send("GET", "/v1/workloads")
    let rows = try await Self.rows(api)
    #expect(rows.map { $0["status"].number } == [404, 409, 200, 201])
    #expect(rows.map { $0["changed"] == .bool(true) } == [false, false, false, true])
  }

  @Test("what a namespace's caller asks for of another's is named as it was asked for")
  func othersIDs() async throws {
    let api = try await Harness(starts: false)
    let caller = Caller(name: "ci", id: "token:ci", role: "operator", namespace: "vision")
    for (id, resource) in [("audio:web", "workloads/audio:web"), ("web", "workloads/vision:web")] {
      #expect(await api.send("DELETE", "/v1/workloads/\(id)", as: caller).problem == "404 not_found")
      #expect(try await Self.rows(api, [("limit", "1")]).first?["resource"].text == resource)
    }
    try await api.controller.stop()
  }

  @Test("who, resource, since and pages choose rows; an export has them all, oldest first, and goes on after a number")
  func filtersAndPages() async throws {
    let api = try await Harness(starts: false)
    for index in 0..<25 {
      _ = await api.send("PUT", "/v1/workloads/w\(index)", body: Bodies.workload("w\(index)"))
    }
    _ = await api.send("PUT", "/v1/nodes/n1", body: #"{"address":"http://127.0.0.1:2"}"#)
    var seen: [Double] = []
    var cursor: String?
    repeat {
      let page = await api.send(
        "GET", "/v1/audit", query: [("limit", "7")] + (cursor.map { [("cursor", $0)] } ?? []))
      seen += try JSONDecoder().decode(JSONValue.self, from: page.body)["entries"].elements
        .compactMap(\.["number"].number)
      cursor = page.json("nextCursor")
    } while cursor != nil
    #expect(seen == (1...26).reversed().map(Double.init))
    #expect(try await Self.rows(api, [("resource", "nodes")]).count == 1)
    #expect(try await Self.rows(api, [("resource", "workloads/w1")]).count == 1)
    #expect(try await Self.rows(api, [("resource", "workload")]).isEmpty)
    #expect(try await Self.rows(api, [("who", "anonymous")]).count == 26)
    #expect(try await Self.rows(api, [("who", "somebody")]).isEmpty)
    #expect(try await Self.rows(api, [("since", "2000-01-01T00:00:00Z")]).count == 26)
    #expect(try await Self.rows(api, [("since", "2999-01-01T00:00:00.000Z")]).isEmpty)
    #expect(await api.send("GET", "/v1/audit", query: [("since", "yesterday")]).problem == "400 invalid_parameter")
    #expect(await api.send("GET", "/v1/audit", query: [("after", "1")]).problem == "400 invalid_parameter")
    let export = await api.send("GET", "/v1/audit", query: [("after", "20")], ["Accept": "application/x-ndjson"])
    let lines = LineRecorder()
    try await export.stream?(HTTPBodyWriter { lines.add($0) })
    let numbers = try lines.text.split(separator: "\n").map {
      try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8))["number"].number
    }
    #expect(numbers == [21, 22, 23, 24, 25, 26])
  }

  @Test(
    "rows are in the order of their times, however late those of refusals are stored and however long requests take")
  func order() async throws {
    let clock = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
    let api = try await Harness(starts: false) { $0.now = { clock.withLock { $0 } } }
    var random = SeededGenerator(seed: TestSeed.of(offset: 0))
    for number in 0..<60 {
      clock.withLock { $0 += Double.random(in: 0...0.3, using: &random) }
      switch Int.random(in: 0..<3, using: &random) {
      case 0: _ = await api.send("DELETE", "/v1/workloads/none")
      case 1: _ = await api.send("PUT", "/v1/workloads/w\(number)", body: Bodies.workload("w\(number)"))
      default: try await api.controller.audit.keep()
      }
    }
    let times = try await Self.rows(api).compactMap { $0["time"].text }
    #expect(times.count > 30 && times == times.sorted(by: >))
    // After a clock was set back they are true again.
    clock.withLock { $0 -= 3_600 }
    _ = await api.send("PUT", "/v1/workloads/last", body: Bodies.workload("last"))
    let last = try #require(try await Self.rows(api).first?["time"].text)
    #expect(last < times.last ?? "")
  }

  @Test("a change that the store refuses has no row of a change")
  func noRowWithoutItsChange() async throws {
    var gated: GatedStore?
    let api = try await Harness(
      starts: false,
      storing: { store in
        let gate = GatedStore(store)
        gated = gate
        return gate
      })
    let store = try #require(gated)
    store.fail(with: StoreError(.failed, "broken")) { !$0.registrations.isEmpty }
    #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("a")).status == 503)
    store.fail(with: nil)
    await api.controller.store.recover()
    let rows = try await Self.rows(api)
    #expect(rows.map { $0["status"].number } == [503] && rows.first?["changed"] == .bool(false))
  }
}

/// What a stream has written.
private final class LineRecorder: Sendable {
  private let bytes = Mutex(Data())

  var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

  func add(_ more: Data) { bytes.withLock { $0 += more } }
}
