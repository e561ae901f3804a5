import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct DocumentDeltaTests {
  /// Lines like those of a plan.
  private static func document(_ random: inout SeededGenerator) -> [String] {
    (0..<Int.random(in: 0...40, using: &random)).map { index in
      switch Int.random(in: 0...4, using: &random) {
      case 0: "{"
      case 1: "  \"index\": \(index),"
      case 2: ""
      default:
        #"    { "id": "w\#(Int.random(in: 0...9, using: &random))/0", "load": \#(Int.random(in: 0...99, using: &random)) },"#
      }
    }
  }

  private static func changed(_ lines: [String], _ random: inout SeededGenerator) -> [String] {
    var lines = lines
    for _ in 0..<Int.random(in: 0...6, using: &random) {
      let place = Int.random(in: 0...lines.count, using: &random)
      switch Int.random(in: 0...3, using: &random) {
      case 0: lines.insert("new } line \(place)", at: place)
      case 1 where place < lines.count: lines.remove(at: place)
      case 2 where place < lines.count: lines[place] += "x"
      default: lines = Array(lines[place...]) + lines[..<place]
      }
    }
    return lines
  }

  private static func data(_ lines: [String]) -> Data { Data(lines.joined(separator: "\n").utf8) }

  @Test("S2: a difference gives back the document that it was made for, byte for byte")
  func whatWasMadeIsGivenBack() {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    for round in 0..<2_000 {
      let lines = Self.document(&random)
      let other = Bool.random(using: &random) ? Self.changed(lines, &random) : Self.document(&random)
      let (base, target) = (Self.data(lines), Self.data(other))
      let delta = DocumentDelta.make(from: base, to: target)
      #expect(DocumentDelta.apply(delta, to: base) == target, "seed \(seed), round \(round)")
    }
  }

  @Test func damageIsSeen() {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    for round in 0..<2_000 {
      let lines = Self.document(&random)
      let (base, target) = (Self.data(lines), Self.data(Self.changed(lines, &random)))
      var delta = DocumentDelta.make(from: base, to: target)
      let place = Int.random(in: 0..<delta.count, using: &random)
      switch Int.random(in: 0...2, using: &random) {
      case 0: delta[place] ^= UInt8.random(in: 1...255, using: &random)
      case 1: delta = delta.prefix(place)
      default: delta.insert(UInt8.random(in: .min ... .max, using: &random), at: place)
      }
      let result = DocumentDelta.apply(delta, to: base)
      #expect(result == nil || result == target, "seed \(seed), round \(round)")
    }
    let delta = DocumentDelta.make(from: Data("base".utf8), to: Data("basement".utf8))
    #expect(DocumentDelta.apply(delta, to: Data("cellar".utf8)) == nil)
  }

  @Test func aSmallChangeOfALargeDocumentIsSmall() {
    let lines = (0..<20_000).map { #"{ "index": \#($0), "segments": [ { "id": "w\#($0)/0", "load": \#($0 * 7) } ] },"# }
    var other = lines
    other.remove(at: 9_000)
    other[100] = "{ other }"
    other.insert("{ one more that is not in the base }", at: 15_000)
    other.swapAt(3_000, 4_000)
    other.insert(other.remove(at: 17_000), at: 500)
    for (base, target) in [(lines, other), (other, lines)] {
      let delta = DocumentDelta.make(from: Self.data(base), to: Self.data(target))
      #expect(delta.count < 1_000, "\(delta.count) bytes")
    }
  }
}
