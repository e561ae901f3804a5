import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite("Reading profiles")
struct ProfileReaderTests {
  static let product = ProductCatalogue.product(named: "A100-80GB") ?? ProductCatalogue.all[0]
  static let publishedHeader = "Mig instance,Batch size,Workload Number,Throughput,Latency\n"
  static let ownHeader = "model,product,profile,batch,processes,throughput,latency_ms,memory_mib,source\n"

  static func read(_ text: String, _ name: String) throws -> [ModelProfile] {
    try ProfileReader.read(InputSource(Data(text.utf8), name: name), product: product)
  }

  @Test func publishedRowsBecomeTotalsAndMilliseconds() throws {
    let profiles = try Self.read(Self.publishedHeader + "3,8,2,100.5,0.25\r\n7,1,1,10,1\r\n", "x/bert.csv")
    let half = try #require(Self.product.profileIndex(named: "3g.40gb"))
    let whole = try #require(Self.product.profileIndex(named: "7g.80gb"))
    #expect(
      profiles == [
        ModelProfile(
          model: "bert", product: "A100-80GB", source: .measured,
          points: [
            ProfilePoint(profile: half, batch: 8, processes: 2, throughput: 201, latencyMs: 250),
            ProfilePoint(profile: whole, batch: 1, processes: 1, throughput: 10, latencyMs: 1000),
          ])
      ])
  }

  @Test func aRowOfZerosDidNotFit() throws {
    let profiles = try Self.read(Self.publishedHeader + "1,256,5,0,0\n", "bert.csv")
    #expect(profiles.map(\.model) == ["bert"])
    #expect(profiles.allSatisfy { $0.points.isEmpty })
  }

  @Test func ownFormatCarriesModelsProductsMemoryAndSource() throws {
    let profiles = try Self.read(
      Self.ownHeader + "m,a100-80gb,1g.10gb,1,1,5,200,512.5,modelled\nm,A30-24GB,1g.6gb,1,1,4,250,,\n", "p.csv")
    #expect(profiles.map(\.product) == ["A100-80GB", "A30-24GB"])
    #expect(profiles.map(\.source) == [.modelled, .measured])
    #expect(profiles.map { $0.points.first?.memoryMiB } == [512.5, nil])
  }

  @Test func pointsOfTwoSourcesMakeTheirModelMixed() throws {
    let rows = "m,A30-24GB,1g.6gb,1,1,4,250,,measured\nm,A30-24GB,1g.6gb,2,1,4,250,,modelled\n"
    #expect(try Self.read(Self.ownHeader + rows, "p.csv").map(\.source) == [.mixed])
  }

  @Test(arguments: [InputFormat.json, .yaml, .csv]) func writtenProfilesReadBackEqual(format: InputFormat) throws {
    let profiles = BuiltInCatalogue.profiles
    let bytes =
      switch format {
      case .json, .ndjson: ProfileWriter.json(profiles)
      case .yaml: ProfileWriter.yaml(profiles)
      case .csv: ProfileWriter.csv(profiles)
      }
    #expect(try ProfileReader.read(InputSource(bytes, format: format), product: Self.product) == profiles)
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let code: InputError.Code
    var line: Int?
    var pointer: String?
    var file = "bert.csv"
    var testDescription: String { name }
  }

  static func own(_ row: String) -> String { ownHeader + row + "\n" }

  static let refused = [
    Refused(
      name: "a size that no plain profile has", text: publishedHeader + "5,1,1,1,1\n", code: .unknownProfile, line: 2),
    Refused(name: "a row cut short", text: publishedHeader + "1,1,1,1,1\n1,2,1,5", code: .wrongFieldCount, line: 3),
    Refused(name: "half a zero row", text: publishedHeader + "1,1,1,0,0.5\n", code: .contradiction, line: 2),
    Refused(name: "throughput without latency", text: publishedHeader + "1,1,1,5,0\n", code: .outOfRange, line: 2),
    Refused(name: "negative throughput", text: publishedHeader + "1,1,1,-5,1\n", code: .outOfRange, line: 2),
    Refused(name: "NaN throughput", text: publishedHeader + "1,1,1,nan,1\n", code: .outOfRange, line: 2),
    Refused(name: "infinite latency", text: publishedHeader + "1,1,1,1,inf\n", code: .outOfRange, line: 2),
    Refused(name: "1e308", text: publishedHeader + "1,1,5,1e308,1\n", code: .outOfRange, line: 2),
    Refused(name: "batch 0", text: publishedHeader + "1,0,1,1,1\n", code: .outOfRange, line: 2),
    Refused(
      name: "batch beyond Int", text: publishedHeader + "1,99999999999999999999,1,1,1\n", code: .wrongType, line: 2),
    Refused(name: "65 processes", text: publishedHeader + "1,1,65,1,1\n", code: .outOfRange, line: 2),
    Refused(name: "a point twice", text: publishedHeader + "1,1,1,1,1\n1,1,1,2,1\n", code: .duplicate, line: 3),
    Refused(
      name: "another header", text: "Mig instance,Batch,Number,Throughput,Latency\n", code: .wrongHeader, line: 1),
    Refused(name: "no points", text: publishedHeader, code: .empty),
    Refused(name: "no rows of ours", text: ownHeader, code: .empty),
    Refused(name: "nothing", text: "", code: .empty),
    Refused(
      name: "a name that is no model", text: publishedHeader + "1,1,1,1,1\n", code: .invalidName, file: "a b.csv"),
    Refused(name: "unknown product", text: own("m,A1,1g.5gb,1,1,1,1,,"), code: .unknownProduct, line: 2),
    Refused(name: "unknown profile", text: own("m,A30-24GB,1g.5gb,1,1,1,1,,"), code: .unknownProfile, line: 2),
    Refused(name: "unknown source", text: own("m,A30-24GB,1g.6gb,1,1,1,1,,guessed"), code: .outOfRange, line: 2),
    Refused(name: "negative memory", text: own("m,A30-24GB,1g.6gb,1,1,1,1,-1,"), code: .outOfRange, line: 2),
    Refused(
      name: "unknown profile in JSON",
      text: #"{"profiles":[{"model":"m","product":"A30-24GB","points":[{"profile":"9g","batch":1,"processes":1,"#
        + #""throughput":1,"latencyMs":1}]}]}"#, code: .unknownProfile, pointer: "/profiles/0/points/0/profile",
      file: "p.json"),
    Refused(
      name: "no points in JSON", text: #"{"profiles":[{"model":"m","product":"A30-24GB","points":[]}]}"#, code: .empty,
      pointer: "/profiles/0/points", file: "p.json"),
    Refused(
      name: "a model twice in JSON",
      text: #"{"profiles":[{"model":"m","product":"A30-24GB","points":[{"profile":"1g.6gb","batch":1,"processes":1,"#
        + #""throughput":1,"latencyMs":1}]},{"model":"m","product":"a30-24gb","points":[{"profile":"1g.6gb","#
        + #""batch":1,"processes":1,"throughput":2,"latencyMs":1}]}]}"#, code: .duplicate,
      pointer: "/profiles/1/points/0/batch", file: "p.json"),
    Refused(
      name: "latency out of range in JSON",
      text: #"{"profiles":[{"model":"m","product":"A30-24GB","points":[{"profile":"1g.6gb","batch":1,"processes":1,"#
        + #""throughput":1,"latencyMs":1e8}]}]}"#, code: .outOfRange, pointer: "/profiles/0/points/0/latencyMs",
      file: "p.json"),
  ]

  @Test(arguments: refused) func refusesAtItsPlace(_ item: Refused) throws {
    let errors = try #require(throws: InputErrors.self) { try Self.read(item.text, item.file) }
    #expect(errors.first.code == item.code)
    if let line = item.line { #expect(errors.first.line == line) }
    if let pointer = item.pointer { #expect(errors.first.pointer == pointer) }
  }

  @Test func aFolderIsReadWholeAndItsFaultsToo() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "parva-profiles-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data((Self.publishedHeader + "1,1,1,1,1\n").utf8).write(to: folder.appending(path: "b.csv"))
    try Data((Self.publishedHeader + "2,1,1,1,1\n").utf8).write(to: folder.appending(path: "a.csv"))
    try Data("not read".utf8).write(to: folder.appending(path: "README.md"))
    #expect(try ProfileReader.load(folder.path, product: Self.product).map(\.model) == ["a", "b"])

    try Data("x,y\n".utf8).write(to: folder.appending(path: "c.csv"))
    try Data(Self.own("b,A100-80GB,1g.10gb,1,1,1,1,,").utf8).write(to: folder.appending(path: "d.csv"))
    let errors = try #require(throws: InputErrors.self) { try ProfileReader.load(folder.path, product: Self.product) }
    #expect(errors.errors.map(\.code) == [.wrongHeader, .duplicate])
    #expect(errors.errors.map { $0.file?.hasSuffix("/c.csv") } == [true, false])
  }

  @Test func anEmptyFolderIsNoCatalogue() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "parva-profiles-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let errors = try #require(throws: InputErrors.self) { try ProfileReader.load(folder.path, product: Self.product) }
    #expect(errors.first.code == .empty)
  }
}
