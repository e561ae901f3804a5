import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/windows`: when plans may be brought to nodes by themselves.
struct WindowHandlers: Sendable {
  let windows: WindowRegistry

  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(request, default: WindowRegistry.most, most: WindowRegistry.most)
    try request.acceptsJSON()
    let page = query.page(windows.windows.filter { $0.name > query.cursor ?? "" }) { $0.name }
    return try .json(
      200,
      WindowListDocument(
        windows: page.items.map(document), nextCursor: page.next, rollouts: Self.gate(windows)))
  }

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    guard let window = windows.window(request.pathParameters["name"] ?? "") else { throw Self.notFound }
    return try .json(200, document(window))
  }

  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let name = request.pathParameters["name"] ?? ""
    let source = try request.input()
    let window: RolloutWindow
    do {
      window = try WindowReader.read(source, name: name)
    } catch {
      throw ProblemDetails(error)
    }
    let isNew: Bool
    do throws(WindowRegistry.Refusal) {
      isNew = try await windows.set(window)
    } catch {
      throw Self.problem(error)
    }
    return try .json(
      isNew ? 201 : 200, document(window), headers: isNew ? ["Location": "/v1/windows/\(name)"] : [:])
  }

  func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    do throws(WindowRegistry.Refusal) {
      try await windows.remove(request.pathParameters["name"] ?? "")
    } catch {
      throw Self.problem(error)
    }
    return HTTPResponse(status: 204)
  }

  /// What all windows say now.
  static func gate(_ windows: WindowRegistry) -> RolloutGateDocument {
    let verdict = windows.verdict
    return RolloutGateDocument(
      open: verdict.isOpen, shutBy: verdict.shutBy, until: windows.until.map(Timestamp.text),
      openForLostCapacity: verdict.isOpenForLostCapacity)
  }

  /// Refuses what an operator begins while it is shut, unless that is meant.
  ///
  /// - Throws: 409 `window_closed`.
  static func check(_ windows: WindowRegistry, force: Bool) throws(ProblemDetails) {
    let verdict = windows.verdict
    guard !verdict.isOpen, !force else { return }
    let until = windows.until.map { " until \(Timestamp.text($0))" } ?? ""
    throw ProblemDetails(
      status: 409, code: "window_closed",
      detail:
        "Plans are not brought to nodes\(until), by the windows \(verdict.shutBy.joined(separator: ", ")); with force=true "
        + "this one is all the same.")
  }

  private func document(_ window: RolloutWindow) -> WindowDocument {
    WindowDocument(name: window.name, spec: WindowReader.spec(of: window), isNow: windows.isNow(window))
  }

  private static let notFound = ProblemDetails(
    status: 404, code: "not_found", detail: "There is no window of this name.")

  private static func problem(_ refusal: WindowRegistry.Refusal) -> ProblemDetails {
    switch refusal {
    case .notFound: notFound
    case .tooMany(let limit):
      ProblemDetails(
        status: 409, code: "too_many_windows", detail: "This controller keeps at most \(limit) windows; take some away."
      )
    case .storeFailed(let error): ProblemDetails(error)
    }
  }
}

/// The answer of `GET /v1/windows`.
private struct WindowListDocument: Encodable {
  var windows: [WindowDocument]
  var nextCursor: String?
  /// Whether plans are brought to nodes by themselves now.
  var rollouts: RolloutGateDocument

  enum CodingKeys: String, CodingKey { case windows, nextCursor, rollouts }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(windows, forKey: .windows)
    try container.encode(nextCursor, forKey: .nextCursor)
    try container.encode(rollouts, forKey: .rollouts)
  }
}
