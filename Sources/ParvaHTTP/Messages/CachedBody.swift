package import Foundation
import Synchronization

/// Bytes that are sent many times, and their gzip, which is made once for all requests.
package final class CachedBody: Sendable {
  package let plain: Data
  private enum Compression {
    case pending
    case made(Data?)
  }
  private let compression = Mutex(Compression.pending)

  package init(_ plain: Data) { self.plain = plain }

  var isCompressed: Bool {
    compression.withLock { state in
      if case .made = state { true } else { false }
    }
  }

  /// Nil where memory was short. The first call takes about 10 ns a byte, and others wait for it.
  var compressed: Data? {
    compression.withLock { state in
      if case .made(let data) = state { return data }
      let data = Gzip.compress(plain)
      state = .made(data)
      return data
    }
  }
}
