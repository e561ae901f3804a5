import Foundation
import ParvaEngine
import Testing

@testable import ParvaFormats

/// Lists of workloads that are too large for a tree are read one workload at a time, with the same result.
@Suite struct LargeListTests {
  private func item(_ id: String, _ rest: String = "") -> String {
    #"{"id": "\#(id)", "model": "m", "rate": 1, "slo": {"latencyMs": 5}\#(rest)}"#
  }

  private func read(_ text: String) throws(InputErrors) -> [Workload] {
    try WorkloadReader.readLargeList(InputSource(Data(text.utf8), name: "w.json", format: .json), 20)
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
}
