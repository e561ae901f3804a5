import Foundation
import ParvaEngine
import ParvaFormats
import Testing

/// Every format that demand and profiles come in, against everything that goes wrong with files.
@Suite("Every input format against every fault")
struct InputMatrixTests {
  /// A valid text of two records in one format; `NUMBER` stands for a rate or a throughput of the second.
  enum Kind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case workloadsJSON = "workloads.json"
    case workloadsYAML = "workloads.yaml"
    case workloadsCSV = "workloads.csv"
    case published = "published.csv"
    case ownCSV = "own.csv"
    case profilesJSON = "profiles.json"
    case profilesYAML = "profiles.yaml"

    var testDescription: String { rawValue }

    private static let product = ProductCatalogue.product(named: "A100-80GB") ?? ProductCatalogue.all[0]

    var template: String {
      switch self {
      case .workloadsJSON:
        """
        {"workloads": [
          {"id": "a", "model": "m", "rate": 5, "slo": {"latencyMs": 10}},
          {"id": "b", "model": "m", "rate": NUMBER, "slo": {"latencyMs": 10}}
        ]}

        """
      case .workloadsYAML:
        """
        workloads:
          - {id: a, model: m, rate: 5, slo: {latencyMs: 10}}
          - {id: b, model: m, rate: NUMBER, slo: {latencyMs: 10}}

        """
      case .workloadsCSV: "id,model,rate,latency_ms\na,m,5,10\nb,m,NUMBER,10\n"
      case .published: "Mig instance,Batch size,Workload Number,Throughput,Latency\n1,1,1,5,0.1\n1,2,1,NUMBER,0.1\n"
      case .ownCSV:
        "model,product,profile,batch,processes,throughput,latency_ms\nm,A100-80GB,1g.10gb,1,1,5,10\n"
          + "m,A100-80GB,1g.10gb,2,1,NUMBER,10\n"
      case .profilesJSON:
        """
        {"profiles": [{"model": "m", "product": "A100-80GB", "points": [
          {"profile": "1g.10gb", "batch": 1, "processes": 1, "throughput": 5, "latencyMs": 10},
          {"profile": "1g.10gb", "batch": 2, "processes": 1, "throughput": NUMBER, "latencyMs": 10}
        ]}]}

        """
      case .profilesYAML:
        """
        profiles:
          - model: m
            product: A100-80GB
            points:
              - {profile: 1g.10gb, batch: 1, processes: 1, throughput: 5, latencyMs: 10}
              - {profile: 1g.10gb, batch: 2, processes: 1, throughput: NUMBER, latencyMs: 10}

        """
      }
    }

