import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import Synchronization

/// `/v3/discovery:*`, which Envoys ask, and `/v1/proxies`, which shows them.
final class DiscoveryHandlers: Sendable {
  /// An Envoy lists its extensions in every request: tens of kilobytes.
  static let bodyLimit = 1 << 20
  static let defaultLimit = 100
  static let maxLimit = 1_000

  private let traffic: TrafficBoard
  private let proxies: ProxyRegistry
  private let now: @Sendable () -> Date
  private let resources = Mutex<EnvoyResources?>(nil)
  /// An Envoy asks the same, byte for byte, until something has changed: what was understood once is not read again.
  private let understood = Mutex<[Int: DiscoveryRequest]>([:])
  private static let mostUnderstood = 16_384

  init(traffic: TrafficBoard, proxies: ProxyRegistry, now: @escaping @Sendable () -> Date) {
    self.traffic = traffic
    self.proxies = proxies
    self.now = now
  }

  func discover(_ type: EnvoyType) -> @Sendable (HTTPRequest) throws -> HTTPResponse {
    { [self] request in
      try request.allowQuery()
      let question = try read(request.body, type)
      let view = traffic.view
      guard view.isSettled else { throw ProblemDetails.unsettled }
      let answer = current(view.table).answer(type, question)
      proxies.asked(question, type, answered: answer.version, at: now())
      if question.version == answer.version { return HTTPResponse(status: 304) }
      return HTTPResponse(status: 200, contentType: "application/json", body: answer.body)
    }
  }

  private func read(_ body: Data, _ type: EnvoyType) throws(ProblemDetails) -> DiscoveryRequest {
    var hasher = Hasher()
    hasher.combine(type)
    body.withUnsafeBytes { hasher.combine(bytes: $0) }
    let digest = hasher.finalize()
    if let known = understood.withLock({ $0[digest] }) { return known }
    let question = try DiscoveryRequest(body, typeURL: type.url)
    understood.withLock { understood in
      if understood.count >= Self.mostUnderstood { understood = [:] }
      understood[digest] = question
    }
    return question
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
    let page = query.page(proxies.all.filter { $0.id > query.cursor ?? "" }) { $0.id }
    let time = now()
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
      let isRefusing = proxy.subscriptions.contains(where: \.isRefused)
      row.field("state", isSilent ? "silent" : isRefusing ? "refusing" : "current")
      row.field("firstSeen", Timestamp.text(proxy.firstSeen))
      row.field("lastSeen", Timestamp.text(proxy.lastSeen))
      row.array("subscriptions") { subscriptions in
        for one in proxy.subscriptions {
          subscriptions.object(inline: true) { subscription in
            subscription.field("type", one.type.rawValue)
            subscription.field("names", one.names)
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
