import Dispatch
import Foundation

/// SIGINT, SIGTERM and SIGHUP as something to wait for. Made before anything that takes long, so that none is missed.
struct TerminationSignal {
  private let received: AsyncStream<String>
  private let sources: [any DispatchSourceSignal]

  init() {
    let (received, continuation) = AsyncStream.makeStream(of: String.self)
    self.received = received
    sources = [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM"), (SIGHUP, "SIGHUP")].map { number, name in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.yield(name) }
      source.resume()
      return source
    }
  }

  /// Returns the first SIGINT or SIGTERM that comes; until then `reload` runs at every SIGHUP.
  @discardableResult
  func wait(reload: () -> Void) async -> String {
    for await name in received {
      guard name == "SIGHUP" else { return name }
      reload()
    }
    return ""
  }
}
