import Foundation
import ParvaFormats

/// An operation as a person follows it: the controller's own words, each line when it changes.
enum RolloutReport {
  /// The id of the newest, unless one is given.
  static func id(_ given: String?, _ connection: ServerConnection) async throws -> String {
    if let given { return given }
    guard let newest = try await connection.value("/v1/operations?limit=1")["operations"].elements.first else {
      throw CommandFailure(.badInput, "no plan has been brought to nodes yet; parva rollout start does it")
    }
    return newest["id"].text ?? ""
  }

  /// What windows keep waiting, in a sentence; nil where nothing is.
  static func waits(_ connection: ServerConnection) async throws -> String? {
    let rollouts = try await connection.value("/v1/fleet")["rollouts"]
    guard rollouts["open"].flag == false else { return nil }
    let until = rollouts["until"].text.map { " until \($0)" } ?? ""
    let windows = rollouts["shutBy"].elements.compactMap(\.text).joined(separator: ", ")
    return "plans are not brought to nodes by themselves\(until), by the windows \(windows)"
  }

  /// Writes where it is, and with `follow` each line that is new, until it is over. A controller that starts anew meanwhile
  /// is waited for.
  ///
  /// - Throws: ``CommandFailure`` with ``ExitStatus/checkFailed`` where it is over and not verified.
  static func show(_ id: String, follow: Bool, _ connection: ServerConnection) async throws {
    let path = "/v1/operations/\(ServerConnection.escaped(id))"
    var shown: Set<Substring> = []
    while true {
      // What is over before its words are asked for is told by them as it ended.
      let status = try await connection.patiently { try await connection.value(path) }["status"].text
      let text = try await connection.patiently { try await connection.text(path) }
      let lines = text.split(separator: "\n")
      for line in lines where !shown.contains(line) { try Console.write(line + "\n") }
      shown = Set(lines)
      let isOver = !["running", "paused", "rolling_back"].contains(status)
      if isOver, status != "verified" { throw CommandFailure(.checkFailed) }
      guard follow, !isOver else { return }
      try await Task.sleep(for: .milliseconds(500))
    }
  }
}
