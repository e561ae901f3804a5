import CHTTPServer

/// Runs the decoder over input that arrives in pieces and writes down what it says.
struct DecoderLog {
  private var decoder = chs_decoder()
  private var limits = chs_parse_limits(
    target_bytes: 1024, head_bytes: 4096, fields: 16, extension_bytes: 64, trailer_bytes: 128)
  private var kept: [UInt8] = []
  private var data: [UInt8] = []
  private var inBody = false
  private var failed = false
  private(set) var lines: [String] = []

  /// The log of `input` cut after the given offsets.
  static func of(_ input: [UInt8], cuts: [Int]) -> [String] {
    var log = DecoderLog()
    var start = 0
    for end in cuts + [input.count] {
      log.feed(input[start..<end])
      start = end
    }
    log.finish()
    return log.lines
  }

  private mutating func feed(_ piece: ArraySlice<UInt8>) {
    kept += piece
    var head = chs_head()
    while !failed {
      let event = kept.withUnsafeBufferPointer { chs_decode(&decoder, &limits, $0.baseAddress, $0.count, &head) }
      let bytes = kept[Int(event.at)..<Int(event.at + event.length)]
      switch event.kind {
      case CHS_HEAD: note(head, Array(bytes))
      case CHS_DATA: data += bytes
      case CHS_END:
        flush()
        lines.append("end")
        inBody = false
      case CHS_FAILED: fail(event.error)
      default: break
      }
      kept.removeFirst(Int(event.consumed))
      if event.kind == CHS_NEED_MORE { return }
    }
  }

  private mutating func fail(_ error: chs_error) {
    flush()
    lines.append("error \(String(cString: chs_error_code(error)))")
    failed = true
  }

  private mutating func flush() {
    if !data.isEmpty { lines.append("data \"\(Self.escape(data))\"") }
    data = []
  }

  private mutating func finish() {
    flush()
    if !failed, inBody || !kept.isEmpty { lines.append("partial") }
  }

  private mutating func note(_ head: chs_head, _ bytes: [UInt8]) {
    func text(_ span: chs_span) -> String {
      String(decoding: bytes[Int(span.at)..<Int(span.at + span.length)], as: UTF8.self)
    }
    var path = [CChar](repeating: 0, count: max(1, Int(head.path.length)))
    let length = bytes.withUnsafeBufferPointer {
      chs_normalize_path($0.baseAddress! + Int(head.path.at), Int(head.path.length), &path)
    }
    guard length >= 0 else { return fail(CHS_BAD_TARGET) }
    var line = text(head.method) + " " + String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if head.query.length > 0 { line += "?" + text(head.query) }
    line += " HTTP/1.\(head.minor_version)"
    if head.minor_version > 0 || head.host.length > 0 { line += " host=" + text(head.host) }
    if !head.keep_alive { line += " close" }
    if head.expect_continue { line += " continue" }
    if head.chunked { line += " chunked" }
    if head.content_length >= 0 { line += " length=\(head.content_length)" }
    lines.append(line)
    let known = ["host", "connection", "expect", "content-length", "transfer-encoding"]
    withUnsafeBytes(of: head.fields) { raw in
      for field in raw.bindMemory(to: chs_field.self).prefix(Int(head.field_count)) {
        if !known.contains(text(field.name).lowercased()) {
          lines.append("  \(text(field.name)): \(text(field.value))")
        }
      }
    }
    inBody = head.chunked || head.content_length > 0
  }

  private static func escape(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      switch byte {
      case 0x0d: "\\r"
      case 0x0a: "\\n"
      case 0: "\\0"
      case 0x20...0x7e: String(UnicodeScalar(byte))
      default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}
