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
      that no file names stay as they are. A file may hold one workload by itself, as parva get workload web -o yaml prints \
      it. To bring the plan to the nodes, see parva rollout start.
      """)

  @Option(
    name: [.customShort("f"), .customLong("file")], help: "Workloads as JSON, YAML or CSV; - is standard input.",
    completion: .file())
  var files: [String]

  @OptionGroup var scope: ScopeOptions
  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard !files.isEmpty else { throw ValidationError("Name the files with -f.") }
    try Self.check(files)
  }

  static func check(_ files: [String]) throws {
    guard files.count(where: { $0 == "-" }) <= 1 else { throw ValidationError("Only one file can be standard input.") }
  }

  /// What several files have, each workload in one of them, under ids as they are known everywhere.
  static func workloads(of files: [String], _ scope: ClientScope) throws -> [Workload] {
    var wanted: [Workload] = []
    for file in files {
      wanted += try WorkloadReader.readFile(try InputSource.load(file, limit: InputLimits.listBytes), in: scope.name)
    }
    if let twice = Dictionary(grouping: wanted, by: \.id).filter({ $0.value.count > 1 }).keys.min() {
      throw CommandFailure(.badInput, "\(scope.told(twice)) stands in more than one of the files")
    }
    return wanted
  }

  func run() async throws {
    let connection = try server.connection()
    let scope = try await scope.scope(connection)
    let edit = try await Self.edit(for: try Self.workloads(of: files, scope), scope, connection)
    if trial.isOn {
      try Console.write(edit.text(isDone: false))
    } else {
      Console.error(edit.text(isDone: false).dropLast().description)
    }
    if !edit.created.isEmpty {
      // With a key, a repetition is the same request.
      let key = trial.isOn ? [:] : ["Idempotency-Key": UUID().uuidString]
      _ = try await trial.send(
        "POST", "/v1/workloads/batch", body: WorkloadWriter.json(edit.created),
        headers: ["Prefer": "return=minimal"].merging(key) { $1 }, to: connection)
    }
    try await Self.each(edit.changed) { [trial] change in
      let path = Self.path(change.workload.id, scope)
      let outcome = try await trial.send(
        "PUT", path, body: WorkloadWriter.json(change.workload), headers: ["If-Match": change.tag], inDoubt: [412],
        to: connection)
      // What was done the first time has another tag the second.
      if outcome.status == 412, try await Self.registered(change.workload.id, scope, connection)?.0 != change.workload {
        throw ServerConnection.failure(outcome.response, "PUT", path)
      }
    }
    guard !trial.isOn else { return try trial.finish(!edit.created.isEmpty || !edit.changed.isEmpty) }
    try Console.write(edit.text(isDone: true))
  }

  private static func path(_ id: String, _ scope: ClientScope) -> String {
    "/v1/workloads/\(ServerConnection.escaped(scope.told(id)))"
  }

  /// Reads what is there under the ids that are wanted.
  static func edit(
    for wanted: [Workload], _ scope: ClientScope, _ connection: ServerConnection
  ) async throws -> DemandEdit {
    let standing = Mutex<[String: (workload: Workload, tag: String)]>([:])
    try await each(wanted) { workload in
      guard let found = try await registered(workload.id, scope, connection) else { return }
      standing.withLock { $0[workload.id] = found }
    }
    let found = standing.withLock { $0 }
    var edit = DemandEdit(scope)
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

  private static func registered(
    _ id: String, _ scope: ClientScope, _ connection: ServerConnection
  ) async throws -> (Workload, String)? {
    let response = try await connection.send("GET", path(id, scope), accepting: [404])
    guard response.status != 404 else { return nil }
    guard let tag = response.headers["ETag"] else {
      throw CommandFailure(.unexpected, "the answer about \(id) has no ETag; is there a Parva controller?")
    }
    return (try WorkloadReader.readOne(InputSource(response.body, format: .json), in: scope.name), tag)
  }
}
