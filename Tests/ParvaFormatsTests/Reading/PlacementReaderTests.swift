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
    #expect(workload.tenant == Tenant(namespace: "default", key: "team", value: "x"))
  }

  @Test func csvHasColumnsForMostOfIt() throws {
    let text = """
      id,model,rate,latency_ms,products,exclude_pools,spread,allow_partial,survive,min_replicas,max_replicas
      a,m,1,5,A100-80GB|A30-24GB,p|q,gpu:2,true,gpus:1,2,9
      b,m,1,5,,,,,,,
      """
    let workloads = try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.csv"))
    #expect(
      workloads[0].constraints
        == Constraints(
          products: ["A100-80GB", "A30-24GB"], excludePools: ["p", "q"], spread: Spread(over: .gpu, atLeast: 2),
          survive: Survival(over: .gpu, losses: 1), replicas: ReplicaLimits(least: 2, most: 9)))
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

  @Test func yamlHoldsReplicasAndLosses() throws {
    let text = "- {id: a, model: m, rate: 1, slo: {latencyMs: 5}, replicas: {max: 4}, survive: {nodes: 2}}"
    let workload = try #require(try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.yaml")).first)
    #expect(
      workload.constraints
        == Constraints(survive: Survival(over: .node, losses: 2), replicas: ReplicaLimits(least: 1, most: 4)))
  }

  static let refusedMembers = [
    Refused(placement: #""replicas":{}"#, code: .missingKey, pointer: "/replicas"),
    Refused(placement: #""replicas":{"least":1}"#, code: .unknownKey, pointer: "/replicas/least"),
    Refused(placement: #""replicas":{"min":0}"#, code: .outOfRange, pointer: "/replicas/min"),
    Refused(placement: #""replicas":{"min":1.5}"#, code: .wrongType, pointer: "/replicas/min"),
    Refused(placement: #""replicas":{"min":3,"max":2}"#, code: .contradiction, pointer: "/replicas/max"),
    Refused(placement: #""survive":{}"#, code: .missingKey, pointer: "/survive"),
    Refused(placement: #""survive":{"gpus":1,"nodes":1}"#, code: .contradiction, pointer: "/survive/nodes"),
    Refused(placement: #""survive":{"gpus":64}"#, code: .outOfRange, pointer: "/survive/gpus"),
    Refused(placement: #""survive":{"nodes":"1"}"#, code: .wrongType, pointer: "/survive/nodes"),
    Refused(
      placement: #""survive":{"gpus":2},"replicas":{"max":2}"#, code: .contradiction, pointer: "/replicas/max"),
    Refused(
      placement: #""survive":{"gpus":1},"placement":{"spread":{"over":"node","atLeast":2}}"#, code: .contradiction,
      pointer: "/survive/gpus"),
  ]

  @Test(arguments: refusedMembers) func refusesReplicasAndLossesAtTheirPlace(_ item: Refused) throws {
    let text = #"[{"id":"a","model":"m","rate":1,"slo":{"latencyMs":5},\#(item.placement)}]"#
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.json"))
    }
    #expect(errors.first.code == item.code)
    #expect(errors.first.pointer == "/0" + item.pointer)
  }

  @Test(arguments: refused) func refusesAtItsPlace(_ item: Refused) throws {
    let text = #"[{"id":"a","model":"m","rate":1,"slo":{"latencyMs":5},"placement":\#(item.placement)}]"#
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.json"))
    }
    #expect(errors.first.code == item.code)
    #expect(errors.first.pointer == "/0/placement" + item.pointer)
  }

  @Test(arguments: [
    "spread\ngpu", "spread\ngpu:x", "spread\nrack:2", "survive\ngpus", "survive\ngpu:1", "min_replicas\nx",
    "max_replicas\n0", "allow_partial\nyes", "products\nA1",
  ])
  func refusesCSVCells(_ column: String) throws {
    let parts = column.split(separator: "\n")
    let text = "id,model,rate,latency_ms,\(parts[0])\na,m,1,5,\(parts[1])\n"
    let errors = try #require(throws: InputErrors.self) {
      try WorkloadReader.read(InputSource(Data(text.utf8), name: "w.csv"))
    }
    #expect(errors.first.line == 2)
  }
}
