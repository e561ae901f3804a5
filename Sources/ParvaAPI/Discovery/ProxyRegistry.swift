import Foundation
import Synchronization

/// The Envoys that ask, what each holds of each type, and what it refuses.
///
/// The REST form tells of a refusal in one way for sure: who was sent a version and asks again without it has not taken it.
/// Twice may be two answers that were lost; from the third on it is shown.
package final class ProxyRegistry: Sendable {
  /// Proxies that are known at a time; those that have not asked for longest are forgotten.
  static let most = 20_000
  static let offersUntilRefused = 3
  /// Seconds without a question after which a proxy counts as silent.
  static let silence = 10.0

  /// What one proxy holds of one type, or of one resource of it.
  struct Subscription: Sendable, Hashable {
    var type: EnvoyType
    /// The resources by name, joined.
    var names: String
    /// Version that it says it holds.
    var version = ""
    /// The version that it was sent and has not taken, and how often.
    var offered = ""
    var offers = 0
    var message: String?

    var isRefused: Bool { message != nil || offers >= ProxyRegistry.offersUntilRefused }
  }

  struct Proxy: Sendable {
    var id: String
    var cluster: String
    var firstSeen: Date
    var lastSeen: Date
    var subscriptions: [Subscription] = []
  }

  private let proxies = Mutex<[String: Proxy]>([:])
  private let refusals = Mutex(0)

  package init() {}

  /// By id.
  var all: [Proxy] { proxies.withLock { $0.values.sorted { $0.id < $1.id } } }

  /// Proxies that have asked since a moment, how many of them refuse something, and refusals since the start.
  func count(since time: Date) -> (proxies: Int, refusing: Int, refusals: Int) {
    let counts = proxies.withLock { proxies in
      var (seen, refusing) = (0, 0)
      for proxy in proxies.values where proxy.lastSeen >= time {
        seen += 1
        if proxy.subscriptions.contains(where: \.isRefused) { refusing += 1 }
      }
      return (seen, refusing)
    }
    return (counts.0, counts.1, refusals.withLock { $0 })
  }

  /// Notes what a proxy asks, and which version it is answered. O(its subscriptions).
  func asked(_ request: DiscoveryRequest, _ type: EnvoyType, answered version: String, at time: Date) {
    let isNewRefusal = proxies.withLock { proxies in
      if proxies[request.node] == nil {
        if proxies.count >= Self.most, let oldest = proxies.values.min(by: { $0.lastSeen < $1.lastSeen }) {
          proxies[oldest.id] = nil
        }
        proxies[request.node] = Proxy(id: request.node, cluster: request.cluster, firstSeen: time, lastSeen: time)
      }
      return proxies[request.node]?.note(request, type, version, time) ?? false
    }
    if isNewRefusal { refusals.withLock { $0 += 1 } }
  }
}

extension ProxyRegistry.Proxy {
  /// Most that one proxy may ask for; beyond it the oldest are forgotten.
  private static let mostSubscriptions = 4_096

  fileprivate mutating func note(
    _ request: DiscoveryRequest, _ type: EnvoyType, _ version: String, _ time: Date
  ) -> Bool {
    (lastSeen, cluster) = (time, request.cluster)
    let names = request.names.joined(separator: " ")
    let index: Int
    if let known = subscriptions.firstIndex(where: { $0.type == type && $0.names == names }) {
      index = known
    } else {
      // Who asks for other names of a type than before holds the whole of them.
      if subscriptions.count >= Self.mostSubscriptions { subscriptions.removeFirst() }
      subscriptions.append(ProxyRegistry.Subscription(type: type, names: names))
      index = subscriptions.count - 1
    }
    let wasRefused = subscriptions[index].isRefused
    subscriptions[index].version = request.version
    if request.version == version {
      (subscriptions[index].offered, subscriptions[index].offers, subscriptions[index].message) = (version, 0, nil)
      return false
    }
    if subscriptions[index].offered == version {
      subscriptions[index].offers += 1
    } else {
      (subscriptions[index].offered, subscriptions[index].offers) = (version, 1)
      subscriptions[index].message = nil
    }
    if let refusal = request.refusal { subscriptions[index].message = refusal }
    return !wasRefused && subscriptions[index].isRefused
  }
}
