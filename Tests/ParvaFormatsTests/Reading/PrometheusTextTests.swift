import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaFormats

/// The text format of Prometheus as it comes from outside.
@Suite struct PrometheusTextTests {
  private static func text(_ sample: PrometheusSample, _ dice: inout SeededGenerator) -> String {
    let blank = ["", " ", "\t "].randomElement(using: &dice) ?? ""
    let labels = sample.labels.sorted { $0.key < $1.key }.map { name, value in
      let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
      return "\(blank)\(name)\(blank)=\(blank)\"\(escaped)\"\(blank)"
    }
    let value = sample.value == .infinity ? "+Inf" : sample.value == -.infinity ? "-Inf" : "\(sample.value)"
    let list = labels.isEmpty && Bool.random(using: &dice) ? "" : "{\(labels.joined(separator: ","))}"
    let time = Bool.random(using: &dice) ? " 1700000000000" : ""
    return sample.name + list + " \(blank)" + value + time
  }

  private static func sample(_ dice: inout SeededGenerator) -> PrometheusSample {
    var labels: [String: String] = [:]
    for _ in 0..<Int.random(in: 0...4, using: &dice) {
      let value = (0..<Int.random(in: 0...6, using: &dice)).compactMap { _ in
        ["a", "\\", "\"", "\n", "}", ",", "\u{e9}", " "].randomElement(using: &dice)
      }.joined()
      labels[["le", "a_b", "_x1", "envoy_cluster_name"].randomElement(using: &dice) ?? ""] = value
    }
    let value = [0, 1.5, -3, 1e300, .infinity, -.infinity, 0.1].randomElement(using: &dice) ?? 0
    return PrometheusSample(name: ["m", "x:y_1"].randomElement(using: &dice) ?? "", labels: labels, value: value)
  }

  private static func read(_ text: String) throws(InputErrors) -> [PrometheusSample] {
    var samples: [PrometheusSample] = []
    try PrometheusText.read(Data(text.utf8), wanted: ["m", "x:y_1"]) { samples.append($0) }
    return samples
  }

  @Test("what is written is read", arguments: 0..<8)
  func whatIsWrittenIsRead(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed)
    for _ in 0..<50 {
      let samples = (0..<5).map { _ in Self.sample(&dice) }
      var text = "# HELP m what it is\n# TYPE m counter\n\n"
      for sample in samples { text += Self.text(sample, &dice) + "\nother{x=\"y\"} 1\n" }
      #expect(try Self.read(text) == samples, "seed \(seed): \(text)")
    }
  }

  @Test("whatever stands there is read or refused with its line", arguments: 0..<8)
  func bytesFromOutside(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed)
    for _ in 0..<300 {
      var bytes = Array((0..<3).map { _ in Self.text(Self.sample(&dice), &dice) }.joined(separator: "\n").utf8)
      for _ in 0..<Int.random(in: 1...4, using: &dice) {
        let at = Int.random(in: 0..<bytes.count, using: &dice)
        switch Int.random(in: 0..<3, using: &dice) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &dice)
        case 1 where bytes.count > 1: bytes.remove(at: at)
        default: bytes.insert(contentsOf: bytes[at...].prefix(Int.random(in: 1...9, using: &dice)), at: at)
        }
      }
      do throws(InputErrors) {
        try PrometheusText.read(Data(bytes), wanted: ["m"]) { sample in
          #expect(sample.name == "m" && sample.labels.count <= PrometheusText.labels, "seed \(seed)")
        }
      } catch {
        #expect(error.description.contains(":") && !error.description.isEmpty, "seed \(seed)")
      }
    }
  }

  @Test(arguments: [
    "m", "m{", "m{a=\"b\"", "m{a=\"b\"}", "m{a=b} 1", "m{a=\"b\",a=\"c\"} 1", "m x", "m 1 2 3", "m 1 x", "{} 1",
    "m 0x1",
  ])
  func whatIsNoSampleIsRefused(text: String) {
    #expect(throws: InputErrors.self) { try Self.read(text) }
  }

  @Test func linesAndTextsAreBounded() {
    #expect(throws: InputErrors.self) { try Self.read("m{a=\"" + String(repeating: "x", count: 70_000) + "\"} 1") }
    let labels = (0..<70).map { "l\($0)=\"\"" }.joined(separator: ",")
    #expect(throws: InputErrors.self) { try Self.read("m{\(labels)} 1") }
  }
}
