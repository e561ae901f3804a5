import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaFormats

/// What Envoys ask is read in a quick way where it is as usual, and in the general way else, with the same result.
@Suite struct DiscoveryRequestTests {
  private static let type = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
  private static let question =
    #"{"version_info":"1","node":{"id":"a","cluster":"c","metadata":{"parva":{"listen_port":1e4},"o":[]},"extensions":[{"n":"x","u":[1,-2.5e3,true,false,null,"y"]}]},"resource_names":["x","z"],"type_url":"\#(type)"}"#

  private static func read(_ text: String) throws(InputErrors) -> DiscoveryRequest {
    try DiscoveryRequest(Data(text.utf8), typeURL: type)
  }

  @Test("a usual question is read in one pass, and what an Envoy says of itself is stepped over")
  func usualQuestions() throws {
    #expect(QuickDiscoveryParser.shape(Data(Self.question.utf8)) != nil)
    let request = try Self.read(Self.question)
    #expect(
      request.version == "1" && request.node == "a" && request.cluster == "c" && request.names == ["x", "z"]
        && request.listenPort == 10_000 && request.refusal == nil)
  }

  @Test(
    "where an Envoy is to listen is an IP address and a port, and nothing else is taken for them",
    arguments: [
      (#""listen_port":"10001""#, "listen_port"), (#""listen_port":0"#, "listen_port"),
      (#""listen_port":1.5"#, "listen_port"), (#""listen_port":[]"#, "listen_port"),
      (#""listenPort":"1""#, "listenPort"),
      (#""listen_address":"edge.example""#, "listen_address"), (#""listen_address":"[::]""#, "listen_address"),
      (#""listen_address":7"#, "listen_address"),
    ])
  func wrongPlacesToListenAreRefused(metadata: String, key: String) throws {
    func read(_ metadata: String) throws(InputErrors) -> DiscoveryRequest {
      try Self.read(#"{"node":{"id":"a","metadata":{"parva":{\#(metadata)}}}}"#)
    }
    let errors = #expect(throws: InputErrors.self) { try read(metadata) }
    #expect(errors?.first.pointer == "/node/metadata/parva/\(key)")
    let right = try read(#""listen_port":10001,"listen_address":"::""#)
    #expect(right.listenPort == 10_001 && right.listenAddress == "::")
    #expect(try read(#""listen_port":null"#).listenPort == DiscoveryRequest.port)
  }

  @Test("another type, nobody who asks, and a refusal in either form of its name are found")
  func otherQuestions() throws {
    #expect(throws: InputErrors.self) { try Self.read(#"{"node":{"id":"a"},"typeUrl":"other"}"#) }
    #expect(throws: InputErrors.self) { try Self.read(#"{"resource_names":[]}"#) }
    #expect(throws: InputErrors.self) { try Self.read(#"{"node":{"id":"a"},"resource_names":[7]}"#) }
    for key in ["error_detail", "errorDetail"] {
      #expect(try Self.read(#"{"node":{"id":"a"},"\#(key)":{"message":"bad"}}"#).refusal == "bad")
      #expect(try Self.read(#"{"node":{"id":"a"},"\#(key)":{}}"#).refusal == "refused without a message")
    }
  }

  @Test("whatever stands in a question, both ways take it for the same, or refuse it by name", arguments: 0..<8)
  func bytesFromOutside(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed)
    let good = Array(Self.question.utf8)
    var quick = 0
    for _ in 0..<500 {
      var bytes = good
      for _ in 0..<Int.random(in: 0...3, using: &dice) {
        let at = Int.random(in: 0..<bytes.count, using: &dice)
        switch Int.random(in: 0..<3, using: &dice) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &dice)
        case 1: bytes.remove(at: at)
        default: bytes.insert(contentsOf: bytes[at...].prefix(Int.random(in: 1...9, using: &dice)), at: at)
        }
      }
      let data = Data(bytes)
      if let shape = QuickDiscoveryParser.shape(data) {
        quick += 1
        do throws(InputErrors) {
          let document = try InputDocument(InputSource(data, format: .json), limit: DiscoveryRequest.bytes)
          #expect(try document.decode(DiscoveryShape.self) == shape, "seed \(seed)")
        } catch {
          // Of what is stepped over it is not asked whether a key stands there twice.
          #expect(error.first.code == .duplicate, "seed \(seed): \(error)")
        }
      }
      do throws(InputErrors) {
        let request = try DiscoveryRequest(data, typeURL: Self.type)
        #expect(!request.node.isEmpty && (1...65_535).contains(request.listenPort), "seed \(seed)")
      } catch {
        #expect(!error.errors.isEmpty, "seed \(seed)")
      }
    }
    #expect((50..<500).contains(quick), "seed \(seed)")
  }
}
