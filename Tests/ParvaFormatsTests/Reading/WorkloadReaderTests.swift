import Foundation
import ParvaEngine
import ParvaFormats
import ParvaWire
import Testing

@Suite("Reading workloads")
struct WorkloadReaderTests {
  static func json(_ text: String) -> InputSource { InputSource(Data(text.utf8), name: "in.json") }
  static func yaml(_ text: String) -> InputSource { InputSource(Data(text.utf8), name: "in.yaml") }
  static func csv(_ text: String) -> InputSource { InputSource(Data(text.utf8), name: "in.csv") }

  static let full = Workload(
    id: "resnet50-eu", model: "resnet50", rate: 829, sloLatencyMs: 204.5, percentile: 0.95,
    arrivals: .gamma(cv2: 4), priority: 3, labels: ["team": "vision", "parva.example/tier": ""])

  @Test func jsonHoldsEveryField() throws {
    let source = Self.json(
      """
      {"workloads": [{"id": "resnet50-eu", "model": "resnet50", "rate": 829,
        "slo": {"latencyMs": 204.5, "percentile": 0.95}, "arrivals": {"process": "gamma", "cv2": 4},
        "priority": 3, "labels": {"team": "vision", "parva.example/tier": ""}}]}
      """)
    #expect(try WorkloadReader.read(source) == [Self.full])
  }

  @Test func yamlHasTheSameKeys() throws {
    let source = Self.yaml(
      """
      # two regions of R&D * one model
      workloads:
        - id: resnet50-eu
          model: resnet50
          rate: 829
          slo: {latencyMs: 204.5, percentile: 0.95}
          arrivals:
            process: gamma
            cv2: 4
          priority: 3
          labels: {team: vision, parva.example/tier: ""}
      """)
    #expect(try WorkloadReader.read(source) == [Self.full])
  }

  @Test func aBareListIsEnoughAndTheRestHasDefaults() throws {
    let source = Self.json(#"[{"id":"a","model":"org/Llama-3:8b","rate":0.5,"slo":{"latencyMs":60000}}]"#)
    #expect(
      try WorkloadReader.read(source) == [
        Workload(
          id: "a", model: "org/Llama-3:8b", rate: 0.5, sloLatencyMs: 60000, percentile: 0.99, arrivals: .poisson,
          priority: 0, labels: [:])
      ])
  }

