import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite("Where inputs come from")
struct InputSourceTests {
  struct Told: Sendable, CustomTestStringConvertible {
    let text: String
    var name: String?
    let format: InputFormat
    var testDescription: String { "\(name ?? "-"): \(text)" }
  }

  static let told = [
    Told(text: "id,model\n", name: "x.json", format: .json),
    Told(text: "[]", name: "x.YML", format: .yaml),
    Told(text: "[]", name: "x.csv", format: .csv),
    Told(text: " \n{\"a\": 1}", format: .json),
    Told(text: "\u{feff}[1]", format: .json),
    Told(text: "id,model,rate\n", format: .csv),
    Told(text: "workloads:\n  - id: a, b\n", format: .yaml),
    Told(text: "- id: a\n", name: "-", format: .yaml),
    Told(text: "id,model\n", name: "x.txt", format: .csv),
    Told(text: "", format: .yaml),
  ]

  @Test("a size is told in the unit of which it is a whole number, and never as none")
  func sizes() {
    let told = [
      1: "1 bytes", 1_023: "1023 bytes", 1_024: "1 KiB", 1_025: "1025 bytes", 65_536: "64 KiB", 64 << 20: "64 MiB",
    ]
    for (bytes, text) in told { #expect(InputError.size(bytes) == text) }
    let small = InputSource(Data(repeating: 0x20, count: 5_000), format: .json)
    let error = #expect(throws: InputErrors.self) { try small.settings(limit: 4_096) }
    #expect(error?.first.message == "more than 4 KiB of JSON, the most that is read")
  }

  @Test("what is wrong of a body without a name is told by its line alone")
  func linesOfBodies() {
    #expect(
      InputError(.missingKey, "no", line: 192, pointer: "/3/id").description == "line 192: no [missing_key] (/3/id)")
    #expect(InputError(.missingKey, "no", file: "a.csv", line: 2).description == "a.csv:2: no [missing_key]")
    #expect(InputError(.missingKey, "no", pointer: "/id").description == "#/id: no [missing_key]")
  }

  @Test(arguments: told) func theNameAndThenTheBytesTellTheFormat(_ item: Told) {
    #expect(InputSource(Data(item.text.utf8), name: item.name).format == item.format)
  }

  @Test func whatTheSenderDeclaredCounts() {
    #expect(InputSource(Data("[]".utf8), name: "x.csv", format: .yaml).format == .yaml)
  }

  private static func withFile(_ bytes: Int, _ name: String, _ body: (String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString)-\(name)").path
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.truncate(atOffset: UInt64(bytes))
    try handle.close()
    try body(path)
  }

  @Test func aFileOverTheLimitIsRefusedUnread() throws {
    try Self.withFile(100_000_000, "huge.json") { path in
      let errors = try #require(throws: InputErrors.self) { try InputSource.load(path) }
      #expect(errors.description == "\(path): more than 64 MiB, the most that is read [too_large]")
    }
  }

  @Test func aPipeOverTheLimitIsRefusedOnceItIsReached() throws {
    let errors = try #require(throws: InputErrors.self) { try InputSource.load("/dev/zero", limit: 3_000_000) }
    #expect(errors.first.code == .tooLarge)
  }

  @Test func yamlHasALimitOfItsOwn() throws {
    try Self.withFile(5 << 20, "big.yaml") { path in
      let source = try InputSource.load(path)
      let errors = try #require(throws: InputErrors.self) { try WorkloadReader.read(source) }
      #expect(errors.first.message == "more than 4 MiB of YAML, the most that is read; JSON may be larger")
    }
  }

  @Test func plansMayBeLargerThanWorkloads() {
    #expect(InputLimits.planBytes > InputLimits.fileBytes)
  }

  @Test func missingFilesAndFoldersAreToldApart() throws {
    let missing = try #require(throws: InputErrors.self) { try InputSource.load("/nonexistent/x") }
    #expect(missing.description == "/nonexistent/x: no such file [unreadable]")
    let folder = try #require(throws: InputErrors.self) { try InputSource.load("/") }
    #expect(folder.description == "/: is a folder, a file is expected [unreadable]")
  }

  @Test("where a regular file is asked for, a pipe is refused at once, and a link to a file is read")
  func pipesAreNoFiles() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "parva-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (pipe, file, link) = (folder.path + "/pipe", folder.path + "/file", folder.path + "/link")
    try #require(mkfifo(pipe, 0o600) == 0)
    for path in [pipe, "-", "/dev/null"] {
      let errors = try #require(throws: InputErrors.self) { try InputSource.load(path, isRegular: true) }
      #expect(errors.description == "\(path): is no regular file [unreadable]")
    }
    try Data("{}".utf8).write(to: URL(filePath: file))
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
    #expect(try InputSource.load(link, isRegular: true).data == Data("{}".utf8))
  }
}
