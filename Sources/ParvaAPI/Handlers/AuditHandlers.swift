import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/audit`: who has done what.
struct AuditHandlers: Sendable {
  static let defaultLimit = 100
  static let maxLimit = 1000
  /// Exports at a time.
  static let mostExports = 8

  let log: AuditLog

  /// A page of rows, newest first; or, as lines of JSON, all rows after one, oldest first.
  func list(_ request: HTTPRequest) async throws -> HTTPResponse {
    let query = try PageQuery(
      request, default: Self.defaultLimit, most: Self.maxLimit, beside: "who", "resource", "since", "after")
    let filter = AuditFilter(
      who: request.queryValue("who"), resource: request.queryValue("resource"), since: try Self.since(request))
    let after = try request.integer("after", in: 0...Int.max)
    let isExport = try request.preferred([(false, ["application/json"]), (true, ["application/x-ndjson"])])
    if isExport {
      guard query.cursor == nil, request.queryValue("limit") == nil else {
        throw ProblemDetails.parameter("cursor", "is for pages; an export goes on after a number, by 'after'")
      }
      return export(filter, after: after ?? 0)
    }
    guard after == nil else { throw ProblemDetails.parameter("after", "is for exports as application/x-ndjson") }
    let before = try query.number()
    let rows: [AuditEntry]
    do throws(StoreError) {
      rows = try await log.entries(filter, .before(before), limit: query.limit + 1)
    } catch {
      throw ProblemDetails(error)
    }
    let page = query.page(rows) { String($0.number) }
    return try .json(
      200, PageDocument("entries", page.items.map(AuditDocument.init), next: page.next), headers: ["Vary": "Accept"])
  }

  private func export(_ filter: AuditFilter, after: Int) -> HTTPResponse {
    HTTPResponse(
      status: 200, contentType: "application/x-ndjson", headers: ["Vary": "Accept", "Cache-Control": "no-store"]
    ) { [log] writer in
      var last = after
      while true {
        let rows = try await log.entries(filter, .after(last), limit: 500)
        guard let newest = rows.last else { return }
        var lines = Data()
        for row in rows { lines += try WireWriter.json(AuditDocument(row)) + Data("\n".utf8) }
        try await writer.write(lines)
        last = newest.number
      }
    }
  }

  private static func since(_ request: HTTPRequest) throws(ProblemDetails) -> Date? {
    guard let text = request.queryValue("since") else { return nil }
    for fraction in [false, true] {
      if let date = try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: fraction)) {
        return date
      }
    }
    throw .parameter("since", "must be a time by RFC 3339, for example 2027-01-31T12:00:00Z")
  }
}

extension AuditDocument {
  init(_ entry: AuditEntry) {
    self.init(
      number: entry.number, time: Timestamp.text(entry.time), who: entry.who, name: entry.name, method: entry.method,
      path: entry.path, resource: entry.resource, requestId: entry.requestID, status: entry.status,
      before: entry.before, after: entry.after, changed: entry.isChange)
  }
}
