import CCodec
import Foundation

enum Gzip {
  /// Fast beats small here: level 1 costs a third of level 6 and leaves plans about a tenth larger.
  private static let level: Int32 = 1

  /// Nil where memory is short.
  static func compress(_ data: Data) -> Data? {
    let room = ccd_gzip_bound(data.count)
    var result = Data(count: room)
    let length = result.withUnsafeMutableBytes { target in
      data.withUnsafeBytes { source in
        ccd_gzip(
          source.baseAddress?.assumingMemoryBound(to: UInt8.self), source.count, level,
          target.baseAddress?.assumingMemoryBound(to: UInt8.self), room)
      }
    }
    guard length > 0 else { return nil }
    // A copy of the right size: kept ones would hold the bound's memory otherwise.
    return Data(result.prefix(length))
  }
}
