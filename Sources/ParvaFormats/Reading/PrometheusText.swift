package import Foundation

/// One line of the text format of Prometheus, version 0.0.4.
package struct PrometheusSample: Hashable, Sendable {
  package var name: String
  package var labels: [String: String]
  package var value: Double
}

/// Reads what programs answer for Prometheus. The bytes come from outside: a text that is not of the format is refused with its line.
package enum PrometheusText {
  package static let bytes = 64 << 20
  static let lineBytes = 64 << 10
  static let labels = 64

  /// Hands over each sample whose name is wanted, in the order of the text; others are only looked at as far as their names.
  ///
  /// - Complexity: O(bytes).
  package static func read(
    _ text: Data, wanted: Set<String>, _ body: (PrometheusSample) -> Void
  ) throws(InputErrors) {
    guard text.count <= bytes else {
      throw InputErrors(InputError(.tooLarge, "is larger than \(InputError.size(bytes))", file: nil))
    }
    var number = 0
    for line in text.split(separator: 0x0a, omittingEmptySubsequences: false) {
      number += 1
      guard let first = line.first, first != 0x23, first != 0x0d else { continue }
      guard line.count <= lineBytes else {
        throw InputErrors(
          InputError(.tooLarge, "a line is larger than \(lineBytes >> 10) KiB", file: nil, line: number))
      }
      var reader = LineReader(Array(line))
      guard let name = reader.name() else { throw fault(number) }
      guard wanted.contains(name) else { continue }
      guard let sample = reader.sample(name) else { throw fault(number) }
      body(sample)
    }
  }

  private static func fault(_ line: Int) -> InputErrors {
    InputErrors(InputError(.invalidSyntax, "is not a sample of the text format of Prometheus", file: nil, line: line))
  }

  /// `name{label="value",...} value [milliseconds]`
  private struct LineReader {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipBlanks() { while next == 0x20 || next == 0x09 { at += 1 } }

    private static func isName(_ byte: UInt8, isFirst: Bool) -> Bool {
      (0x61...0x7a).contains(byte | 0x20) || byte == 0x5f || byte == 0x3a || !isFirst && (0x30...0x39).contains(byte)
    }

    mutating func name() -> String? {
      skipBlanks()
      let start = at
      while let byte = next, Self.isName(byte, isFirst: at == start) { at += 1 }
      return at > start ? String(decoding: bytes[start..<at], as: UTF8.self) : nil
    }

    mutating func sample(_ name: String) -> PrometheusSample? {
      skipBlanks()
      guard let labels = labels() else { return nil }
      skipBlanks()
      let words = bytes[at...].split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
      guard (1...2).contains(words.count), let value = Self.number(words[0]),
        words.count == 1 || Int(String(decoding: words[1], as: UTF8.self)) != nil
      else { return nil }
      return PrometheusSample(name: name, labels: labels, value: value)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Double? {
      let text = String(decoding: bytes, as: UTF8.self)
      switch text {
      case "NaN": return .nan
      case "+Inf", "Inf": return .infinity
      case "-Inf": return -.infinity
      default: return bytes.allSatisfy { "+-.eE".utf8.contains($0) || (0x30...0x39).contains($0) } ? Double(text) : nil
      }
    }

    private mutating func labels() -> [String: String]? {
      guard next == 0x7b else { return [:] }
      at += 1
      var labels: [String: String] = [:]
      while true {
        skipBlanks()
        if next == 0x7d {
          at += 1
          return labels
        }
        guard labels.count < PrometheusText.labels, let name = name() else { return nil }
        skipBlanks()
        guard next == 0x3d else { return nil }
        at += 1
        skipBlanks()
        guard let value = quoted(), labels.updateValue(value, forKey: name) == nil else { return nil }
        skipBlanks()
        if next == 0x2c {
          at += 1
        } else if next != 0x7d {
          return nil
        }
      }
    }

    private mutating func quoted() -> String? {
      guard next == 0x22 else { return nil }
      at += 1
      var value: [UInt8] = []
      while let byte = next {
        at += 1
        switch byte {
        case 0x22: return String(decoding: value, as: UTF8.self)
        case 0x5c:
          guard let escaped = next else { return nil }
          at += 1
          switch escaped {
          case 0x6e: value.append(0x0a)
          case 0x5c, 0x22: value.append(escaped)
          default: return nil
          }
        default: value.append(byte)
        }
      }
      return nil
    }
  }
}
