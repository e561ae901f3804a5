import Foundation
import ParvaEngine
import ParvaTestSupport
import Testing

@testable import ParvaFormats

/// Lists of workloads in JSON are read one workload at a time, with the same result.
@Suite struct JSONListTests {
  private func item(_ id: String, _ rest: String = "") -> String {
    #"{"id": "\#(id)", "model": "m", "rate": 1, "slo": {"latencyMs": 5}\#(rest)}"#
  }

  private func read(_ text: String) throws(InputErrors) -> [Workload] {
    try WorkloadReader.readJSON(InputSource(Data(text.utf8), name: "w.json", format: .json), 20)
  }

  @Test(arguments: [true, false]) func readsAsTheGeneralWayDoes(isBare: Bool) throws {
    let items = [item("a"), item("b", #", "survive": {"gpus": 1}, "allowPartial": true"#), item("c")]
    let list = "[\(items.joined(separator: ",\n"))]"
    let text = isBare ? list : #"{"workloads": \#(list)}"#
    let expected = try WorkloadReader.read(InputSource(Data(text.utf8), format: .json))
    #expect(try read(text) == expected && expected.count == 3)
    #expect(try read("[]") == [])
  }

  @Test func refusesEachAtItsPlace() throws {
    let items = [item("a"), item("b", #", "replicas": {"min": 0}"#), item("a"), item("c", #", "what": 1"#)]
    let text = "{\"workloads\": [\n" + items.joined(separator: ",\n") + "\n]}"
    let errors = try #require(throws: InputErrors.self) { try read(text) }
    #expect(errors.errors.map(\.pointer) == ["/workloads/1/replicas/min", "/workloads/2/id", "/workloads/3/what"])
    #expect(errors.errors.map(\.line) == [3, 4, 5])
    #expect(errors.errors.map(\.code) == [.outOfRange, .duplicate, .unknownKey])
    #expect(errors.errors.allSatisfy { $0.file == "w.json" })
  }

  @Test(arguments: ["{", "[1", "{\"workloads\": 7}", "[{}] x", "{\"a\": []}"]) func refusesWhatIsNoList(_ text: String)
    throws
  {
    #expect(throws: InputErrors.self) { try read(text) }
  }

  @Test("a list has the same elements whatever its blanks, its keys' spelling and what stands around it")
  func listsOfEveryKind() throws {
    var random = SeededGenerator(17)
    for _ in 0..<300 {
      func one(_ texts: [String]) -> String { texts.randomElement(using: &random) ?? "" }
      func blank() -> String { one(["", " ", "\n", "\t\n"]) }
      let values: [String] = [
        "1", "\"é,]\\\"\"", "[1,[2]]", "{\"a\":[{}],\"b\":\"]\"}", "null", "-1.5e3", "{}", "[]", "true",
      ]
      let items = (0..<Int.random(in: 0...6, using: &random)).map { _ in one(values) }
      let inner = items.joined(separator: "\(blank()),\(blank())")
      let list = "[\(blank())\(inner)\(blank())]"
      let isBare = Bool.random(using: &random)
      let key = one(["workloads", "w\\u006frkloads"])
      let before = one(["", "\"revision\":[7,\"workloads\"],"])
      let after = one(["", ",\"nextCursor\":{\"workloads\":[1]}"])
      let whole = isBare ? list : "{\(before)\"\(key)\"\(blank()):\(blank())\(list)\(after)}"
      let text = "\(blank())\(whole)\(blank())"
      let source = InputSource(Data(text.utf8), name: "x.json", format: .json)
      let found = try JSONList(source, under: "workloads", limit: 1 << 20)
      var texts: [String] = []
      found.forEach { index, element in
        guard case .text(let text) = element, index == texts.count else { return false }
        texts.append(String(decoding: text, as: UTF8.self))
        return true
      }
      #expect(texts == items && found.isThere && found.isBare == isBare, "\(text)")
      let outline = String(decoding: found.outline.data, as: UTF8.self)
      let lines = [outline, text].map { $0.count { $0 == "\n" } }
      #expect(lines[0] == lines[1], "\(text)")
      #expect(throws: Never.self) { try found.outline.checkSyntax(limit: 1 << 20) }
    }
  }

  @Test("a key that is written twice in two ways is refused, in lists as elsewhere")
  func keysInTwoSpellings() throws {
    for text in [#"{"workloads":[],"w\u006frkloads":[\#(item("a"))]}"#, #"[{"id":"a","\u0069d":"b"}]"#] {
      let errors = try #require(throws: InputErrors.self) { try read(text) }
      #expect(errors.first.code == .duplicate, "\(errors)")
    }
  }

  /// What costs somebody two bytes a piece, in every format, and what is said of the first.
  private static let floods: [(InputFormat, head: String, piece: String, tail: String, InputError.Code)] = [
    (.json, "[1", ",1", "]", .wrongType), (.json, #"[{"x":1}"#, #",{"x":1}"#, "]", .unknownKey),
    (.json, #"{"workloads":[{}"#, ",{}", "]}", .missingKey), (.ndjson, "", "{}\n", "", .missingKey),
    (.ndjson, "", "1\n", "", .wrongType), (.csv, "id,model,rate,latency_ms\n", "a,b,c,d\n", "", .wrongType),
    (.csv, "id,model,rate,latency_ms\n", "a\n", "", .wrongFieldCount), (.yaml, "", "- 1\n", "", .wrongType),
    (.yaml, "workloads:\n", "- {}\n", "", .missingKey),
    (.json, "[" + same, "," + same, "]", .duplicate), (.ndjson, "", same + "\n", "", .duplicate),
    (.csv, "id,model,rate,latency_ms\n", "a,m,1,5\n", "", .duplicate),
  ]
  private static let same = #"{"id":"a","model":"m","rate":1,"slo":{"latencyMs":5}}"#

  @Test("reading ends where so much is wrong that nobody reads of it, in every format", arguments: floods.indices)
  func endsReading(_ index: Int) throws {
    let (format, head, piece, tail, code) = Self.floods[index]
    let text = head + String(repeating: piece, count: 3 * InputLimits.refusals) + tail
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(Data(text.utf8), format: format), refusals: 100)
    }
    #expect(errors.first.code == code && errors.isCut && errors.errors.count == 100)
    // The last element may have two faults.
    #expect((0...1).contains(errors.errors.count + errors.omitted - InputLimits.refusals), "\(errors.omitted)")
    #expect(errors.description.hasSuffix(" more, at which reading ended"))
  }

  @Test("few elements that are large and wrong end the reading, too")
  func endsReadingOfLargeOnes() throws {
    let wrong = "[" + String(repeating: "1,", count: 250_000) + "1]"
    let text = "[" + Array(repeating: wrong, count: 20).joined(separator: ",") + "]"
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(Data(text.utf8), format: .json))
    }
    #expect(errors.isCut && errors.errors.count == 9)
    let huge = "[\"" + String(repeating: "x", count: InputLimits.elementBytes) + "\",1]"
    for (text, format) in [(huge, InputFormat.json), (String(huge.dropFirst().dropLast(3)), .ndjson)] {
      let errors = try #require(throws: InputErrors.self) {
        try WorkloadReader.read(InputSource(Data(text.utf8), format: format))
      }
      #expect(errors.first.code == .tooLarge && !errors.isCut)
    }
    let beside = "{\"workloads\":[],\"x\":\(huge)}"
    #expect(try #require(throws: InputErrors.self) { try read(beside) }.first.code == .tooLarge)
  }

  @Test("of more workloads than anybody can do anything with, one more is read", arguments: InputFormat.allCases)
  func endsReadingOfTooMany(_ format: InputFormat) throws {
    guard format != .yaml else { return }
    let ids = (0..<50).map { "w\($0)" }
    let text =
      switch format {
      case .csv: "id,model,rate,latency_ms\n" + ids.map { "\($0),m,1,5\n" }.joined()
      case .ndjson: ids.map { item($0) + "\n" }.joined()
      default: "[" + ids.map { item($0) }.joined(separator: ",") + "]"
      }
    let source = InputSource(Data(text.utf8), format: format)
    #expect(try WorkloadReader.read(source, atMost: 10).map(\.id) == Array(ids.prefix(11)))
    #expect(try WorkloadReader.read(source, atMost: 50).map(\.id) == ids)
    if format == .json {
      let unusual = "[" + ids.map { item($0, #","survive":null"#) }.joined(separator: ",") + "]"
      #expect(try WorkloadReader.read(InputSource(Data(unusual.utf8), format: format), atMost: 10).count == 11)
    }
  }

  @Test("a key as long as a book is not told back")
  func longKeys() throws {
    let key = String(repeating: "k", count: 100_000)
    let errors = try #require(throws: InputErrors.self) { try read("[\(item("a", ",\"\(key)\":1"))]") }
    #expect(errors.first.code == .unknownKey && errors.first.pointer == "/0")
    #expect(errors.description.count < 1_000)
  }
}
