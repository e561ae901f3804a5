import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import Synchronization

/// `parva apply`: workloads of files registered as the files have them.
struct ApplyCommand: AsyncParsableCommand {
  private static let atATime = 16

  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Register the workloads of files, or change those that are registered already.",
    discussion: """
      Shows first what differs, then changes that and nothing else: doing it twice does it once. New workloads are \
      registered all or none; each change is made only if nobody has changed the workload since it was read. Workloads \
      that no file names stay as they are. To bring the plan to the nodes, see parva rollout start.
      """)

  @Option(name: [.customShort("f"), .customLong("file")], help: "Workloads as JSON, YAML or CSV; - is standard input.")
  var files: [String]

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard !files.isEmpty else { throw ValidationError("Name the files with -f.") }
    try Self.check(files)
  }

  static func check(_ files: [String]) throws {
    guard files.count(where: { $0 == "-" }) <= 1 else { throw ValidationError("Only one file can be standard input.") }
  }

  /// What several files have, each workload in one of them.
  static func workloads(of files: [String]) throws -> [Workload] {
    var wanted: [Workload] = []
    for file in files { wanted += try WorkloadReader.read(try InputSource.load(file, limit: InputLimits.listBytes)) }
    if let twice = Dictionary(grouping: wanted, by: \.id).filter({ $0.value.count > 1 }).keys.min() {
      throw CommandFailure(.badInput, "\(twice) stands in more than one of the files")
    }
    return wanted
  }

  func run() async throws {
    let wanted = try Self.workloads(of: files)
    let connection = try server.connection()
    let edit = try await Self.edit(for: wanted, connection)
    if trial.isOn {
      try Console.write(edit.text(isDone: false))
    } else {
      Console.error(edit.text(isDone: false).dropLast().description)
    }
    if !edit.created.isEmpty {
      _ = try await trial.send(
        "POST", "/v1/workloads/batch", body: WorkloadWriter.json(edit.created), headers: ["Prefer": "return=minimal"],
        to: connection)
    }
    try await Self.each(edit.changed) { [trial] change in
      _ = try await trial.send(
        "PUT", Self.path(change.workload.id), body: WorkloadWriter.json(change.workload),
        headers: ["If-Match": change.tag], to: connection)
    }
    guard !trial.isOn else { return try trial.finish(!edit.created.isEmpty || !edit.changed.isEmpty) }
    try Console.write(edit.text(isDone: true))
  }

  private static func path(_ id: String) -> String { "/v1/workloads/\(ServerConnection.escaped(id))" }

  /// Reads what is there under the ids that are wanted.
  static func edit(for wanted: [Workload], _ connection: ServerConnection) async throws -> DemandEdit {
    let standing = Mutex<[String: (workload: Workload, tag: String)]>([:])
    try await each(wanted) { workload in
      guard let found = try await registered(workload.id, connection) else { return }
      standing.withLock { $0[workload.id] = found }
    }
    let found = standing.withLock { $0 }
    var edit = DemandEdit()
    for workload in wanted { try edit.add(workload, standing: found[workload.id]) }
    return edit
  }

  /// Does something for each, ``atATime`` of them side by side. The first failure ends it.
  private static func each<Item: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, item) in items.enumerated() {
        if index >= atATime { try await group.next() }
        group.addTask { try await body(item) }
      }
      try await group.waitForAll()
    }
  }

  private static func registered(_ id: String, _ connection: ServerConnection) async throws -> (Workload, String)? {
    let response = try await connection.send("GET", path(id), accepting: [404])
    guard response.status != 404 else { return nil }
    guard let tag = response.headers["ETag"] else {
      throw CommandFailure(.unexpected, "the answer about \(id) has no ETag; is there a Parva controller?")
    }
    return (try WorkloadReader.readOne(InputSource(response.body, format: .json)), tag)
  }
}
