import ArgumentParser
import Foundation
import ParvaFormats
import ParvaHTTP

/// A verb that can be tried: the server judges it as it would the real one, and stores nothing.
struct DryRunOption: ParsableArguments {
  @Flag(
    name: .customLong("dry-run"),
    help: "Have the server say what would be done, and do nothing; ends with 4 where something would change.")
  var isOn = false

  /// Sends a change, or tries it.
  ///
  /// - Parameters: as of ``ServerConnection/send(_:_:body:headers:accept:isRepeatable:accepting:inDoubt:)``.
  func send(
    _ method: String, _ path: String, body: Data? = nil, headers: [String: String] = [:], accepting: Set<Int> = [],
    inDoubt: Set<Int> = [], to connection: ServerConnection
  ) async throws -> Outcome {
    let query = isOn ? (path.contains("?") ? "&" : "?") + "dryRun=true" : ""
    let response = try await connection.send(
      method, path + query, body: body, headers: headers, isRepeatable: isOn, accepting: accepting, inDoubt: inDoubt)
    guard isOn, (200..<300).contains(response.status) else {
      return Outcome(status: response.status, response: response, changes: !isOn)
    }
    let tried = try ServerConnection.value(of: response)
    // A controller that has never heard of it has done it.
    guard tried["dryRun"].flag == true, let status = tried["status"].number else {
      throw CommandFailure(.unexpected, "the server does not say that this was a dry run; see what it has done")
    }
    return Outcome(status: Int(status), response: response, changes: tried["changed"].flag == true)
  }

  /// Puts something in place of what is there, or where nothing is, unless somebody else is faster.
  ///
  /// - Parameter body: makes it of what is there, null where nothing is.
  func put(
    _ path: String, to connection: ServerConnection, _ body: (JSONValue) throws -> Data
  ) async throws -> Outcome {
    let standing = try await connection.send("GET", path, accepting: [404])
    let isThere = standing.status != 404
    let condition = isThere ? standing.headers["ETag"].map { ["If-Match": $0] } ?? [:] : ["If-None-Match": "*"]
    return try await send(
      "PUT", path, body: try body(isThere ? try ServerConnection.value(of: standing) : .null),
      headers: condition.merging(["Prefer": "return=minimal"]) { $1 },
      to: connection)
  }

  /// What has come of a change, or would.
  struct Outcome {
    /// As the change itself is answered.
    var status: Int
    var response: HTTPResponse
    /// Whether something has changed, or would.
    var changes: Bool
  }

  /// Ends a dry run that would change something as other checks end that fail.
  func finish(_ changes: Bool) throws {
    if isOn, changes { throw CommandFailure(.checkFailed) }
  }
}
