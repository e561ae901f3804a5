import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import Synchronization

/// `/v3/discovery:*`, which Envoys ask, and `/v1/proxies`, which shows them.
final class DiscoveryHandlers: Sendable {
  static let defaultLimit = 100
  static let maxLimit = 1_000

  private let traffic: TrafficBoard
  private let proxies: ProxyRegistry
  /// How long who holds what there is may wait for another: an Envoy sends its tens of kilobytes that much more rarely, and
  /// hears of a change at once.
  private let hold: Duration
  private let now: @Sendable () -> Date
  private let resources = Mutex<EnvoyResources?>(nil)
  /// An Envoy asks the same, byte for byte, until something has changed: what was understood once is not read again.
  private let understood = Mutex(BoundedCache<Int, DiscoveryRequest>(bytes: 32 << 20))
  private let held = Mutex(Held())
  /// Most questions that wait at a time, of all Envoys and of one, which takes a connection for each and has 1,024 of them.
  /// Others are answered at once, and asked again in a second.
  private static let mostHeld = 10_000
  private static let mostHeldOfOne = 500

  private struct Held {
    var all = 0
    var byNode: [String: Int] = [:]

    mutating func enter(_ node: String) -> Bool {
      guard all < mostHeld, byNode[node, default: 0] < mostHeldOfOne else { return false }
      all += 1
      byNode[node, default: 0] += 1
      return true
    }

    mutating func leave(_ node: String) {
      all -= 1
      let left = byNode[node, default: 1] - 1
      byNode[node] = left > 0 ? left : nil
    }
  }

  init(traffic: TrafficBoard, proxies: ProxyRegistry, hold: Duration, now: @escaping @Sendable () -> Date) {
    self.traffic = traffic
    self.proxies = proxies
    self.hold = hold
    self.now = now
  }

  func discover(_ type: EnvoyType) -> @Sendable (HTTPRequest) throws -> Route.Beginning {
    { [self] request in
      try request.allowQuery()
      let question = try read(request.body, type)
      let view = traffic.shown(traffic.view)
      if let response = try answer(question, type, view) { return .answer(response) }
      let patience = self.patience(of: request)
      guard patience > .zero, !traffic.isClosed, held.withLock({ $0.enter(question.node) }) else {
        return .answer(HTTPResponse(status: 304))
      }
      return .rest { [self] in
        defer { held.withLock { $0.leave(question.node) } }
        return try await wait(question, type, since: view, for: patience)
      }
    }
  }

  /// How long who asks can be let wait: an Envoy says when it gives up. Others are answered at once.
  private func patience(of request: HTTPRequest) -> Duration {
    let expected = request.headers["x-envoy-expected-rq-timeout-ms"].flatMap { Int($0) } ?? 0
    return min(hold, .milliseconds(min(expected, 1 << 30) - 1_000))
  }

  /// Nil where it holds what there is.
  private func answer(
    _ question: DiscoveryRequest, _ type: EnvoyType, _ view: TrafficBoard.View
  ) throws(ProblemDetails) -> HTTPResponse? {
    guard view.isSettled else { throw ProblemDetails.unsettled }
    let answer = current(view.table).answer(type, question)
    proxies.asked(question, type, answered: answer.version, at: now())
    if question.version == answer.version { return nil }
    return HTTPResponse(status: 200, contentType: "application/json", body: answer.body)
  }

  private func wait(
    _ question: DiscoveryRequest, _ type: EnvoyType, since seen: TrafficBoard.View, for patience: Duration
  ) async throws -> HTTPResponse {
    let end = ContinuousClock.now + patience
    var version = seen.table.version
    while case let left = end - .now, left > .zero, !traffic.isClosed {
      let known = version
      let view = traffic.shown(
        await traffic.wait(for: left) { [traffic] in traffic.shown($0).table.version != known })
      guard view.table.version != known else { break }
      // Of all that changes it may be something else.
      if let response = try answer(question, type, view) { return response }
      version = view.table.version
    }
    return HTTPResponse(status: 304)
  }

  private func read(_ body: Data, _ type: EnvoyType) throws(ProblemDetails) -> DiscoveryRequest {
    var hasher = Hasher()
    hasher.combine(type)
    body.withUnsafeBytes { hasher.combine(bytes: $0) }
    let digest = hasher.finalize()
    if let known = understood.withLock({ $0[digest] }) { return known }
    do throws(InputErrors) {
      let question = try DiscoveryRequest(body, typeURL: type.url)
      understood.withLock { $0.keep(question, for: digest, bytes: question.size) }
      return question
    } catch {
      throw ProblemDetails(error)
    }
  }

  private func current(_ table: EndpointTable) -> EnvoyResources {
    resources.withLock { resources in
      if let resources, resources.version == table.version { return resources }
      let made = EnvoyResources(table, after: resources)
      resources = made
      return made
    }
  }

  // MARK: - Who asks

  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit)
    try request.acceptsJSON()
    let time = now()
    let page = query.page(proxies.all(at: time).filter { $0.id > query.cursor ?? "" }) { $0.id }
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.array("proxies") { list in
        for proxy in page.items { Self.write(proxy, time, &list) }
      }
      root.field("nextCursor", page.next)
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }

  private static func write(_ proxy: ProxyRegistry.Proxy, _ time: Date, _ list: inout DocumentWriter) {
    list.object { row in
      row.field("id", proxy.id)
      row.field("cluster", proxy.cluster)
      let isSilent = time.timeIntervalSince(proxy.lastSeen) > ProxyRegistry.silence
      row.field("state", isSilent ? "silent" : proxy.isRefusing ? "refusing" : "current")
      row.field("firstSeen", Timestamp.text(proxy.firstSeen))
      row.field("lastSeen", Timestamp.text(proxy.lastSeen))
      row.field("isWhole", proxy.isWhole)
      row.array("subscriptions") { subscriptions in
        for (subject, one) in proxy.subscriptions.sorted(by: { $0.key < $1.key }) {
          subscriptions.object(inline: true) { subscription in
            subscription.field("type", subject.type.rawValue)
            subscription.field("names", subject.names)
            subscription.field("version", one.version)
            if one.isRefused {
              subscription.field("refused", one.offered)
              subscription.field(
                "message", one.message ?? "it asks again without what it was sent; its log has the cause")
            }
          }
        }
      }
    }
  }
}
