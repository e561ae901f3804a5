import CCodec
package import Foundation

package enum Gzip {
  /// Fast beats small here: level 1 costs a third of level 6 and leaves plans about a tenth larger.
  private static let level: Int32 = 1

  /// Nil where memory is short.
  package static func compress(_ data: Data) -> Data? {
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

  /// The bytes of one member; nil where it is damaged or longer than `limit`.
  package static func expand(_ data: Data, limit: Int) -> Data? {
    // The shortest member has a header of ten bytes, two of data and eight behind it.
    guard data.count >= 20 else { return nil }
    let count = expandedCount(of: data)
    guard count <= limit else { return nil }
    var result = Data(count: count)
    let isWhole = result.withUnsafeMutableBytes { target in
      data.withUnsafeBytes { source in
        ccd_gunzip(
          source.baseAddress?.assumingMemoryBound(to: UInt8.self), source.count,
          target.baseAddress?.assumingMemoryBound(to: UInt8.self), target.count)
      }
    }
    return isWhole ? result : nil
  }

  /// How many bytes a member of less than 4 GiB says that it holds.
  package static func expandedCount(of data: Data) -> Int { data.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) } }
}
