import Foundation
import ParvaWire

/// Reads the usual JSON of one workload in one pass, and gives up on everything else.
///
/// What it accepts, the general way reads with the same result; what it gives up on, the general way judges: escapes,
/// text beyond ASCII, keys that are unknown, doubled or rare, wrong types and broken syntax. So it knows no errors.
struct QuickWorkloadParser {
  /// Nothing was accepted.
  private struct Unusual: Error {}

  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Nil where the general way has to look. O(bytes).
  static func spec(_ data: Data) -> WorkloadSpec? {
    data.withUnsafeBytes { bytes in
      var parser = QuickWorkloadParser(bytes)
      do throws(Unusual) {
        let spec = try parser.workload()
        parser.skipSpace()
        return parser.at == bytes.count ? spec : nil
      } catch {
        return nil
      }
    }
  }

  private mutating func workload() throws(Unusual) -> WorkloadSpec {
    var id: String?
    var model: String?
    var rate: Double?
    var slo: WorkloadSpec.SLO?
    var arrivals: WorkloadSpec.Arrivals?
    var priority: Int?
    var labels: [String: String]?
    try object { parser, key throws(Unusual) in
      switch key {
      case "id": try Self.fill(&id, with: try parser.string())
      case "model": try Self.fill(&model, with: try parser.string())
      case "rate": try Self.fill(&rate, with: try parser.number())
      case "slo": try Self.fill(&slo, with: try parser.slo())
      case "arrivals": try Self.fill(&arrivals, with: try parser.arrivals())
      case "priority": try Self.fill(&priority, with: try parser.integer())
      case "labels": try Self.fill(&labels, with: try parser.labels())
      default: throw Unusual()
      }
    }
    guard let id, let model, let rate, let slo else { throw Unusual() }
    return WorkloadSpec(
      id: id, model: model, rate: rate, slo: slo, arrivals: arrivals, priority: priority, labels: labels)
  }

  private mutating func slo() throws(Unusual) -> WorkloadSpec.SLO {
    var latencyMs: Double?
    var percentile: Double?
    try object { parser, key throws(Unusual) in
      switch key {
      case "latencyMs": try Self.fill(&latencyMs, with: try parser.number())
      case "percentile": try Self.fill(&percentile, with: try parser.number())
      default: throw Unusual()
      }
    }
    guard let latencyMs else { throw Unusual() }
    return WorkloadSpec.SLO(latencyMs: latencyMs, percentile: percentile)
  }

  private mutating func arrivals() throws(Unusual) -> WorkloadSpec.Arrivals {
    var process: String?
    var cv2: Double?
    try object { parser, key throws(Unusual) in
      switch key {
      case "process": try Self.fill(&process, with: try parser.string())
      case "cv2": try Self.fill(&cv2, with: try parser.number())
      default: throw Unusual()
      }
    }
    guard let process else { throw Unusual() }
    return WorkloadSpec.Arrivals(process: process, cv2: cv2)
  }

  private mutating func labels() throws(Unusual) -> [String: String] {
    var labels: [String: String] = [:]
    try object { parser, key throws(Unusual) in
      guard labels.updateValue(try parser.string(), forKey: key) == nil else { throw Unusual() }
    }
    return labels
  }

  private static func fill<Value>(_ place: inout Value?, with value: Value) throws(Unusual) {
    guard place == nil else { throw Unusual() }
    place = value
  }

  // MARK: - Syntax, RFC 8259

  private mutating func object(
    _ member: (inout QuickWorkloadParser, String) throws(Unusual) -> Void
  ) throws(Unusual) {
    try expect(UInt8(ascii: "{"))
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
      at += 1
      return
    }
    while true {
      let key = try string()
      try expect(UInt8(ascii: ":"))
      try member(&self, key)
      skipSpace()
      guard at < bytes.count else { throw Unusual() }
      at += 1
      if bytes[at - 1] == UInt8(ascii: "}") { return }
      guard bytes[at - 1] == UInt8(ascii: ",") else { throw Unusual() }
    }
  }

  private mutating func skipSpace() {
    while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
  }

  private mutating func expect(_ byte: UInt8) throws(Unusual) {
    skipSpace()
    guard at < bytes.count, bytes[at] == byte else { throw Unusual() }
    at += 1
  }

  private mutating func string() throws(Unusual) -> String {
    try expect(UInt8(ascii: "\""))
    let start = at
    while at < bytes.count, (0x20..<0x7f).contains(bytes[at]), bytes[at] != UInt8(ascii: "\"") {
      guard bytes[at] != UInt8(ascii: "\\") else { throw Unusual() }
      at += 1
    }
    guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw Unusual() }
    at += 1
    return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<(at - 1)]), as: UTF8.self)
  }

  private mutating func digits() -> Int {
    let start = at
    while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
    return at - start
  }

  /// An integer part without leading zeros.
  private mutating func wholePart() throws(Unusual) {
    skipSpace()
    if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
    let start = at
    let count = digits()
    guard count == 1 || (count > 1 && bytes[start] != 0x30) else { throw Unusual() }
  }

  private mutating func integer() throws(Unusual) -> Int {
    skipSpace()
    let start = at
    try wholePart()
    let next = at < bytes.count ? bytes[at] : 0x20
    guard ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(next),
      let value = Int(String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self))
    else { throw Unusual() }
    return value
  }

  private mutating func number() throws(Unusual) -> Double {
    skipSpace()
    let start = at
    try wholePart()
    if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
      at += 1
      guard digits() > 0 else { throw Unusual() }
    }
    if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at < bytes.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[at]) { at += 1 }
      guard digits() > 0 else { throw Unusual() }
    }
    guard let value = Double(String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)),
      value.isFinite
    else { throw Unusual() }
    return value
  }
}