    /// What makes the second record a second one of the first.
    var duplication: (String, String) {
      switch self {
      case .workloadsJSON: (#""id": "b""#, #""id": "a""#)
      case .workloadsYAML: ("id: b", "id: a")
      case .workloadsCSV: ("\nb,", "\na,")
      case .published: ("\n1,2,", "\n1,1,")
      case .ownCSV: ("1g.10gb,2,", "1g.10gb,1,")
      case .profilesJSON: (#""batch": 2"#, #""batch": 1"#)
      case .profilesYAML: ("batch: 2", "batch: 1")
      }
    }

    var isJSON: Bool { rawValue.hasSuffix(".json") }
    var isCSV: Bool { rawValue.hasSuffix(".csv") }

    /// How many records a text holds.
    func read(_ text: String) throws -> Int { try read(Data(text.utf8)) }

    func read(_ data: Data) throws -> Int {
      let source = InputSource(data, name: rawValue)
      switch self {
      case .workloadsJSON, .workloadsYAML, .workloadsCSV: return try WorkloadReader.read(source).count
      case .published, .ownCSV, .profilesJSON, .profilesYAML:
        return try ProfileReader.read(source, model: "m", product: Self.product).reduce(0) {
          $0 + $1.points.count + $1.misfits.count
        }
      }
    }

    func refusal(_ text: String) throws -> InputError {
      let errors = try #require(throws: InputErrors.self, "\(rawValue): \(text)") { try read(text) }
      return errors.first
    }

    func with(_ number: String) -> String { template.replacing("NUMBER", with: number) }

    /// Line of the second record.
    var secondLine: Int {
      1 + template[..<(template.range(of: "NUMBER")?.lowerBound ?? template.endIndex)].count { $0 == "\n" }
    }
  }

  @Test(arguments: Kind.allCases, ["NaN", "inf", "-1", "1e308", "1e999", "five", ""])
  func aNumberThatIsNoneIsRefusedAtItsPlace(kind: Kind, number: String) throws {
    // YAML spells them with a dot; without it they are text.
    let spelt =
      kind.isCSV || kind.isJSON ? number : number.replacing("NaN", with: ".nan").replacing("inf", with: ".inf")
    let refusal = try kind.refusal(kind.with(spelt))
    #expect([.outOfRange, .wrongType, .missingKey, .invalidSyntax].contains(refusal.code), "\(refusal)")
    #expect(refusal.file == kind.rawValue)
    let line = try #require(refusal.line)
    #expect(abs(line - kind.secondLine) <= (kind.isCSV ? 0 : 1), "\(refusal)")
    if !kind.isCSV, refusal.code != .invalidSyntax { #expect(refusal.pointer?.isEmpty == false, "\(refusal)") }
  }

  @Test(arguments: Kind.allCases) func zeroIsNoRateAndHalfAMisfit(kind: Kind) throws {
    let refusal = try kind.refusal(kind.with("0"))
    let isWorkload = kind.rawValue.hasPrefix("workloads")
    #expect(refusal.code == (isWorkload ? .outOfRange : .contradiction))
  }

  @Test(arguments: Kind.allCases) func aByteOrderMarkAndCarriageReturnsAreNoFault(kind: Kind) throws {
    let text = kind.with("7")
    #expect(try kind.read(text) == 2)
    #expect(try kind.read("\u{feff}" + text) == 2)
    #expect(try kind.read(text.replacing("\n", with: "\r\n")) == 2)
    #expect(try kind.read("\u{feff}" + text.replacing("\n", with: "\r\n")) == 2)
    let end = text.dropLast(while: { $0 == "\n" })
    #expect(try kind.read(end) == 2, "no line break at the end")
  }

  @Test(arguments: Kind.allCases) func aSecondRecordOfTheSameNameIsRefused(kind: Kind) throws {
    let (second, first) = kind.duplication
    let refusal = try kind.refusal(kind.with("7").replacing(second, with: first))
    #expect(refusal.code == .duplicate)
    #expect(refusal.line != nil)
  }

  @Test(arguments: Kind.allCases) func everyCutShortFileIsRefusedOrWhole(kind: Kind) throws {
    let bytes = Data(kind.with("7").utf8)
    for length in 0..<bytes.count {
      guard let count = try? kind.read(bytes.prefix(length)) else { continue }
      // YAML and CSV have no end mark: what is left may be a file of its own, never more than there was.
      #expect(!kind.isJSON || bytes.dropFirst(length).allSatisfy { $0 == 0x0a }, "\(kind) cut at \(length)")
      #expect(count <= 2)
    }
  }

  @Test(arguments: Kind.allCases.filter(\.isCSV)) func aHeaderThatIsWrongIsNamed(kind: Kind) throws {
    let text = kind.with("7")
    let names = text.prefix { $0 != "\n" }.split(separator: ",")
    for index in names.indices {
      var wrong = names.map(String.init)
      wrong[index] += "x"
      let header = wrong.joined(separator: ",") + text.drop { $0 != "\n" }
      let refusal = try kind.refusal(header)
      #expect((refusal.code, refusal.line) == (.wrongHeader, 1))
      #expect(refusal.message.contains("\"\(wrong[index])\""))
      // The formats are told apart by the names that are right.
      #expect(refusal.message.contains(String(names[index == 0 ? 1 : 0])), "\(refusal)")
    }
  }

  @Test(arguments: Kind.allCases) func whatIsTooLargeIsRefusedUnparsed(kind: Kind) throws {
    // Pages that nobody looks at take no memory.
    let isList = kind == .workloadsJSON || kind == .workloadsCSV
    let source = InputSource(Data(count: isList ? InputLimits.listBytes + 1 : 100_000_000), name: kind.rawValue)
    let errors = try #require(throws: InputErrors.self) {
      switch kind {
      case .workloadsJSON, .workloadsYAML, .workloadsCSV: _ = try WorkloadReader.read(source)
      default: _ = try ProfileReader.read(source, product: ProductCatalogue.all[0])
      }
    }
    #expect(errors.first.code == .tooLarge)
  }

  @Test func aListOfNoProfilesIsEmpty() throws {
    let refusal = try Kind.profilesJSON.refusal(#"{"profiles": []}"#)
    #expect((refusal.code, refusal.pointer) == (.empty, "/profiles"))
  }
}

extension StringProtocol {
  /// Without the characters at the end that satisfy the condition.
  fileprivate func dropLast(while drops: (Character) -> Bool) -> String {
    var text = String(self)
    while let last = text.last, drops(last) { text.removeLast() }
    return text
  }
}
