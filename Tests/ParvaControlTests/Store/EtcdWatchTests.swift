import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct EtcdWatchTests {
  @Test func linesAreWholeHoweverTheyCome() async {
    var random = SeededGenerator(seed: TestSeed.of(offset: 0))
    for _ in 0..<200 {
      let texts = (0..<Int.random(in: 0...8, using: &random)).map { _ in
        String(repeating: "x", count: Int.random(in: 0...40, using: &random))
      }
      var bytes = Data((texts.map { $0 + "\n" }.joined() + "rest").utf8)
      let lines = EtcdWatch.Lines()
      while !bytes.isEmpty {
        let piece = bytes.prefix(Int.random(in: 1...30, using: &random))
        #expect(lines.add(piece))
        bytes = bytes.dropFirst(piece.count)
      }
      lines.end()
      var got: [String] = []
      for await line in lines.stream {
        lines.taken(line)
        got.append(String(decoding: line, as: UTF8.self))
      }
      #expect(got == texts.filter { !$0.isEmpty })
    }
  }

  @Test("what nobody takes is bounded, and what is taken makes room")
  func bytesAreBounded() async {
    let lines = EtcdWatch.Lines()
    let line = Data(repeating: 0x78, count: EtcdWatch.Lines.mostBytes / 4 - 1) + Data("\n".utf8)
    for _ in 0..<4 { #expect(lines.add(line)) }
    #expect(!lines.add(line))
    let other = EtcdWatch.Lines()
    var taking = other.stream.makeAsyncIterator()
    for _ in 0..<12 {
      #expect(other.add(line))
      if let one = await taking.next() { other.taken(one) }
    }
  }

  @Test func wordsAreReadAsEtcdSaysThem() {
    func read(_ text: String) -> EtcdWatch? { EtcdWatch(Data(text.utf8)) }
    #expect(read(#"{"result":{"header":{"revision":"1"},"created":true}}"#)?.result?.created == true)
    let events = read(
      #"{"result":{"events":[{"kv":{"key":"cC9h","mod_revision":"7","value":"djE="}},"#
        + #"{"type":"DELETE","kv":{"key":"cC9h","mod_revision":"8"}}]}}"#)?.result?.events
    #expect(events?.map(\.isDelete) == [false, true] && events?.map(\.revision) == [7, 8])
    #expect(events?.first?.kv.value == Data("v1".utf8))
    #expect(read(#"{"result":{"canceled":true,"compact_revision":"4"}}"#)?.result?.canceled == true)
    #expect(read(#"{"error":{"grpc_code":14,"message":"gone"}}"#)?.error?.message == "gone")
    for text in ["", "{}", "[]", "x", #"{"result":5}"#, #"{"result":{"events":[{}]}}"#] { #expect(read(text) == nil) }
  }
}
