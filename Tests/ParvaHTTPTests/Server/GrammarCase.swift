import Foundation
import Testing

/// One case of the files in Grammar/: bytes in, event log out. Its README tells the notation.
struct GrammarCase: Sendable, CustomTestStringConvertible {
  var file: String
  var name: String
  var input: [UInt8] = []
  var expected: [String] = []

  var testDescription: String { "\(file): \(name)" }

  struct Malformed: Error {
    var file: String
    var line: Int
  }

  static func load() throws -> [GrammarCase] {
    let folder = try #require(Bundle.module.url(forResource: "Grammar", withExtension: nil))
    return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "txt" }
      .sorted { $0.path < $1.path }
      .flatMap { try parse(String(contentsOf: $0, encoding: .utf8), file: $0.lastPathComponent) }
  }

  static func parse(_ text: String, file: String) throws -> [GrammarCase] {
    var cases: [GrammarCase] = []
    var prelude = GrammarCase(file: file, name: "prelude")
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("== ") {
        var next = prelude
        next.name = String(line.dropFirst(3))
        cases.append(next)
      } else if line.hasPrefix(">") || line.hasPrefix("<") {
        var current = cases.popLast() ?? prelude
        let inPrelude = current.name == "prelude"
        let content = line.dropFirst().hasPrefix(" ") ? line.dropFirst(2) : line.dropFirst()
        if line.hasPrefix(">") {
          let open = content.hasSuffix("\\") && !content.hasSuffix("\\\\")
          current.input += unescape(expand(open ? content.dropLast() : content)) + (open ? [] : [0x0d, 0x0a])
        } else {
          current.expected.append(expand(content))
        }
        if inPrelude { prelude = current } else { cases.append(current) }
      } else if !line.isEmpty, !line.hasPrefix("#"), line != "prelude" {
        throw Malformed(file: file, line: number + 1)
      }
    }
    return cases
  }

  /// `{text*count}` written out.
  private static func expand(_ text: some StringProtocol) -> String {
    guard let open = text.firstIndex(of: "{"), let close = text.lastIndex(of: "}"),
      let star = text[..<close].lastIndex(of: "*"), star > open,
      let count = Int(text[text.index(after: star)..<close])
    else { return String(text) }
    let repeated = String(repeating: String(text[text.index(after: open)..<star]), count: count)
    return text[..<open] + repeated + text[text.index(after: close)...]
  }

  private static func unescape(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), let escape = rest.popFirst() else {
        bytes.append(byte)
        continue
      }
      switch escape {
      case UInt8(ascii: "r"): bytes.append(0x0d)
      case UInt8(ascii: "n"): bytes.append(0x0a)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "0"): bytes.append(0)
      case UInt8(ascii: "x"):
        bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
        rest = rest.dropFirst(2)
      default: bytes.append(escape)
      }
    }
    return bytes
  }
}
