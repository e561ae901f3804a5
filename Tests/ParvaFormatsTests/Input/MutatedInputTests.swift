import Foundation
import ParvaEngine
import ParvaFormats
import Testing

/// Valid inputs with random damage: a reader may accept or refuse, but never crash, and a refusal says where.
@Suite("Damaged inputs")
struct MutatedInputTests {
  enum Reader: String, CaseIterable, Sendable {
    case workloadsJSON, workloadsYAML, workloadsCSV, published, ownProfiles, profilesJSON, poolsYAML, poolsJSON,
      planJSON,
      planYAML, scenario, eventsYAML, eventsJSON, trace
  }

  @Test(arguments: Reader.allCases) func areReadOrRefusedWithAPlace(reader: Reader) throws {
    let original = try Self.valid(reader)
    try Self.read(original, reader)
    var refused = 0
    for seed in 1...400 as ClosedRange<UInt64> {
      var random = SeededGenerator(seed)
      let damaged = Self.damage(original, &random)
      do {
        try Self.read(damaged, reader)
      } catch let errors as InputErrors {
        refused += 1
        #expect(!errors.errors.isEmpty, "seed \(seed)")
        for error in errors.errors {
          #expect(error.file == "input", "seed \(seed): \(error)")
          #expect(!error.message.isEmpty, "seed \(seed)")
          let isOfTheWholeFile = error.code == .empty || reader == .scenario
          #expect(error.line != nil || isOfTheWholeFile, "seed \(seed): \(error)")
        }
      }
    }
    #expect(refused > 50, "only \(refused) of 400 damaged inputs were refused")
  }

  static func damage(_ original: Data, _ random: inout SeededGenerator) -> Data {
    var bytes = [UInt8](original)
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      guard !bytes.isEmpty else { break }
      let place = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0...6, using: &random) {
      case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
      case 1: bytes.remove(at: place)
      case 2: bytes.insert(contentsOf: Self.words.randomElement(using: &random).map { Array($0.utf8) } ?? [], at: place)
      case 3: bytes.removeSubrange(place...)
      case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 40)], at: place)
      case 5: bytes.removeSubrange(place..<min(bytes.count, place + 12))
      default: bytes.swapAt(place, Int.random(in: 0..<bytes.count, using: &random))
      }
    }
    return Data(bytes)
  }

  private static let words = [
    "NaN", "1e309", "-", "\"", "{", "}", "[", "]", ":", ",", "\n", "\r", "\u{0}", "é", "null", "true", "0x1p4",
    "99999999999999999999", "&a", "*a", "!!int ", "? ", "|\n", "%YAML 9.9\n", "---\n", "...\n", "\\u0000", "\u{2028}",
  ]

  private static func valid(_ reader: Reader) throws -> Data {
    var random = SeededGenerator(42)
    let workloads = RandomWorkloads.list(&random) + [WorkloadReaderTests.full]
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let profile = ModelProfile(
      model: "bert", product: product.name, source: .modelled,
      points: Array(BuiltInCatalogue.profiles[0].points.prefix(6)))
    let plan = RandomPlans.plan(&random)
    return switch reader {
    case .workloadsJSON: WorkloadWriter.json(workloads)
    case .workloadsYAML: WorkloadWriter.yaml(workloads)
    case .workloadsCSV:
      try WorkloadWriter.csv(
        workloads.map { workload in
          var workload = workload
          (workload.launch, workload.schedule) = (nil, [])
          return workload
        })
    case .published: Data((ProfileReaderTests.publishedHeader + "1,1,1,5.5,0.1\n2,4,3,7,0.25\n1,2,1,0,0\n").utf8)
    case .ownProfiles: ProfileWriter.csv([profile])
    case .profilesJSON: ProfileWriter.json([profile])
    case .poolsYAML:
      Data(
        "pools:\n  - name: a\n    product: A30-24GB\n    count: 3\n  - {name: b, product: H200-141GB, watts: 700}\n"
          .utf8)
    case .poolsJSON: Data(#"{"pools":[{"name":"a","product":"A30-24GB","count":3,"hourlyCost":1.5}]}"#.utf8)
    case .planJSON: PlanWriter.json(plan)
    case .planYAML: PlanWriter.yaml(plan)
    case .scenario: Data("1,N/A,3.5\n4,5,N/A\n".utf8)
    case .eventsYAML:
      Data(
        "events:\n  - {at: 60, rate: 3, over: 60, workload: a}\n  - at: 20\n    fail: {gpu: 0}\n    duration: 30\n".utf8
      )
    case .eventsJSON: Data(#"{"events":[{"at":1,"rate":1.5},{"at":2,"fail":{"segment":"a/0"}}]}"#.utf8)
    case .trace: Data("TIMESTAMP,x\n2023-11-16 18:17:03.97,1\n2023-11-16 18:17:04.03,2\n2023-11-16T18:18:00Z,3\n".utf8)
    }
  }

  private static func read(_ data: Data, _ reader: Reader) throws {
    let format: InputFormat =
      switch reader {
      case .workloadsJSON, .profilesJSON, .poolsJSON, .planJSON, .eventsJSON: .json
      case .workloadsYAML, .poolsYAML, .planYAML, .eventsYAML: .yaml
      case .workloadsCSV, .published, .ownProfiles, .scenario, .trace: .csv
      }
    let source = InputSource(data, name: "input", format: format)
    switch reader {
    case .workloadsJSON, .workloadsYAML, .workloadsCSV: _ = try WorkloadReader.read(source)
    case .published, .ownProfiles, .profilesJSON:
      _ = try ProfileReader.read(source, model: "bert", product: ProfileReaderTests.product)
    case .poolsYAML, .poolsJSON: _ = try PoolReader.read(source)
    case .planJSON, .planYAML: _ = try PlanReader.read(source)
    case .eventsYAML, .eventsJSON: _ = try SimulationEventReader.read(source, duration: 100)
    case .trace: _ = try ArrivalRecordingReader.read(source)
    case .scenario: _ = try ScenarioReader.read(rates: source, latencies: source, row: 2, models: ["a", "b", "c"])
    }
  }
}
