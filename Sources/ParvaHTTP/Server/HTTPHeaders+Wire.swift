extension HTTPHeaders {
  /// The fields as they go over the wire, without those that the server sets itself.
  ///
  /// Line breaks and other controls become spaces: a value can not begin a field of its own (response splitting).
  func withWireBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    let room = fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: max(room, 1)) { buffer in
      var at = 0
      for field in fields where !Self.isFraming(field.name) {
        at = Self.copy(field.name, to: buffer, at: at)
        buffer[at] = UInt8(ascii: ":")
        buffer[at + 1] = UInt8(ascii: " ")
        at = Self.copy(field.value, to: buffer, at: at + 2)
        buffer[at] = UInt8(ascii: "\r")
        buffer[at + 1] = UInt8(ascii: "\n")
        at += 2
      }
      return body(UnsafeBufferPointer(start: buffer.baseAddress, count: at))
    }
  }

  private static func copy(_ text: String, to buffer: UnsafeMutableBufferPointer<UInt8>, at start: Int) -> Int {
    var text = text
    return text.withUTF8 { bytes in
      for index in 0..<bytes.count {
        buffer[start + index] = bytes[index] < 0x20 || bytes[index] == 0x7f ? 0x20 : bytes[index]
      }
      return start + bytes.count
    }
  }

  /// Framing is the server's (RFC 9112, section 6): it knows what it sends.
  private static func isFraming(_ name: String) -> Bool {
    switch name.utf8.count {
    case 4: name.equalsIgnoringCase("date")
    case 7: name.equalsIgnoringCase("upgrade") || name.equalsIgnoringCase("trailer")
    case 10: name.equalsIgnoringCase("connection") || name.equalsIgnoringCase("keep-alive")
    case 14: name.equalsIgnoringCase("content-length")
    case 17: name.equalsIgnoringCase("transfer-encoding")
    default: false
    }
  }
}
