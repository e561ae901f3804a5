import Foundation
import ParvaFormats
import Synchronization

/// The Envoys that ask, what each holds of each type, and what it refuses.
///
/// The REST form tells of a refusal in one way for sure: who was sent a version and asks again without it has not taken it.
/// Twice may be two answers that were lost; from the third on it is shown.
package final class ProxyRegistry: Sendable {
  /// Proxies that are known at a time; those that have not asked for longest are forgotten.
  static let most = 20_000
  /// Subscriptions of one proxy, and of all together, that are kept; what one asks for beyond them is answered all the same.
  static let mostSubscriptions = 4_096
  static let mostOfAll = 400_000
  static let offersUntilRefused = 3
  /// Seconds without a question after which a proxy counts as silent.
  static let silence = 15.0
  /// Seconds after which a proxy no longer asks for what it has not asked for: its workload has gone.
  static let patience = 30.0
  /// Bytes that are kept of what is asked for, and of why it is refused.
  static let textBytes = 1_000

  /// What is asked for: a type, or resources of it.
  struct Subject: Hashable, Comparable, Sendable {
    var type: EnvoyType
    /// The resources by name, joined; of long ones the beginning.
    var names: String
    /// Tells what is long from what begins alike.
    var digest: Int

    init(_ type: EnvoyType, _ names: [String]) {
      self.type = type
      self.names = names.joined(separator: " ").shortened(to: ProxyRegistry.textBytes)
      digest = names.hashValue
    }

    static func < (a: Self, b: Self) -> Bool {
      (a.type.order, a.names, a.digest) < (b.type.order, b.names, b.digest)
    }
  }

  /// What one proxy holds of it.
  struct Subscription: Sendable, Hashable {
    /// Version that it says it holds.
    var version = ""
    /// The version that it was sent and has not taken, and how often.
    var offered = ""
    var offers = 0
    var message: String?
    var lastAsked = Date.distantPast

    var isRefused: Bool { message != nil || offers >= ProxyRegistry.offersUntilRefused }
  }

  struct Proxy: Sendable {
    var id: String
    var cluster: String
    var firstSeen: Date
    var lastSeen: Date
    var subscriptions: [Subject: Subscription] = [:]
    /// Whether all that it asks for is among the subscriptions.
    var isWhole = true

    var isRefusing: Bool { subscriptions.values.contains(where: \.isRefused) }
  }

  fileprivate struct State {
    var proxies: [String: Proxy] = [:]
    var subscriptions = 0
    var refusals = 0
  }

  private let state = Mutex(State())

  package init() {}

  /// By id, with what each still asks for.
  func all(at time: Date) -> [Proxy] {
    state.withLock { state in
      state.forget(at: time)
      return state.proxies.values.sorted { $0.id < $1.id }
    }
  }

  /// Proxies that have asked lately, how many of them refuse something, and refusals since the start.
  func count(at time: Date) -> (proxies: Int, refusing: Int, refusals: Int) {
    state.withLock { state in
      state.forget(at: time)
      var (seen, refusing) = (0, 0)
      for proxy in state.proxies.values where time.timeIntervalSince(proxy.lastSeen) <= Self.silence {
        seen += 1
        if proxy.isRefusing { refusing += 1 }
      }
      return (seen, refusing, state.refusals)
    }
  }

  /// Notes what a proxy asks, and which version it is answered. O(1), but for the first question of a proxy.
  func asked(_ request: DiscoveryRequest, _ type: EnvoyType, answered version: String, at time: Date) {
    state.withLock { $0.note(request, Subject(type, request.names), version, time) }
  }
}

extension ProxyRegistry.State {
  /// Lets go of what proxies have ceased to ask for while they asked for other things. O(subscriptions).
  fileprivate mutating func forget(at time: Date) {
    for id in proxies.keys { forget(id) }
  }

  private mutating func forget(_ id: String) {
    guard let proxy = proxies[id] else { return }
    let end = proxy.lastSeen.addingTimeInterval(-ProxyRegistry.patience)
    let gone = proxy.subscriptions.filter { $0.value.lastAsked < end }.map(\.key)
    for subject in gone { proxies[id]?.subscriptions[subject] = nil }
    subscriptions -= gone.count
  }

  private mutating func makeRoom() {
    guard proxies.count >= ProxyRegistry.most, let oldest = proxies.values.min(by: { $0.lastSeen < $1.lastSeen })
    else { return }
    subscriptions -= oldest.subscriptions.count
    proxies[oldest.id] = nil
  }

  fileprivate mutating func note(
    _ request: DiscoveryRequest, _ subject: ProxyRegistry.Subject, _ version: String, _ time: Date
  ) {
    let id = request.node
    if proxies[id] == nil {
      makeRoom()
      proxies[id] = ProxyRegistry.Proxy(id: id, cluster: request.cluster, firstSeen: time, lastSeen: time)
    }
    proxies[id]?.lastSeen = time
    proxies[id]?.cluster = request.cluster
    if proxies[id]?.subscriptions[subject] == nil {
      if proxies[id]?.subscriptions.count ?? 0 >= ProxyRegistry.mostSubscriptions { forget(id) }
      guard proxies[id]?.subscriptions.count ?? 0 < ProxyRegistry.mostSubscriptions,
        subscriptions < ProxyRegistry.mostOfAll
      else {
        proxies[id]?.isWhole = false
        return
      }
      proxies[id]?.subscriptions[subject] = ProxyRegistry.Subscription()
      subscriptions += 1
    }
    if proxies[id]?.subscriptions[subject]?.note(request, version, time) ?? false { refusals += 1 }
  }
}

extension ProxyRegistry.Subscription {
  /// Answers whether it has begun to refuse.
  fileprivate mutating func note(_ request: DiscoveryRequest, _ current: String, _ time: Date) -> Bool {
    let wasRefused = isRefused
    (version, lastAsked) = (request.version, time)
    if request.version == current {
      (offered, offers, message) = (current, 0, nil)
      return false
    }
    if offered == current {
      offers += 1
    } else {
      (offered, offers, message) = (current, 1, nil)
    }
    if let refusal = request.refusal { message = refusal.shortened(to: ProxyRegistry.textBytes) }
    return !wasRefused && isRefused
  }
}

extension String {
  /// The beginning of at most so many bytes, whole characters.
  fileprivate func shortened(to bytes: Int) -> String {
    guard utf8.count > bytes else { return self }
    var (kept, count) = (startIndex, 0)
    for index in indices {
      count += self[index].utf8.count
      guard count <= bytes else { break }
      kept = self.index(after: index)
    }
    return String(self[..<kept])
  }
}
