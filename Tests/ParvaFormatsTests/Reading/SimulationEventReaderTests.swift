import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite("Reading events of a simulation")
struct SimulationEventReaderTests {
  @Test func everyKind() throws {
    let text = """
      events:
        - {at: 60, rate: 1.5}
        - {at: 120, rate: 3, over: 60, workload: resnet50}
        - {at: 200, fail: {gpu: 0}, duration: 30}
        - at: 300
          fail: {segment: resnet50/1}
      """
    let events = try SimulationEventReader.read(InputSource(Data(text.utf8), format: .yaml), duration: 600)
    #expect(
      events == [
        .rate(time: 60, factor: 1.5, over: 0, workload: nil),
        .rate(time: 120, factor: 3, over: 60, workload: "resnet50"),
        .failure(time: 200, target: .gpu(0), duration: 30),
        .failure(time: 300, target: .segment("resnet50/1"), duration: nil),
      ])
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let event: String
    let code: InputError.Code
    let pointer: String
    var testDescription: String { event }
  }

  static let refused = [
    Refused(event: #"{"rate":2}"#, code: .missingKey, pointer: "/events/0"),
    Refused(event: #"{"at":1}"#, code: .missingKey, pointer: "/events/0"),
    Refused(event: #"{"at":-1,"rate":2}"#, code: .outOfRange, pointer: "/events/0/at"),
    Refused(event: #"{"at":601,"rate":2}"#, code: .outOfRange, pointer: "/events/0/at"),
    Refused(event: #"{"at":1,"rate":-2}"#, code: .outOfRange, pointer: "/events/0/rate"),
    Refused(event: #"{"at":1,"rate":2,"over":-1}"#, code: .outOfRange, pointer: "/events/0/over"),
    Refused(event: #"{"at":1,"rate":2,"fail":{"gpu":1}}"#, code: .contradiction, pointer: "/events/0/fail"),
    Refused(event: #"{"at":1,"rate":2,"duration":1}"#, code: .contradiction, pointer: "/events/0/duration"),
    Refused(event: #"{"at":1,"fail":{}}"#, code: .contradiction, pointer: "/events/0/fail"),
    Refused(event: #"{"at":1,"fail":{"gpu":1,"segment":"a/0"}}"#, code: .contradiction, pointer: "/events/0/fail"),
    Refused(event: #"{"at":1,"fail":{"gpu":1.5}}"#, code: .wrongType, pointer: "/events/0/fail/gpu"),
    Refused(event: #"{"at":1,"fail":{"gpu":1},"over":3}"#, code: .contradiction, pointer: "/events/0/over"),
    Refused(event: #"{"at":1,"fail":{"gpu":1},"duration":0}"#, code: .outOfRange, pointer: "/events/0/duration"),
    Refused(event: #"{"at":1,"rate":2,"till":3}"#, code: .unknownKey, pointer: "/events/0/till"),
  ]

  @Test(arguments: refused) func refusesAtItsPlace(_ item: Refused) throws {
    let errors = try #require(throws: InputErrors.self) {
      try SimulationEventReader.read(
        InputSource(Data(#"{"events":[\#(item.event)]}"#.utf8), name: "e.json"), duration: 600)
    }
    #expect(errors.first.code == item.code)
    #expect(errors.first.pointer == item.pointer)
  }
}

@Suite("Reading recorded arrivals")
struct ArrivalRecordingReaderTests {
  private func read(_ text: String) throws(InputErrors) -> ArrivalRecording {
    try ArrivalRecordingReader.read(InputSource(Data(text.utf8), name: "folder/trace-1.csv"))
  }

  @Test("seconds and dates, in any order, with other columns")
  func timestamps() throws {
    #expect(try read("TIMESTAMP\n0\n1\n4\n").gaps == [0.5, 1.5, 1])
    #expect(try read("tokens,timestamp\n7,4\n7,0\n7,1\n").gaps == [0.5, 1.5, 1])
    let dates = "TIMESTAMP,x\n2023-12-31 23:59:59.5,1\n2024-01-01T00:00:00.5Z,1\n2024-01-01 00:00:03.5,1\n"
    #expect(try read(dates).gaps == [0.5, 1.5, 1])
    #expect(try read("TIMESTAMP\n2024-02-28 00:00:00\n2024-02-29 00:00:00\n2024-03-01 00:00:00\n").gaps == [1, 1, 1])
    #expect(try read("TIMESTAMP\n0\n2\n").name == "trace-1")
  }

  @Test(
    "refuses what is no trace",
    arguments: [
      ("", InputError.Code.empty, nil), ("time\n1\n", .wrongHeader, 1), ("TIMESTAMP\n1\nx\n", .wrongType, 3),
      ("TIMESTAMP\n1\n1\n", .empty, nil), ("TIMESTAMP\n2024-13-01 00:00:00\n", .wrongType, 2),
      ("TIMESTAMP\nnan\n", .wrongType, 2), ("a,TIMESTAMP\n1\n", .wrongFieldCount, 2),
    ] as [(String, InputError.Code, Int?)])
  func refuses(_ text: String, _ code: InputError.Code, _ line: Int?) throws {
    let errors = try #require(throws: InputErrors.self) { try read(text) }
    #expect(errors.first.code == code)
    #expect(errors.first.line == line)
  }
}
