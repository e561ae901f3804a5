import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import ParvaWire
import Testing

/// What is read in a quick way is read as the general way reads it.
@Suite struct QuickWorkloadTests {
  private static func alone(_ text: [UInt8]) -> Workload? {
    try? WorkloadReader.readOne(InputSource(Data(text), format: .json))
  }

  /// An escape elsewhere in the list has all of it read the general way.
  private static func inList(_ text: [UInt8]) -> Workload? {
    let other = #",{"id":"ot\u0068er","model":"m","rate":1,"slo":{"latencyMs":1}}]"#
    let list = try? WorkloadReader.read(
      InputSource(Data([UInt8(ascii: "[")] + text + Array(other.utf8)), format: .json))
    return list?.count == 2 ? list?.first : nil
  }

  private static let texts = [
    #"{"id":"a","model":"m","rate":829,"slo":{"latencyMs":204.5}}"#,
    #" { "id" : "a.b-c" , "model" : "org/m:v1@x" , "rate" : 1.5e3 , "slo" : { "latencyMs" : 1E-1 , "percentile" : 0.5 } } "#,
    #"{"id":"a","model":"m","rate":0.1,"slo":{"latencyMs":2},"arrivals":{"process":"gamma","cv2":2.25},"priority":-7}"#,
    #"{"labels":{"team":"vision","a/b":"","c":"d"},"slo":{"latencyMs":2},"rate":3,"model":"m","id":"a","arrivals":{"process":"poisson"}}"#,
    #"{"id":"a","model":"m","rate":123456789.12345678,"slo":{"latencyMs":0.30000000000000004},"labels":{}}"#,
  ]

  @Test func usualTextIsReadAsInAList() throws {
    for text in Self.texts {
      let workload = try #require(Self.alone(Array(text.utf8)), "\(text)")
      #expect(workload == Self.inList(Array(text.utf8)), "\(text)")
    }
  }

  @Test func unusualTextIsReadOrRefusedAsInAList() {
    let base = Self.texts[0]
    let cases = [
      ("829", "+829"), ("829", "0829"), ("829", "829."), ("829", ".5"), ("829", "1e"), ("829", "1e999"), ("829", "-0"),
      ("829", "\"829\""), ("829", "null"), ("829", "0x10"), ("829", "NaN"), ("829", "1_0"), ("\"a\"", "\"\\u0061\""),
      ("\"a\"", "\"ä\""), ("\"a\"", "\"\""), ("\"a\"", "\"a\n\""), ("\"a\"", "a"), ("}}", "}},"), ("}}", "}"),
      ("}}", "},}"), ("}}", "}} x"), ("{\"id\"", "{\"id\":\"b\",\"id\""), ("{\"id\"", "{\"other\":1,\"id\""),
      ("{\"id\"", "{\"status\":{\"state\":\"served\"},\"id\""), ("{\"id\"", "{\"priority\":1.0,\"id\""),
      ("{\"id\"", "{\"priority\":1.5,\"id\""), ("{\"id\"", "{\"priority\":99999999999999999999,\"id\""),
      ("{\"id\"", "{\"labels\":{\"a\":\"1\",\"a\":\"2\"},\"id\""), ("{\"id\"", "{\"labels\":null,\"id\""),
      ("{\"id\"", "{\"arrivals\":{},\"id\""), ("{\"id\"", "{\"arrivals\":{\"process\":\"poisson\",\"cv2\":1},\"id\""),
      ("\"slo\":{", "\"slo\":[]{"), (base, ""), (base, "{}"), (base, "\"text\""), ("{\"lat", "{\"lat\u{0}"),
    ]
    for (from, to) in cases {
      let text = Array(base.replacing(from, with: to, maxReplacements: 1).utf8)
      #expect(Self.alone(text) == Self.inList(text), "\(String(decoding: text, as: UTF8.self))")
    }
  }

  @Test func damagedTextIsReadOrRefusedAsInAList() {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed)
    var accepted = 0
    for round in 0..<3_000 {
      var text = Array(Self.texts[round % Self.texts.count].utf8)
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let place = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: text.remove(at: place)
        case 1: text.insert(Array("0123456789.eE+-\"\\{}[]:, \u{0}ax".utf8).randomElement(using: &random)!, at: place)
        default: text[place] = text[Int.random(in: 0..<text.count, using: &random)]
        }
      }
      let workload = Self.alone(text)
      accepted += workload == nil ? 0 : 1
      #expect(workload == Self.inList(text), "seed \(seed): \(String(decoding: text, as: UTF8.self))")
    }
    #expect((100..<3_000).contains(accepted), "seed \(seed)")
  }

  @Test("a workload on one line, as stores keep it, is read back equal in either way")
  func linesAreReadBack() throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed)
    for _ in 0..<300 {
      for workload in RandomWorkloads.list(&random) {
        let line = WorkloadWriter.line(workload)
        #expect(!line.contains(UInt8(ascii: "\n")))
        let spec = try JSONDecoder().decode(WorkloadSpec.self, from: line)
        #expect(try WorkloadReader.workload(from: spec) == workload, "seed \(seed)")
        #expect(Self.alone(Array(line)) == workload, "seed \(seed)")
      }
    }
  }

  @Test("rates that are read in a quick way are those of the general way, each id once and nothing beside them")
  func damagedRatesAreReadAsTheyStandOrNotAtAll() throws {
    let seed = TestSeed.of(offset: 1)
    var random = SeededGenerator(seed)
    let texts = [
      #"[{"id":"a","rate":829},{"id":"b","rate":0.25}]"#,
      #" { "workloads" : [ { "rate" : 1.5e3 , "id" : "a.b-c" } , { "id" : "b" , "rate" : 1E-1 } ] } "#,
      #"[{"rate":123456789.12345678,"id":"a"}]"#, "[]",
    ]
    var accepted = 0
    for round in 0..<3_000 {
      var text = Array(texts[round % texts.count].utf8)
      for _ in 0..<Int.random(in: 0...2, using: &random) where !text.isEmpty {
        let place = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: text.remove(at: place)
        case 1: text.insert(Array("0123456789.eE+-\"\\{}[]:, \u{0}ab".utf8).randomElement(using: &random)!, at: place)
        default: text[place] = text[Int.random(in: 0..<text.count, using: &random)]
        }
      }
      guard let (rates, isBare) = QuickRateParser.rates(in: Data(text), atMost: .max) else { continue }
      accepted += 1
      let shown = "seed \(seed): \(String(decoding: text, as: UTF8.self))"
      var value = try #require(try? InputSource(Data(text), format: .json).value(limit: 1_000), "\(shown)")
      if !isBare {
        guard case .object(let members) = value, members.count == 1 else {
          Issue.record("\(shown)")
          continue
        }
        value = try #require(members["workloads"], "\(shown)")
      }
      let general: [(id: String, members: [String: JSONValue])] =
        if case .list(let list) = value {
          list.map { if case .object(let members) = $0 { (members["id"]?.text ?? "?", members) } else { ("?", [:]) } }
        } else { [] }
      #expect(Set(rates.map(\.id)).count == rates.count, "\(shown)")
      #expect(general.map(\.id) == rates.map(\.id), "\(shown)")
      for (rate, said) in zip(rates, general) {
        #expect(said.members == ["id": .string(rate.id), "rate": .number(rate.rate)], "\(shown)")
      }
    }
    #expect((100..<3_000).contains(accepted), "seed \(seed)")
  }
}
