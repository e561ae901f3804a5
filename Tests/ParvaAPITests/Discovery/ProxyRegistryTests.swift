import Foundation
import ParvaControlTestSupport
import ParvaFormats
import ParvaTestSupport
import Testing

@testable import ParvaAPI

/// What is known of Envoys from nothing but their questions.
@Suite struct ProxyRegistryTests {
  private static func question(
    _ names: [String] = [], version: String = "", refusal: String? = nil, id: String = "edge"
  ) throws -> DiscoveryRequest {
    var request = try DiscoveryRequest(Data(#"{"node":{"id":"x"}}"#.utf8), typeURL: EnvoyType.routes.url)
    (request.node, request.names, request.version, request.refusal) = (id, names, version, refusal)
    return request
  }

  @Test("what a proxy refused it refuses no longer once it asks for other things only")
  func whatIsNotAskedForIsNotRefused() throws {
    let registry = ProxyRegistry()
    var time = Samples.time
    for _ in 0..<3 { registry.asked(try Self.question(["workload/a"]), .endpoints, answered: "1", at: time) }
    #expect(registry.count(at: time).refusing == 1)
    for _ in 0..<40 {
      time += 1
      registry.asked(try Self.question(version: "1"), .clusters, answered: "1", at: time)
    }
    #expect(registry.count(at: time).refusing == 0 && registry.count(at: time).refusals == 1)
    let proxy = try #require(registry.all(at: time).first)
    #expect(proxy.subscriptions.keys.map(\.type) == [.clusters] && proxy.isWhole)
  }

  @Test("a proxy that asks for more than is kept of it is answered for, and shown as not whole")
  func moreThanIsKept() throws {
    let registry = ProxyRegistry()
    for number in 0..<ProxyRegistry.mostSubscriptions + 10 {
      registry.asked(try Self.question(["workload/\(number)"]), .endpoints, answered: "1", at: Samples.time)
    }
    let proxy = try #require(registry.all(at: Samples.time).first)
    #expect(proxy.subscriptions.count == ProxyRegistry.mostSubscriptions && !proxy.isWhole)
    // What it no longer asks for makes room.
    let later = Samples.time + 100
    registry.asked(try Self.question(["workload/new"]), .endpoints, answered: "1", at: later)
    registry.asked(try Self.question(["workload/newer"]), .endpoints, answered: "1", at: later)
    #expect(registry.all(at: later).first?.subscriptions.count == 2)
  }

  @Test("of names and of refusals only so much is kept, and long names are told apart", arguments: 0..<4)
  func textsAreBounded(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    let registry = ProxyRegistry()
    let long = (0..<300).map { _ in ["\u{e9}", "x", "\u{1f600}"].randomElement(using: &dice) ?? "" }.joined()
    for end in ["a", "b"] {
      let names = Array(repeating: long, count: 20) + [end]
      registry.asked(try Self.question(names, refusal: long + long + long), .endpoints, answered: "1", at: Samples.time)
    }
    let proxy = try #require(registry.all(at: Samples.time).first)
    #expect(proxy.subscriptions.count == 2, "seed \(seed)")
    for (subject, one) in proxy.subscriptions {
      #expect(subject.names.utf8.count <= ProxyRegistry.textBytes, "seed \(seed)")
      #expect((1...ProxyRegistry.textBytes).contains(one.message?.utf8.count ?? 0), "seed \(seed)")
    }
  }

  /// Proxies that take or refuse at random, against what they did.
  @Test("who refuses the newest is shown as refusing, and nobody else", arguments: 0..<8)
  func whoRefusesIsShown(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    let registry = ProxyRegistry()
    var (held, refuses, version, asks) = ("", false, 1, 0)
    for second in 0..<400 {
      if Int.random(in: 0..<12, using: &dice) == 0 {
        version += 1
        refuses = Bool.random(using: &dice)
        asks = 0
      }
      let time = Samples.time + Double(second)
      registry.asked(try Self.question(version: held), .routes, answered: "\(version)", at: time)
      if held != "\(version)" { asks += 1 }
      if !refuses { held = "\(version)" }
      // It has to be sent three times what it does not take.
      let isRefusing = registry.count(at: time).refusing == 1
      #expect(isRefusing == (refuses && asks >= ProxyRegistry.offersUntilRefused), "seed \(seed), second \(second)")
    }
  }
}
