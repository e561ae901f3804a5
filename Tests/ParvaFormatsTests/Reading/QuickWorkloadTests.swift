import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing

/// One workload alone is read in a quick way where it can be; in a list it always goes the general way.
@Suite struct QuickWorkloadTests {
  private static func alone(_ text: [UInt8]) -> Workload? {
    try? WorkloadReader.readOne(InputSource(Data(text), format: .json))
  }

  private static func inList(_ text: [UInt8]) -> Workload? {
    let list = try? WorkloadReader.read(
      InputSource(Data([UInt8(ascii: "[")] + text + [UInt8(ascii: "]")]), format: .json))
    return list?.count == 1 ? list?.first : nil
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
}
