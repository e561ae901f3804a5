import Dispatch
import Foundation

/// SIGINT and SIGTERM as something to wait for. Made before anything that takes long, so that none is missed.
struct TerminationSignal {
  private let received: AsyncStream<Void>
  private let sources: [any DispatchSourceSignal]

  init() {
    let (received, continuation) = AsyncStream.makeStream(of: Void.self)
    self.received = received
    sources = [SIGINT, SIGTERM].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.yield() }
      source.resume()
      return source
    }
  }

  /// Returns at the first that comes.
  func wait() async {
    for await _ in received { return }
  }
}
