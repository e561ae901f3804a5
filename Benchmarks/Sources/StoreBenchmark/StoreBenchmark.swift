import Foundation
import GRDB

/// GRDB alone on a disk: rows like those of registrations and of the audit, in transactions of one registration and of many, with
/// synchronous=FULL, beside what the disk syncs a second. usage: StoreBenchmark FOLDER [SECONDS]
@main struct StoreBenchmark {
  private static let spec = Data(
    #"{ "id": "w-1234567", "model": "resnet50", "rate": 829.5, "slo": { "latencyMs": 204.5, "percentile": 0.99 }, "labels": { "region": "eu-west-1", "team": "vision" } }"#
      .utf8)

  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count > 1 else { throw CocoaError(.fileNoSuchFile) }
    let folder = URL(filePath: arguments[1])
    let seconds = arguments.count > 2 ? Double(arguments[2]) ?? 2 : 2
    print("fdatasync of 4 KiB: \(try syncs(folder, seconds)) a second")
    for size in [1, 16, 32, 64] {
      print("GRDB, \(size) registrations a transaction: \(try registrations(folder, size, seconds)) a second")
    }
  }

  private static func counted(_ seconds: Double, _ work: () throws -> Int) rethrows -> Int {
    let start = ContinuousClock.now
    var count = 0
    while start.duration(to: .now) < .seconds(seconds) { count += try work() }
    return Int(Double(count) / (start.duration(to: .now) / .seconds(1)))
  }

  private static func syncs(_ folder: URL, _ seconds: Double) throws -> Int {
    let path = folder.appending(path: "syncs").path
    let file = open(path, O_RDWR | O_CREAT, 0o600)
    guard file >= 0 else { throw CocoaError(.fileWriteUnknown) }
    defer {
      close(file)
      unlink(path)
    }
    let block = [UInt8](repeating: 1, count: 4096)
    for place in 0..<256 { pwrite(file, block, block.count, off_t(place * 4096)) }
    fsync(file)
    var place = 0
    return counted(seconds) {
      place = (place + 1) % 256
      pwrite(file, block, block.count, off_t(place * 4096))
      fdatasync(file)
      return 1
    }
  }

  private static func registrations(_ folder: URL, _ size: Int, _ seconds: Double) throws -> Int {
    let path = folder.appending(path: "grdb-\(size).sqlite").path
    defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
    let pool = try DatabasePool(path: path)
    try pool.writeWithoutTransaction { db in
      try db.execute(
        sql: """
          PRAGMA synchronous = FULL;
          CREATE TABLE workload (
            id TEXT PRIMARY KEY, spec BLOB NOT NULL, revision INTEGER NOT NULL,
            created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
          CREATE TABLE audit (
            number INTEGER PRIMARY KEY, time INTEGER NOT NULL, who TEXT NOT NULL, name TEXT NOT NULL,
            method TEXT NOT NULL, path TEXT NOT NULL, resource TEXT NOT NULL, request_id TEXT NOT NULL,
            status INTEGER NOT NULL, before TEXT, after TEXT, change INTEGER NOT NULL) STRICT;
          """)
    }
    var next = 0
    return try counted(seconds) {
      try pool.write { db in
        let workload = try db.cachedStatement(sql: "INSERT INTO workload VALUES (?, ?, ?, ?, ?)")
        let audit = try db.cachedStatement(
          sql: """
            INSERT INTO audit (time, who, name, method, path, resource, request_id, status, before, after, change)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """)
        for _ in 0..<size {
          next += 1
          try workload.execute(arguments: ["w-\(next)", spec, next, 1_700_000_000_000, 1_700_000_000_000])
          try audit.execute(arguments: [
            1_700_000_000_000, "anonymous", "anonymous", "POST", "/v1/workloads", "workloads/w-\(next)",
            "4bf92f3577b34da6a3ce929d0e0e4736", 201, nil as String?, "\(next).0123456789abcdef", 1,
          ])
        }
      }
      return size
    }
  }
}
