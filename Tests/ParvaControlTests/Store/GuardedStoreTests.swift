import Foundation
import GRDB
import Logging
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@testable import ParvaControl

/// A store that has no room, for real: SQLite is told that the file may not grow, and answers SQLITE_FULL.
@Suite struct GuardedStoreTests {
  private static func limit(_ store: SQLiteStore, toPages limit: Int?) async throws {
    try await store.pool.writeWithoutTransaction { db in
      let pages = try limit ?? Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      try db.execute(sql: "PRAGMA max_page_count = \(pages)")
    }
  }

  /// More than the pages that the file has already can hold.
  private static let batch = Bodies.batch(
    (0..<200).map { Bodies.workload("w\($0)", labels: #"{"filler":"\#(String(repeating: "x", count: 60))"}"#) }
      .joined(separator: ","))

  @Test("S6: a full disk makes the controller read-only, says so once and passes by itself")
  func aFullDiskIsSaidAndPasses() async throws {
    let log = LogRecorder()
    let api = try await Harness(log: log)
    _ = await api.send("POST", "/v1/workloads", body: Bodies.workload("web"))
    _ = await api.send("GET", "/v1/plan")
    try await Self.limit(api.store, toPages: nil)
    for _ in 0..<3 {
      let refused = await api.send("POST", "/v1/workloads/batch", body: Self.batch)
      #expect(refused.problem == "507 store_full", "\(refused.text)")
    }
    // Once it is known, small changes are refused as well: the controller is read-only, not lucky.
    #expect(await api.send("PATCH", "/v1/workloads/web", body: #"{"rate":7}"#).problem == "507 store_full")
    #expect(await api.send("GET", "/readyz").problem == "503 store_full")
    #expect(await api.send("GET", "/healthz").status == 200)
    #expect(await api.send("GET", "/v1/workloads/web").json("rate") == "100.0")
    #expect(await api.send("GET", "/metrics").text.contains("\nparva_store_writable 0\n"))
    await api.controller.store.recover()
    #expect(await api.send("GET", "/readyz").problem == "503 store_full", "there is still no room")
    func said(_ text: String) -> [LogRecorder.Line] { log.lines.filter { $0.message.contains(text) } }
    #expect(said("takes no writes").map { $0.metadata["code"] } == ["store_full"])
    #expect(said("takes no writes").map(\.level) == [.error])

    try await Self.limit(api.store, toPages: 1_000_000)
    await api.controller.store.recover()
    #expect(await api.send("GET", "/readyz").status == 200)
    #expect(await api.send("GET", "/metrics").text.contains("\nparva_store_writable 1\n"))
    #expect(await api.send("POST", "/v1/workloads/batch", body: Self.batch).status == 201)
    #expect(said("takes writes again").count == 1 && said("takes no writes").count == 1)
    #expect(await api.send("GET", "/v1/plan").text.contains("w199/0"))
    try await api.controller.stop()
  }

  @Test("S6: a controller that starts on a full disk is not ready, before anybody writes")
  func aFullDiskIsSeenAtTheStart() async throws {
    let first = try await Harness()
    _ = await first.send("GET", "/v1/plan")
    try await first.controller.stop()
    let log = LogRecorder()
    var gated: GatedStore?
    let api = try await Harness(folder: first.folder, starts: false, log: log) { _ in
    } storing: { store in
      let gate = GatedStore(store)
      gate.fail(with: StoreError(.full, "no room"))
      gated = gate
      return gate
    }
    #expect(await api.send("GET", "/readyz").problem == "503 store_full")
    #expect(await api.send("GET", "/v1/plan").status == 200)
    #expect(log.lines.map { $0.metadata["code"] } == ["store_full"])
    #expect(gated?.commits == 0)
    gated?.fail(with: nil)
    await api.controller.store.recover()
    #expect(await api.send("GET", "/readyz").status == 200)
    try await api.controller.stop()
  }

  @Test func anotherTroubleIsNews() async throws {
    let log = LogRecorder()
    let folder = try TemporaryFolder()
    let gated = GatedStore(try SQLiteStore(path: folder.file("s.sqlite")))
    let store = GuardedStore(gated, logger: Logger(label: "test") { _ in log }, onRecovery: {})
    var batch = StoreBatch()
    batch.demandRevision = 1
    for code in [StoreError.Code.failed, .failed, .full] {
      gated.fail(with: StoreError(code, "no"))
      await #expect(throws: StoreError.self) { try await store.commit(batch) }
      await store.recover()
    }
    #expect(log.lines.map { $0.metadata["code"] } == ["store_failed", "store_full"])
    #expect(gated.commits == 1, "while there is trouble no commit is tried")
  }
}
