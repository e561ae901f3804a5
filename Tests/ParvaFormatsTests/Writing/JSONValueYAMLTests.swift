import Foundation
import ParvaFormats
import ParvaTestSupport
import Testing

/// A document of no particular shape as YAML.
struct JSONValueYAMLTests {
  @Test("random documents read back from YAML as they were")
  func roundTrip() throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed)
    for _ in 0..<2_000 {
      let value = Self.document(&random, depth: 3)
      let text = try value.yaml()
      let back = try InputSource(text, format: .yaml).value(limit: 1 << 20)
      #expect(back == value, "seed \(seed): \(String(decoding: text, as: UTF8.self))")
    }
  }

  /// Words that YAML 1.1 takes for something else are among the texts.
  private static let texts = [
    "", "a", "no", "yes", "on", "null", "~", "true", "1", "1.5", "0x1f", "1e3", "012", "- a", "a: b", "#x", "x #y",
    " lead",
    "two\nlines", "\"quoted\"", "it's", "[", "{}", "*a", "&b", "!t", "2026-01-01", "ünï", "\u{1F600}", "tab\there", "=",
    "<<", "%", "@",
    "1:30", "---", "...", "?", ":", "-",
  ]

  private static func document(_ random: inout some RandomNumberGenerator, depth: Int) -> JSONValue {
    func text() -> String { texts.randomElement(using: &random) ?? "" }
    var members: [String: JSONValue] = [:]
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      members[text()] = value(&random, depth: depth)
    }
    return .object(members)
  }

  private static func value(_ random: inout some RandomNumberGenerator, depth: Int) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
    case 0: .null
    case 1: .bool(.random(using: &random))
    case 2: .number(Double(Int.random(in: -1_000_000...1_000_000, using: &random)))
    case 3: .number([0.1, 1e-9, -2.5, 1.23e20, 100.25].randomElement(using: &random) ?? 0)
    case 4: .string(texts.randomElement(using: &random) ?? "")
    case 5: .list((0..<Int.random(in: 0...3, using: &random)).map { _ in value(&random, depth: depth - 1) })
    default: document(&random, depth: depth - 1)
    }
  }
}
