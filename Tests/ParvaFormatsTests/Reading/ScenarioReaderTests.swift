import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite("Reading scenario tables")
struct ScenarioReaderTests {
  static func read(_ rates: String, _ latencies: String, row: Int = 1) throws -> [Workload] {
    try ScenarioReader.read(
      rates: InputSource(Data(rates.utf8), name: "rates.csv"),
      latencies: InputSource(Data(latencies.utf8), name: "latencies.csv"), row: row, models: ["a", "b"])
  }

  @Test func leavesOutWhatIsNotThereAndKeepsFractions() throws {
    #expect(
      try Self.read("19,N/A\n1,2\n", "6.5,N/A\n3,4.25") == [Workload(id: "a", model: "a", rate: 19, sloLatencyMs: 6.5)])
    #expect(try Self.read("19,N/A\r\n1,2\r\n", "6.5,N/A\r\n3,4.25", row: 2).map(\.sloLatencyMs) == [3, 4.25])
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let name: String
    var rates = "1,2\n"
    var latencies = "3,4\n"
    var row = 1
    let code: InputError.Code
    let file: String
    var testDescription: String { name }
  }

  static let refused = [
    Refused(name: "row 0", row: 0, code: .outOfRange, file: "rates.csv"),
    Refused(name: "row 2 of 1", row: 2, code: .outOfRange, file: "rates.csv"),
    Refused(name: "a column too few", latencies: "3\n", code: .wrongFieldCount, file: "latencies.csv"),
    Refused(name: "absent in one table alone", rates: "N/A,2\n", code: .contradiction, file: "rates.csv"),
    Refused(name: "text", rates: "many,2\n", code: .wrongType, file: "rates.csv"),
    Refused(name: "rate 0", rates: "0,2\n", code: .outOfRange, file: "rates.csv"),
    Refused(name: "NaN", latencies: "nan,2\n", code: .outOfRange, file: "latencies.csv"),
  ]

  @Test(arguments: refused) func refusesAtItsPlace(_ item: Refused) throws {
    let errors = try #require(throws: InputErrors.self) { try Self.read(item.rates, item.latencies, row: item.row) }
    #expect(errors.first.code == item.code)
    #expect(errors.first.file == item.file)
  }
}
