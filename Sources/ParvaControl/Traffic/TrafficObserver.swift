import Foundation
package import Logging
package import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing
import Synchronization

/// Reads what Envoys count of the requests that they bring to workloads, and keeps the last stretch of it.
///
/// It tells, and nothing more: no plan follows from it.
package final class TrafficObserver: Sendable {
  package struct Settings: Sendable {
    /// Where the admin pages of Envoys are.
    package var envoys: [String] = []
    /// Between two readings.
    package var interval = Duration.seconds(10)
    /// How much more than declared is no deviation yet, as a share.
    package var band = 0.2
    /// Readings that a stretch has at most.
    package var readings = 6

    package init() {}
  }

  fileprivate struct Stretch: Sendable {
    var seconds: Double
    var counts: [String: TrafficCounts]
  }

  fileprivate struct State: Sendable {
    /// By Envoy, what it has counted since it started, and when that was read.
    var before: [String: (counts: [String: TrafficCounts], at: ContinuousClock.Instant)] = [:]
    var stretches: [String: [Stretch]] = [:]
    var silent: Set<String> = []
    var sum: [String: TrafficCounts] = [:]
    var seconds = 0.0
    /// Grows with every reading.
    var readings = 0
  }

  package let settings: Settings
  private let client: HTTPClient
  private let logger: Logger
  private let state = Mutex(State())

  package init(_ settings: Settings, logger: Logger) {
    self.settings = settings
    self.logger = logger
    var configuration = HTTPClientConfiguration()
    configuration.timeout = .seconds(10)
    configuration.maxResponseBytes = 64 << 20
    configuration.followsProxies = false
    configuration.retries = 0
    client = HTTPClient(configuration: configuration)
  }

  /// Whether anybody is to be read.
  package var isOn: Bool { !settings.envoys.isEmpty }

  /// Grows with every reading that something follows from.
  var readings: Int { state.withLock(\.readings) }

  /// How many are read, and how many of them did not answer last.
  package var sources: (all: Int, silent: Int) { (settings.envoys.count, state.withLock { $0.silent.count }) }

  /// What was seen of a workload; nil where nothing was.
  package func observation(_ id: String, _ table: EndpointTable) -> TrafficObservation? {
    let (counts, seconds) = state.withLock { ($0.sum[id], $0.seconds) }
    guard let counts, seconds > 0 else { return nil }
    var segments: [String: String] = [:]
    for endpoint in table[id] {
      guard let port = endpoint.port, let segment = endpoint.segment else { continue }
      segments[HostPort.text(endpoint.address, port)] = segment
    }
    return TrafficObservation(counts, seconds: seconds, segment: segments)
  }

  /// Whether a workload's requests go as declared; nil where nobody is to be read.
  package func condition(_ workload: Workload, _ table: EndpointTable) -> Condition? {
    guard isOn else { return nil }
    return observation(workload.id, table)?.condition(workload, band: settings.band) ?? TrafficObservation.unseen
  }

  func run() async {
    guard isOn else { return }
    while !Task.isCancelled {
      for url in settings.envoys { await read(url) }
      try? await Task.sleep(for: settings.interval)
    }
    client.shutdown()
  }

  private func read(_ url: String) async {
    do {
      let response = try await client.send(HTTPClientRequest(method: "GET", url: url + EnvoyStatistics.path))
      guard response.status == 200 else { return note(url, "it answers \(response.status)") }
      take(try EnvoyStatistics.read(response.body), of: url, at: .now)
    } catch {
      if !Task.isCancelled { note(url, "\(error)") }
    }
  }

  private func note(_ url: String, _ cause: String) {
    let isNew = state.withLock { $0.silent.insert(url).inserted }
    if isNew {
      logger.warning("an Envoy's statistics cannot be read", metadata: ["url": "\(url)", "cause": "\(cause)"])
    }
  }

  /// What an Envoy has counted since it started.
  func take(_ counts: [String: TrafficCounts], of url: String, at time: ContinuousClock.Instant) {
    state.withLock { state in
      state.silent.remove(url)
      defer { state.before[url] = (counts, time) }
      guard let before = state.before[url] else { return }
      let seconds = before.at.duration(to: time).seconds
      guard seconds > 0 else { return }
      var stretches = state.stretches[url] ?? []
      var change: [String: TrafficCounts] = [:]
      for (id, one) in counts { change[id] = before.counts[id].map { one.since($0) } ?? one }
      stretches.append(Stretch(seconds: seconds, counts: change))
      state.stretches[url] = stretches.suffix(settings.readings)
      state.sumUp()
      state.readings += 1
    }
  }
}

extension TrafficObserver.State {
  /// Over all Envoys; each has the mean length of a stretch.
  fileprivate mutating func sumUp() {
    sum = [:]
    var (length, count) = (0.0, 0.0)
    for (_, list) in stretches {
      length += list.reduce(0) { $0 + $1.seconds }
      count += 1
      for (id, counts) in list.lazy.flatMap(\.counts) { sum[id, default: TrafficCounts()].add(counts) }
    }
    seconds = count > 0 ? length / count : 0
  }
}
