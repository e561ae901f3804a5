import Synchronization

/// Request ids of 13 characters: unique within a process by a counter, and between processes by a random start.
enum RequestID {
  private static let start = UInt64.random(in: .min ... .max)
  private static let counter = Atomic<UInt64>(0)

  /// 13 base-32 digits, so that the string needs no allocation.
  static func next() -> String {
    // An odd multiplier permutes the 64-bit integers: ids do not repeat and do not tell how many there were.
    let count = counter.add(1, ordering: .relaxed).newValue
    var rest = (start &+ count) &* 0x9E37_79B9_7F4A_7C15
    return String(unsafeUninitializedCapacity: 13) { buffer in
      for index in 0..<13 {
        let digit = UInt8(truncatingIfNeeded: rest & 31)
        buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        rest >>= 5
      }
      return 13
    }
  }

  static func isHarmless(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}