  @Test func csvComesFromSpreadsheetsToo() throws {
    let source = Self.csv(
      "\u{feff}id,model,RATE,latency_ms,percentile,priority\r\n\"a\", bert ,19,6434,,\r\n\r\nb,bert,1e3,12.5,0.9,-2")
    #expect(
      try WorkloadReader.read(source) == [
        Workload(id: "a", model: "bert", rate: 19, sloLatencyMs: 6434),
        Workload(id: "b", model: "bert", rate: 1000, sloLatencyMs: 12.5, percentile: 0.9, priority: -2),
      ])
  }

  @Test func columnsMayStandInAnyOrder() throws {
    let source = Self.csv("latency_ms,id,rate,model\n5,a,1,m\n")
    #expect(try WorkloadReader.read(source) == [Workload(id: "a", model: "m", rate: 1, sloLatencyMs: 5)])
  }

  @Test func anEmptyListIsAValidDemand() throws {
    #expect(try WorkloadReader.read(Self.json("[]")).isEmpty)
    #expect(try WorkloadReader.read(Self.csv("id,model,rate,latency_ms\n")).isEmpty)
  }

  @Test func whatAControllerAddsIsPassedOver() throws {
    let source = Self.json(
      """
      {"workloads": [{"id": "a", "model": "m", "rate": 1.0, "slo": {"latencyMs": 5.0, "percentile": 0.99},
        "revision": 4, "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        "status": {"state": "served", "planRevision": 2}}], "revision": 4, "nextCursor": null}
      """)
    #expect(try WorkloadReader.read(source) == [Workload(id: "a", model: "m", rate: 1, sloLatencyMs: 5)])
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let code: InputError.Code
    var pointer: String?
    var line: Int?
    var testDescription: String { name }
  }

  /// One workload in JSON with a piece replaced.
  static func item(_ piece: String, _ replacement: String) -> String {
    #"[{"id":"a","model":"m","rate":1,"slo":{"latencyMs":10}}]"#.replacing(piece, with: replacement)
  }

  static func launch(_ members: String) -> String { item("}}]", "},\"launch\":{\(members)}}]") }

  static let refusedJSON = [
    Refused(name: "rate 0", text: item("\"rate\":1", "\"rate\":0"), code: .outOfRange, pointer: "/0/rate"),
    Refused(name: "rate below 0", text: item("\"rate\":1", "\"rate\":-1"), code: .outOfRange, pointer: "/0/rate"),
    Refused(name: "rate 1e308", text: item("\"rate\":1", "\"rate\":1e308"), code: .outOfRange, pointer: "/0/rate"),
    Refused(
      name: "rate beyond Double", text: item("\"rate\":1", "\"rate\":1e999"), code: .wrongType, pointer: "/0/rate"),
    Refused(name: "a trailing comma", text: item("1,", "1,,"), code: .invalidSyntax, line: 1),
    Refused(name: "a key twice", text: item("\"rate\":1", "\"rate\":1,\n\"rate\":2"), code: .duplicate, line: 2),
    Refused(name: "a leading zero", text: item("10", "010"), code: .invalidSyntax, line: 1),
    Refused(name: "something after the end", text: "[]\n]", code: .invalidSyntax, line: 2),
    Refused(name: "the second line", text: "[\n{\"id\":3}]", code: .wrongType, pointer: "/0/id", line: 2),
    Refused(name: "rate NaN", text: item("\"rate\":1", "\"rate\":NaN"), code: .invalidSyntax, line: 1),
    Refused(name: "rate as text", text: item("\"rate\":1", "\"rate\":\"1\""), code: .wrongType, pointer: "/0/rate"),
    Refused(name: "rate null", text: item("\"rate\":1", "\"rate\":null"), code: .wrongType, pointer: "/0/rate"),
    Refused(name: "no rate", text: item(#""rate":1,"#, ""), code: .missingKey, pointer: "/0"),
    Refused(name: "latency 0", text: item("10", "0"), code: .outOfRange, pointer: "/0/slo/latencyMs"),
    Refused(name: "latency 1e308", text: item("10", "1e308"), code: .outOfRange, pointer: "/0/slo/latencyMs"),
    Refused(
      name: "percentile 1", text: item("10", #"10,"percentile":1"#), code: .outOfRange, pointer: "/0/slo/percentile"),
    Refused(
      name: "percentile 0", text: item("10", #"10,"percentile":0"#), code: .outOfRange, pointer: "/0/slo/percentile"),
    Refused(
      name: "percentile 99", text: item("10", #"10,"percentile":99"#), code: .outOfRange,
      pointer: "/0/slo/percentile"),
    Refused(name: "unknown key", text: item(#""rate""#, #""rte""#), code: .unknownKey, pointer: "/0/rte"),
    Refused(
      name: "unknown key inside", text: item("latencyMs", "latency_ms"), code: .unknownKey,
      pointer: "/0/slo/latency_ms"),
    Refused(
      name: "unknown key outside", text: #"{"workloads":[],"version":1}"#, code: .unknownKey, pointer: "/version"),
    Refused(name: "no list", text: #"{}"#, code: .missingKey, pointer: ""),
    Refused(name: "a number alone", text: "3", code: .wrongType, pointer: ""),
    Refused(name: "capital in id", text: item("\"a\"", "\"A\""), code: .invalidName, pointer: "/0/id"),
    Refused(name: "empty id", text: item("\"a\"", "\"\""), code: .invalidName, pointer: "/0/id"),
    Refused(name: "hyphen at the end", text: item("\"a\"", "\"a-.b\""), code: .invalidName, pointer: "/0/id"),
    Refused(name: "empty part", text: item("\"a\"", "\"a..b\""), code: .invalidName, pointer: "/0/id"),
    Refused(
      name: "long part", text: item("\"a\"", "\"\(String(repeating: "a", count: 64))\""), code: .invalidName,
      pointer: "/0/id"),
    Refused(
      name: "long id", text: item("\"a\"", "\"\(String(repeating: "a.", count: 127))\""), code: .invalidName,
      pointer: "/0/id"),
    Refused(name: "space in model", text: item("\"m\"", "\"m 1\""), code: .invalidName, pointer: "/0/model"),
    Refused(
      name: "unknown arrivals", text: item("}}]", #"},"arrivals":{"process":"bursty"}}]"#), code: .outOfRange,
      pointer: "/0/arrivals/process"),
    Refused(
      name: "gamma without cv2", text: item("}}]", #"},"arrivals":{"process":"gamma"}}]"#), code: .missingKey,
      pointer: "/0/arrivals"),
    Refused(
      name: "cv2 of poisson", text: item("}}]", #"},"arrivals":{"process":"poisson","cv2":2}}]"#),
      code: .contradiction, pointer: "/0/arrivals/cv2"),
    Refused(
      name: "cv2 0", text: item("}}]", #"},"arrivals":{"process":"gamma","cv2":0}}]"#), code: .outOfRange,
      pointer: "/0/arrivals/cv2"),
    Refused(
      name: "half a priority", text: item("}}]", #"},"priority":1.5}]"#), code: .wrongType, pointer: "/0/priority"),
    Refused(
      name: "huge priority", text: item("}}]", #"},"priority":1000001}]"#), code: .outOfRange, pointer: "/0/priority"),
    Refused(
      name: "label key", text: item("}}]", #"},"labels":{"-a":"b"}}]"#), code: .invalidName, pointer: "/0/labels/-a"),
    Refused(
      name: "label value", text: item("}}]", #"},"labels":{"a/b":"b c"}}]"#), code: .invalidName,
      pointer: "/0/labels/a~1b"),
    Refused(
      name: "65 labels",
      text: item("}}]", "},\"labels\":{\((0...64).map { "\"k\($0)\":\"\"" }.joined(separator: ","))}}]"),
      code: .outOfRange, pointer: "/0/labels"),
    Refused(
      name: "unknown placeholder", text: launch(#""command":"a","args":["{x}"]"#), code: .unknownKey,
      pointer: "/0/launch/args/0"),
    Refused(
      name: "an open brace", text: launch(#""command":"a","env":{"A":"{"}"#), code: .unknownKey,
      pointer: "/0/launch/env/A"),
    Refused(
      name: "a port that is not there", text: launch(#""command":"{port}""#), code: .contradiction,
      pointer: "/0/launch/command"),
    Refused(
      name: "the node's variable", text: launch(#""command":"a","env":{"CUDA_VISIBLE_DEVICES":"0"}"#),
      code: .invalidName, pointer: "/0/launch/env/CUDA_VISIBLE_DEVICES"),
    Refused(
      name: "health without a port", text: launch(#""command":"a","health":"/""#), code: .contradiction,
      pointer: "/0/launch/health"),
    Refused(
      name: "a relative folder", text: launch(#""command":"a","workdir":"b""#), code: .outOfRange,
      pointer: "/0/launch/workdir"),
    Refused(
      name: "a queue that is none", text: item("}}]", "},\"queue\":\"fifo\"}]"), code: .outOfRange, pointer: "/0/queue"),
    Refused(
      name: "one server that is not told how many instances to hold",
      text: item("}}]", "},\"queue\":\"shared\",\"launch\":{\"command\":\"a\",\"args\":[\"{{processes}}\"]}}]"),
      code: .contradiction, pointer: "/0/queue"),
    Refused(name: "no command", text: launch(#""command": """#), code: .empty, pointer: "/0/launch/command"),
    Refused(
      name: "port 0", text: launch(#""command":"a","port":0"#), code: .outOfRange, pointer: "/0/launch/port"),
    Refused(
      name: "no memory at all", text: launch(#""command":"a","limits":{"memoryMiB":0}"#), code: .outOfRange,
      pointer: "/0/launch/limits/memoryMiB"),
    Refused(
      name: "the same id twice",
      text: #"{"workloads":[{"id":"a","model":"m","rate":1,"slo":{"latencyMs":1}},"#
        + #"{"id":"a","model":"m","rate":1,"slo":{"latencyMs":1}}]}"#, code: .duplicate, pointer: "/workloads/1/id"),
    Refused(name: "cut short", text: "[\n{\"id\":\n", code: .invalidSyntax, line: 3),
    Refused(name: "nothing", text: " \n\t", code: .empty),
    Refused(name: "nested deep", text: String(repeating: "[", count: 100_000), code: .invalidSyntax, line: 1),
  ]

  @Test(arguments: refusedJSON) func refusesJSONAtItsPlace(_ item: Refused) throws {
    let errors = try #require(throws: InputErrors.self) { try WorkloadReader.read(Self.json(item.text)) }
    #expect(errors.first.code == item.code)
    if let pointer = item.pointer { #expect(errors.first.pointer == pointer) }
    if let line = item.line { #expect(errors.first.line == line) }
    #expect(errors.first.file == "in.json")
  }

  static let refusedYAML = [
    Refused(
      name: "infinite rate", text: "- id: a\n  model: m\n  rate: .inf\n  slo: {latencyMs: 1}\n", code: .outOfRange,
      pointer: "/0/rate", line: 3),
    Refused(
      name: "NaN latency", text: "- id: a\n  model: m\n  rate: 1\n  slo:\n    latencyMs: .nan\n", code: .outOfRange,
      pointer: "/0/slo/latencyMs", line: 5),
    Refused(
      name: "unknown key", text: "- id: a\n  model: m\n  rate: 1\n  slo: {latencyMs: 1}\n  colour: red\n",
      code: .unknownKey, pointer: "/0/colour", line: 5),
    Refused(
      name: "missing key in the second", text: "- {id: a, model: m, rate: 1, slo: {latencyMs: 1}}\n- id: b\n",
      code: .missingKey, pointer: "/1", line: 2),
    Refused(
      name: "key twice", text: "- id: a\n  model: m\n  rate: 1\n  rate: 2\n  slo: {latencyMs: 1}\n", code: .duplicate),
    Refused(name: "bad indentation", text: "- id: a\n   model: m\n", code: .invalidSyntax, line: 2),
    Refused(name: "an anchor", text: "- &x\n  id: a\n", code: .invalidSyntax, line: 1),
    Refused(name: "an alias", text: "- id: a\n  slo: *x\n", code: .invalidSyntax, line: 2),
    Refused(name: "two documents", text: "[]\n---\n[]\n", code: .invalidSyntax, line: 2),
    Refused(name: "a comment alone", text: "# nothing\n", code: .empty),
    Refused(name: "nested deep", text: String(repeating: "[", count: 100_000), code: .invalidSyntax, line: 1),
  ]

  @Test(arguments: refusedYAML) func refusesYAMLAtItsLine(_ item: Refused) throws {
    let errors = try #require(throws: InputErrors.self) { try WorkloadReader.read(Self.yaml(item.text)) }
    #expect(errors.first.code == item.code)
    if let pointer = item.pointer { #expect(errors.first.pointer == pointer) }
    if let line = item.line { #expect(errors.first.line == line) }
  }

  static let refusedCSV = [
    Refused(name: "no header", text: "a,m,1,2\n", code: .wrongHeader, line: 1),
    Refused(name: "a column missing", text: "id,model,rate\n", code: .wrongHeader, line: 1),
    Refused(name: "a column twice", text: "id,model,rate,latency_ms,rate\n", code: .wrongHeader, line: 1),
    Refused(name: "an unknown column", text: "id,model,rate,latency_ms,team\n", code: .wrongHeader, line: 1),
    Refused(
      name: "a row cut short", text: "id,model,rate,latency_ms\na,m,1,1\nb,m,1\n", code: .wrongFieldCount, line: 3),
    Refused(name: "a row too long", text: "id,model,rate,latency_ms\nb,m,1,1,1\n", code: .wrongFieldCount, line: 2),
    Refused(name: "NaN", text: "id,model,rate,latency_ms\na,m,nan,1\n", code: .outOfRange, line: 2),
    Refused(name: "infinity", text: "id,model,rate,latency_ms\na,m,1,inf\n", code: .outOfRange, line: 2),
    Refused(name: "1e308", text: "id,model,rate,latency_ms\na,m,1e308,1\n", code: .outOfRange, line: 2),
    Refused(name: "0", text: "id,model,rate,latency_ms\na,m,0,1\n", code: .outOfRange, line: 2),
    Refused(name: "text for a number", text: "id,model,rate,latency_ms\na,m,fast,1\n", code: .wrongType, line: 2),
    Refused(name: "an empty cell", text: "id,model,rate,latency_ms\na,,1,1\n", code: .missingKey, line: 2),
    Refused(
      name: "the same id twice", text: "id,model,rate,latency_ms\na,m,1,1\n\na,m,1,1\n", code: .duplicate, line: 4),
    Refused(name: "an open quote", text: "id,model,rate,latency_ms\n\"a,m,1,1\n", code: .invalidSyntax, line: 2),
    Refused(name: "a stray quote", text: "id,model,rate,latency_ms\na\"b,m,1,1\n", code: .invalidSyntax, line: 2),
    Refused(
      name: "text after a quote", text: "id,model,rate,latency_ms\n\"a\"b,m,1,1\n", code: .invalidSyntax, line: 2),
    Refused(
      name: "a line break in a quoted field", text: "id,model,rate,latency_ms\n\"a\nb\",m,1,1\nc,m,0,1\n",
      code: .invalidName, line: 2),
    Refused(
      name: "a field without end", text: "id,model,rate,latency_ms\n\(String(repeating: "a", count: 5000)),m,1,1\n",
      code: .outOfRange, line: 2),
    Refused(
      name: "a thousand columns", text: String(repeating: "id,", count: 1000), code: .wrongFieldCount, line: 1),
    Refused(name: "nothing", text: "\n\n", code: .empty),
  ]

  @Test(arguments: refusedCSV) func refusesCSVAtItsLine(_ item: Refused) throws {
    let errors = try #require(throws: InputErrors.self) { try WorkloadReader.read(Self.csv(item.text)) }
    #expect(errors.first.code == item.code)
    if let line = item.line { #expect(errors.first.line == line) }
  }

  @Test(arguments: [InputFormat.json, .yaml, .csv]) func refusesBytesThatAreNotText(format: InputFormat) throws {
    let bytes = Data("id,model,rate,latency_ms\n".utf8) + Data([0xff, 0xfe, 0x2c, 0x41, 0x2c, 0x31, 0x2c, 0x31])
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(bytes, format: format))
    }
    #expect(errors.first.code == .notUTF8)
  }

  @Test func gathersTheRefusalsOfAWholeFileAndCountsTheRest() throws {
    let rows = (1...50).map { "w\($0),m,-1,1" }.joined(separator: "\n")
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(Self.csv("id,model,rate,latency_ms\n" + rows))
    }
    #expect(errors.errors.count == 20)
    #expect(errors.omitted == 30)
    #expect(errors.errors.map(\.line) == (2...21).map { $0 })
    #expect(errors.description.hasSuffix("\nand 30 more"))
  }

  @Test func aRefusalReadsAsPlaceMessageAndCode() throws {
    let csv = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(Self.csv("id,model,rate,latency_ms\na,m,-3,1\n"))
    }
    #expect(csv.description == "in.csv:2: rate must be 1e-06 to 1000000000 requests/s, not -3 [out_of_range]")
    let json = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(Self.json(Self.item("\"rate\"", "\"rte\"")))
    }
    #expect(
      json.description == "in.json:1: unknown key \"rte\"; allowed are id, namespace, model, rate, schedule, slo, "
        + "arrivals, priority, labels, launch, queue, placement, allowPartial, moveCost, maxProcesses, replicas, "
        + "survive [unknown_key] (/0/rte)")
    #expect(json.first.value == "rte")
  }

  @Test(arguments: [InputFormat.json, .yaml]) func writtenWorkloadsReadBackEqual(format: InputFormat) throws {
    for seed in 1...200 as ClosedRange<UInt64> {
      var random = SeededGenerator(seed)
      let workloads = RandomWorkloads.list(&random)
      let bytes = format == .json ? WorkloadWriter.json(workloads) : WorkloadWriter.yaml(workloads)
      #expect(try WorkloadReader.read(InputSource(bytes, format: format)) == workloads, "seed \(seed)")
    }
  }

  @Test(
    "the queue follows from the launch where it is not declared",
    arguments: [
      (nil, nil, QueueForm.shared), ("-p {processes}", nil, .shared), ("-p {{processes}}", nil, .perProcess),
      ("-p {{{processes}", nil, .shared), ("-p {process}", nil, .perProcess),
      ("{processes}", "perProcess", .perProcess),
      (nil, "perProcess", .perProcess),
    ] as [(String?, String?, QueueForm)])
  func queueFollowsFromLaunch(_ arg: String?, _ declared: String?, _ queue: QueueForm) throws {
    let spec = WorkloadSpec(
      id: "w", model: "m", rate: 1, slo: .init(latencyMs: 1),
      launch: arg.map { LaunchSpec(command: "serve", args: [$0]) }, queue: declared)
    let workload = try WorkloadReader.workload(from: spec)
    #expect(workload.queue == queue)
    // What follows is not declared by being read, so that another launch may change it.
    #expect(workload.declaredQueue?.rawValue == declared)
  }

  @Test("S5: CSV carries everything but launches and schedules, and refuses those by name")
  func csvCarriesWhatHasAColumn() throws {
    for seed in 1...200 as ClosedRange<UInt64> {
      var random = SeededGenerator(seed)
      var workloads = RandomWorkloads.list(&random)
      let beyond = workloads.filter { $0.launch != nil || !$0.schedule.isEmpty }
        .map { ($0.id, $0.launch == nil ? "schedule" : "launch") }
      if beyond.isEmpty {
        _ = try WorkloadWriter.csv(workloads)
      } else {
        let refusals = try #require(throws: InputErrors.self) { try WorkloadWriter.csv(workloads) }
        #expect(refusals.errors.count == beyond.count && refusals.errors.allSatisfy { $0.code == .notInFormat })
        #expect(
          zip(refusals.errors, beyond).allSatisfy { $0.message.contains("\($1.1) of \($1.0);") }, "seed \(seed)")
      }
      for index in workloads.indices { (workloads[index].launch, workloads[index].schedule) = (nil, []) }
      let bytes = try WorkloadWriter.csv(workloads)
      #expect(try WorkloadReader.read(InputSource(bytes, format: .csv)) == workloads, "seed \(seed)")
    }
  }

  @Test("S5: labels that are too long for a field of CSV are refused")
  func csvRefusesLongLabels() throws {
    var workload = Workload(id: "a", model: "m", rate: 1, sloLatencyMs: 10)
    for index in 0..<64 {
      workload.labels["key\(index)"] = String(repeating: "v", count: 62)
    }
    let refusals = try #require(throws: InputErrors.self) { try WorkloadWriter.csv([workload]) }
    #expect(refusals.first.code == .notInFormat && refusals.first.message.contains("labels of a;"))
  }

  @Test(
    "S5: cells of CSV that say nothing are refused with their line",
    arguments: [
      ("arrivals", "gamma"), ("arrivals", "gamma:x"), ("arrivals", "poisson:2"), ("arrivals", "sometimes"),
      ("labels", "a"), ("labels", "a=1|a=2"), ("labels", "|"), ("exclusive", "team"),
    ])
  func csvRefusals(column: String, cell: String) throws {
    let refusals = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(Self.csv("id,model,rate,latency_ms,\(column)\nw,m,1,1,\(cell)\n"))
    }
    #expect(refusals.first.line == 2)
  }

  @Test(
    "S8: a YAML key that YAML takes for something else is a key", arguments: ["no", "yes", "1", "1.5", "null", "~"])
  func oddKeys(key: String) throws {
    let yaml = "workloads:\n  - {id: a, model: m, rate: 1, slo: {latencyMs: 9}, labels: {\(key): x}}\n"
    if key == "~" {
      let refusals = try #require(throws: InputErrors.self) {
        try WorkloadReader.read(InputSource(Data(yaml.utf8), format: .yaml))
      }
      #expect(refusals.first.code == .invalidName)
    } else {
      #expect(try WorkloadReader.read(InputSource(Data(yaml.utf8), format: .yaml))[0].labels == [key: "x"])
    }
  }

  @Test func aDeclarationAndItsWorkloadSayTheSame() throws {
    let spec = WorkloadReader.spec(of: Self.full)
    #expect(try WorkloadReader.workload(from: spec) == Self.full)
    let errors = try #require(throws: InputErrors.self) {
      var broken = spec
      broken.slo.percentile = 2
      return try WorkloadReader.workload(from: broken)
    }
    #expect(errors.first.pointer == "/slo/percentile")
  }

  @Test func oneWorkloadIsReadByItself() throws {
    let source = Self.json(#"{"id":"a","model":"m","rate":1,"slo":{"latencyMs":10}}"#)
    #expect(try WorkloadReader.readOne(source) == Workload(id: "a", model: "m", rate: 1, sloLatencyMs: 10))
    let errors = try #require(throws: InputErrors.self) { try WorkloadReader.readOne(Self.json("[]")) }
    #expect(errors.first.code == .wrongType)
  }

  // MARK: - Within a namespace

  /// An id as it is written, with or without a namespace before it or beside it.
  private struct Form {
    let id: String
    let namespace: String?

    /// One workload of it in each format; of those with columns only without a member beside the id.
    var documents: [InputSource] {
      let beside = namespace.map { #", "namespace": "\#($0)""# } ?? ""
      let object = #"{"id": "\#(id)"\#(beside), "model": "bert", "rate": 1, "slo": {"latencyMs": 5}}"#
      let block =
        "id: '\(id)'\n" + (namespace.map { "namespace: \($0)\n" } ?? "") + "model: bert\nrate: 1\nslo: {latencyMs: 5}\n"
      var sources = [
        WorkloadReaderTests.json("[\(object)]"), WorkloadReaderTests.json(#"{"workloads": [\#(object)]}"#),
        WorkloadReaderTests.json(object),
        WorkloadReaderTests.yaml(block),
        // Not as it is usually written, so that the general way reads it.
        WorkloadReaderTests.json(#"[\#(object.replacing("bert", with: "b\\u0065rt"))]"#),
        WorkloadReaderTests.yaml("workloads:\n  - \(object)\n"),
        InputSource(Data((object + "\n").utf8), name: "in.ndjson"),
      ]
      if namespace == nil { sources.append(WorkloadReaderTests.csv("id,model,rate,latency_ms\n\(id),bert,1,5\n")) }
      return sources
    }
  }

  @Test(
    "within a namespace a bare id and a qualified one are the same, and what is of another is refused where it stands")
  func idsWithinANamespace() throws {
    for home in [nil, "vision", "default"] {
      for (id, namespace) in [
        ("web", nil), ("web", "vision"), ("vision:web", nil), ("vision:web", "vision"), ("web", "default"),
        ("web", "audio"), ("audio:web", nil), ("audio:web", "audio"), ("vision:web", "audio"),
      ] as [(String, String?)] {
        let own = id.contains(":") ? String(id.prefix { $0 != ":" }) : nil
        let said = Set([own, namespace].compactMap(\.self))
        let isRefused = said.count > 1 || (home != nil && said.contains { $0 != home })
        let whole = said.first ?? home ?? "default"
        let wanted = whole == "default" ? "web" : "\(whole):web"
        for source in Form(id: id, namespace: namespace).documents {
          let place = "\(home ?? "none") \(String(decoding: source.data, as: UTF8.self))"
          guard isRefused else {
            #expect(try WorkloadReader.readFile(source, in: home).map(\.id) == [wanted], "\(place)")
            continue
          }
          do {
            _ = try WorkloadReader.readFile(source, in: home)
            Issue.record("taken: \(place)")
          } catch {
            let codes: Set<InputError.Code> = home == nil ? [.contradiction] : [.contradiction, .namespaceMismatch]
            #expect(error.errors.allSatisfy { codes.contains($0.code) && $0.line != nil }, "\(place)")
          }
        }
      }
    }
  }

  @Test("within a namespace both forms of an id in one list are one twice")
  func bothFormsAreOne() {
    func row(_ id: String) -> String { #"{"id":"\#(id)","model":"bert","rate":1,"slo":{"latencyMs":5}}"# }
    let rows = [row("web"), row("vision:web")]
    for source in [
      Self.json("[\(rows.joined(separator: ","))]"), Self.yaml("- \(rows[0])\n- \(rows[1])\n"),
      InputSource(Data(rows.joined(separator: "\n").utf8), name: "in.ndjson"),
      Self.csv("id,model,rate,latency_ms\nweb,bert,1,5\nvision:web,bert,1,5\n"),
    ] {
      #expect((try? WorkloadReader.readFile(source).count) == 2)
      #expect { try WorkloadReader.readFile(source, in: "vision") } throws: { error in
        (error as? InputErrors)?.errors.first?.code == .duplicate
      }
    }
  }
}
