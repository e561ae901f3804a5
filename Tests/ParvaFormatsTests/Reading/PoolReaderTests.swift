import Foundation
import ParvaEngine
import ParvaFormats
import Testing

@Suite("Reading pools")
struct PoolReaderTests {
  @Test func stockCostAndPowerAreOptional() throws {
    let text = """
      pools:
        - {name: cheap, product: a30-24gb}
        - name: big.eu
          product: H200-141GB
          count: 0
          hourlyCost: 4.5
          watts: 700
      """
    let pools = try PoolReader.read(InputSource(Data(text.utf8), format: .yaml))
    #expect(pools.map(\.name) == ["cheap", "big.eu"])
    #expect(pools.map(\.product.name) == ["A30-24GB", "H200-141GB"])
    #expect(pools.map(\.count) == [nil, 0])
    #expect(pools.map(\.figures) == [[:], ["hourlyCost": 4.5, "watts": 700]])
  }

  @Test func nodesMakeTheCount() throws {
    let text = "pools: [{name: p, product: A30-24GB, nodes: [{name: n1, count: 4}, {name: n2.eu, count: 2}]}]"
    let pools = try PoolReader.read(InputSource(Data(text.utf8), format: .yaml))
    #expect(pools[0].count == 6)
    #expect(pools[0].nodes == [PoolNode(name: "n1", count: 4), PoolNode(name: "n2.eu", count: 2)])
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let text: String
    let code: InputError.Code
    let pointer: String
    var testDescription: String { text }
  }

  static let refused = [
    Refused(text: #"{"pools":[]}"#, code: .empty, pointer: "/pools"),
    Refused(text: #"{"pools":[{"name":"a","product":"x"}]}"#, code: .unknownProduct, pointer: "/pools/0/product"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","count":-1}]}"#, code: .outOfRange,
      pointer: "/pools/0/count"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","hourlyCost":-1}]}"#, code: .outOfRange,
      pointer: "/pools/0/hourlyCost"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","watts":1e9}]}"#, code: .outOfRange,
      pointer: "/pools/0/watts"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","price":1}]}"#, code: .unknownKey, pointer: "/pools/0/price"),
    Refused(text: #"{"pools":[{"name":"A100@","product":"A30-24GB"}]}"#, code: .invalidName, pointer: "/pools/0/name"),
    Refused(text: #"{"pools":[{"name":"@eu","product":"A30-24GB"}]}"#, code: .invalidName, pointer: "/pools/0/name"),
    Refused(text: #"{"pools":[{"name":"a@-b","product":"A30-24GB"}]}"#, code: .invalidName, pointer: "/pools/0/name"),
    Refused(text: #"{"pools":[{"name":"a@b@c","product":"A30-24GB"}]}"#, code: .invalidName, pointer: "/pools/0/name"),
    Refused(text: #"{"pools":[{"name":"A b","product":"A30-24GB"}]}"#, code: .invalidName, pointer: "/pools/0/name"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB"},{"name":"a","product":"A30-24GB"}]}"#, code: .duplicate,
      pointer: "/pools/1/name"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","nodes":[]}]}"#, code: .empty, pointer: "/pools/0/nodes"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","count":3,"nodes":[{"name":"n","count":2}]}]}"#,
      code: .contradiction, pointer: "/pools/0/count"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","nodes":[{"name":"N","count":2}]}]}"#, code: .invalidName,
      pointer: "/pools/0/nodes/0/name"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","nodes":[{"name":"n","count":-2}]}]}"#, code: .outOfRange,
      pointer: "/pools/0/nodes/0/count"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","nodes":[{"name":"n","gpus":2}]}]}"#, code: .unknownKey,
      pointer: "/pools/0/nodes/0/gpus"),
    Refused(
      text: #"{"pools":[{"name":"a","product":"A30-24GB","nodes":[{"name":"n","count":1}]},"#
        + #"{"name":"b","product":"A30-24GB","nodes":[{"name":"n","count":1}]}]}"#, code: .duplicate,
      pointer: "/pools/1/nodes/0/name"),
  ]

  @Test(arguments: refused) func refusesAtItsPlace(_ item: Refused) throws {
    let errors = try #require(throws: InputErrors.self) {
      try PoolReader.read(InputSource(Data(item.text.utf8), name: "p.json"))
    }
    #expect(errors.first.code == item.code)
    #expect(errors.first.pointer == item.pointer)
  }
}
