package import Foundation
package import ParvaEngine

extension StableHash {
  /// The hash of one document as 16 hexadecimal digits. O(bytes).
  package static func digits(of data: Data) -> String {
    var hash = StableHash()
    data.withUnsafeBytes { hash.add($0) }
    let digits = String(hash.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
