import Dispatch
import Foundation

/// SIGINT, SIGTERM and SIGHUP as something to wait for. Made before anything that takes long, so that none is missed.
struct TerminationSignal {
  private let ends: AsyncStream<String>
  /// Those that come while one is heeded are one.
  private let hangUps: AsyncStream<String>
  private let sources: [any DispatchSourceSignal]

  init() {
    let (ends, ending) = AsyncStream.makeStream(of: String.self)
    let (hangUps, hangingUp) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(1))
    (self.ends, self.hangUps) = (ends, hangUps)
    sources = [(SIGINT, "SIGINT", ending), (SIGTERM, "SIGTERM", ending), (SIGHUP, "SIGHUP", hangingUp)].map {
      number, name, continuation in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.yield(name) }
      source.resume()
      return source
    }
  }

  /// Returns the first SIGINT or SIGTERM that comes; until then `reload` runs at every SIGHUP, and holds up neither.
  @discardableResult
  func wait(reload: @escaping @Sendable () -> Void) async -> String {
    let reloading = Task { [hangUps] in for await _ in hangUps { reload() } }
    defer { reloading.cancel() }
    for await name in ends { return name }
    return ""
  }
}
