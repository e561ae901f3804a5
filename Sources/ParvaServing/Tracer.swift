import Foundation
package import Logging
import ParvaHTTP
import Synchronization

/// Takes spans and brings them to an OpenTelemetry collector (OTLP over HTTP, as JSON).
///
/// Nobody waits for it: ending a span puts it into a queue of bounded length, and where that is full, or where the collector
/// takes none, spans are dropped and counted.
package final class Tracer: Sendable {
  package struct Settings: Sendable {
    /// URL of the collector, below which `/v1/traces` is.
    package var endpoint: String
    /// `service.name` and what else is so of all spans.
    package var resource: [(name: String, value: String)]
    /// Most spans that wait.
    package var queue = 2048
    /// Most spans of one request.
    package var batch = 256
    /// Between two requests, where fewer wait than fill one.
    package var interval = Duration.seconds(1)
    package var timeout = Duration.seconds(5)

    package init(endpoint: String, service: String, resource: [(name: String, value: String)] = []) {
      self.endpoint = endpoint
      self.resource = [("service.name", service), ("service.version", Version.current)] + resource
    }
  }

  /// What became of spans.
  package struct Totals: Hashable, Sendable {
    package var exported = 0
    /// The queue was full.
    package var overflowed = 0
    /// The collector did not take them.
    package var refused = 0
  }

  private struct State {
    var waiting: [Span.Ended] = []
    var totals = Totals()
    var known = BoundedContexts()
    var open: [String: Span] = [:]
    var isSilent = false
  }

  /// The span within which this task works.
  @TaskLocal package static var current: SpanContext?

  /// Spans that end elsewhere than they begin, at most.
  private static let mostOpen = 1024

  private let settings: Settings
  private let client: HTTPClient
  private let logger: Logger
  private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  private let state = Mutex(State())

  package init(_ settings: Settings, logger: Logger) {
    self.settings = settings
    self.logger = logger
    var configuration = HTTPClientConfiguration()
    configuration.timeout = settings.timeout
    configuration.retries = 0
    client = HTTPClient(configuration: configuration)
  }

  package var totals: Totals { state.withLock(\.totals) }

  // MARK: - Spans

  package func begin(
    _ name: String, _ kind: Span.Kind = .internal, below parent: SpanContext?, links: [SpanContext] = []
  ) -> Span {
    Span(name, kind, below: parent, links: links)
  }

  /// Never waits.
  package func end(_ span: Span, _ attributes: [(name: String, value: Span.Value)] = [], error: String? = nil) {
    let isFull = state.withLock { state in
      guard state.waiting.count < settings.queue else {
        state.totals.overflowed += 1
        return true
      }
      state.waiting.append(Span.Ended(span, attributes, error: error))
      return state.waiting.count >= settings.batch
    }
    if isFull { bell.continuation.yield() }
  }

  /// Keeps a span that ends elsewhere under a name.
  package func keep(_ span: Span, as name: String) {
    state.withLock { state in
      if state.open.count < Self.mostOpen { state.open[name] = span }
      state.known.add(span.context, as: name)
    }
  }

  /// Ends what was kept; without effect where nothing was.
  package func endKept(_ name: String, _ attributes: [(name: String, value: Span.Value)], error: String? = nil) {
    guard let span = state.withLock({ $0.open.removeValue(forKey: name) }) else { return }
    end(span, attributes, error: error)
  }

  // MARK: - What belongs to what

  /// Remembers to which span something belongs that others go on with.
  package func note(_ context: SpanContext?, as name: String) {
    guard let context else { return }
    state.withLock { $0.known.add(context, as: name) }
  }

  /// To which span it belongs, the newest first noted last; empty where that is not known (any more).
  package func contexts(of name: String) -> [SpanContext] { state.withLock { $0.known[name] } }

  package func context(of name: String) -> SpanContext? { contexts(of: name).first }

  /// The same, and forgets it.
  package func take(_ name: String) -> [SpanContext] { state.withLock { $0.known.take(name) } }

  // MARK: - Export

  /// Brings spans to the collector until ``stop()``.
  package func run() async {
    let ticking = Task { [bell, interval = settings.interval] in
      while (try? await Task.sleep(for: interval)) != nil { bell.continuation.yield() }
    }
    for await _ in bell.stream { await export() }
    ticking.cancel()
    await export()
    client.shutdown()
  }

  /// What waits is tried once more, then ``run()`` returns.
  package func stop() { bell.continuation.finish() }

  /// Sends what waits, until the collector takes something no more.
  private func export() async {
    while true {
      let batch = state.withLock { state in
        let batch = Array(state.waiting.prefix(settings.batch))
        state.waiting.removeFirst(batch.count)
        return batch
      }
      guard !batch.isEmpty, await send(batch) else { return }
    }
  }

  private func send(_ batch: [Span.Ended]) async -> Bool {
    let failure: String?
    do {
      let body = try OTLPDocument(batch, resource: settings.resource).data
      let response = try await client.send(
        HTTPClientRequest(
          method: "POST", url: settings.endpoint + "/v1/traces", headers: ["Content-Type": "application/json"],
          body: body))
      failure = (200..<300).contains(response.status) ? nil : "it answers \(response.status)"
    } catch {
      failure = (error as? HTTPClientError)?.message ?? "\(error)"
    }
    let isNews = state.withLock { state in
      if failure == nil { state.totals.exported += batch.count } else { state.totals.refused += batch.count }
      defer { state.isSilent = failure != nil }
      return state.isSilent != (failure != nil)
    }
    guard isNews else { return failure == nil }
    if let failure {
      logger.warning("the collector takes no spans; they are dropped", metadata: ["cause": "\(failure)"])
    } else {
      logger.notice("the collector takes spans again")
    }
    return failure == nil
  }
}

/// To which spans names belong; the oldest names are forgotten.
private struct BoundedContexts {
  static let mostNames = 1024
  static let mostOfOne = 32
  private var names: [String] = []
  private var contexts: [String: [SpanContext]] = [:]

  subscript(name: String) -> [SpanContext] { contexts[name] ?? [] }

  mutating func add(_ context: SpanContext, as name: String) {
    if contexts[name] == nil {
      names.append(name)
      if names.count > Self.mostNames { contexts[names.removeFirst()] = nil }
    }
    if contexts[name, default: []].count < Self.mostOfOne { contexts[name, default: []].append(context) }
  }

  mutating func take(_ name: String) -> [SpanContext] {
    guard let found = contexts.removeValue(forKey: name) else { return [] }
    names.removeAll { $0 == name }
    return found
  }
}
