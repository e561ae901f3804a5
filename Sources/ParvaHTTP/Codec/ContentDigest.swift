import CCodec
package import Foundation

/// By what bytes are known to be the same.
package enum ContentDigest {
  /// SHA-256 as `sha256sum` prints it; nil only when the library refuses. O(bytes).
  package static func sha256(of bytes: Data) -> String? {
    var digest = [UInt8](repeating: 0, count: Int(CCD_SHA256_SIZE))
    let isDone = bytes.withUnsafeBytes { buffer in
      ccd_sha256(buffer.bindMemory(to: UInt8.self).baseAddress, buffer.count, &digest)
    }
    return isDone ? digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() : nil
  }
}
