import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite("Reading placements")
struct PlacementReaderTests {
  @Test func jsonHoldsEveryField() throws {
    let text = """
      [{"id": "a", "model": "m", "rate": 1, "slo": {"latencyMs": 5}, "labels": {"team": "x"}, "allowPartial": true,
        "placement": {"products": ["A100-80GB"], "excludeProducts": ["A30-24GB"], "pools": ["p"], "excludePools": ["q"],
                      "spread": {"over": "node", "atLeast": 3}, "exclusive": "team"}}]
      """
    let workload = try #require(try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.json")).first)
    #expect(
      workload.constraints
        == Constraints(
          products: ["A100-80GB"], excludeProducts: ["A30-24GB"], pools: ["p"], excludePools: ["q"],
          spread: Spread(over: .node, atLeast: 3), exclusive: "team"))
    #expect(workload.allowsPartial)
    #expect(workload.tenant == Tenant(key: "team", value: "x"))
  }

  @Test func csvHasColumnsForMostOfIt() throws {
    let text = """
      id,model,rate,latency_ms,products,exclude_pools,spread,allow_partial
      a,m,1,5,A100-80GB|A30-24GB,p|q,gpu:2,true
      b,m,1,5,,,,
      """
    let workloads = try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.csv"))
    #expect(
      workloads[0].constraints
        == Constraints(
          products: ["A100-80GB", "A30-24GB"], excludePools: ["p", "q"], spread: Spread(over: .gpu, atLeast: 2)))
    #expect(workloads[0].allowsPartial)
    #expect(workloads[1].constraints == .none && !workloads[1].allowsPartial)
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let placement: String
    let code: InputError.Code
    let pointer: String
    var testDescription: String { placement }
  }

  static let refused = [
    Refused(placement: #"{"zone":"x"}"#, code: .unknownKey, pointer: "/zone"),
    Refused(placement: #"{"products":["A1"]}"#, code: .unknownProduct, pointer: "/products/0"),
    Refused(placement: #"{"excludeProducts":[]}"#, code: .empty, pointer: "/excludeProducts"),
    Refused(placement: #"{"pools":["A b"]}"#, code: .invalidName, pointer: "/pools/0"),
    Refused(placement: #"{"pools":["a"],"excludePools":["a"]}"#, code: .contradiction, pointer: "/excludePools"),
    Refused(placement: #"{"spread":{"over":"rack","atLeast":2}}"#, code: .outOfRange, pointer: "/spread/over"),
    Refused(placement: #"{"spread":{"over":"gpu","atLeast":1}}"#, code: .outOfRange, pointer: "/spread/atLeast"),
    Refused(placement: #"{"spread":{"over":"gpu","atLeast":2.5}}"#, code: .wrongType, pointer: "/spread/atLeast"),
    Refused(placement: #"{"spread":{"over":"gpu"}}"#, code: .missingKey, pointer: "/spread"),
    Refused(placement: #"{"exclusive":"team"}"#, code: .contradiction, pointer: "/exclusive"),
    Refused(placement: #"{"exclusive":7}"#, code: .wrongType, pointer: "/exclusive"),
  ]

  @Test(arguments: refused) func refusesAtItsPlace(_ item: Refused) throws {
    let text = #"[{"id":"a","model":"m","rate":1,"slo":{"latencyMs":5},"placement":\#(item.placement)}]"#
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.json"))
    }
    #expect(errors.first.code == item.code)
    #expect(errors.first.pointer == "/0/placement" + item.pointer)
  }

  @Test(arguments: ["spread\ngpu", "spread\ngpu:x", "spread\nrack:2", "allow_partial\nyes", "products\nA1"])
  func refusesCSVCells(_ column: String) throws {
    let parts = column.split(separator: "\n")
    let text = "id,model,rate,latency_ms,\(parts[0])\na,m,1,5,\(parts[1])\n"
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.csv"))
    }
    #expect(errors.first.line == 2)
  }
}
