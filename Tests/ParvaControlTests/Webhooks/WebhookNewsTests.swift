import Foundation
import ParvaControlTestSupport
import ParvaFormats
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct WebhookNewsTests {
  private static func told(_ events: [WebhookEvent]) throws -> [String] {
    try events.map { event in
      let data = try JSONDecoder().decode(JSONValue.self, from: event.data)
      let what = ["state", "status", "revision"].compactMap { data[$0].text ?? data[$0].number.map { "\(Int($0))" } }
      return "\(event.type.rawValue) \(what.joined(separator: " "))"
    }
  }

  private static func node(_ name: String, _ change: (inout NodeRecord) -> Void = { _ in }) throws -> NodeRecord {
    let spec = try NodeSpecReader.read(
      InputSource(Data(#"{"address":"http://127.0.0.1:1","labels":{"team":"vision"}}"#.utf8), format: .json),
      named: name)
    var record = NodeRecord(spec, named: name, revision: 1, at: Samples.time)
    change(&record)
    return record
  }

  @Test("a plan is told once, however often its record is renewed")
  func plans() throws {
    var news = WebhookNews(StoreContents())
    var batch = StoreBatch()
    batch.plan = Samples.plan(3)
    let (events, knowledge) = news.events(of: batch, at: Samples.time)
    #expect(try Self.told(events) == ["plan.published feasible 3"])
    // A batch that was not stored is told again.
    #expect(news.events(of: batch, at: Samples.time).events.count == 1)
    news.learn(knowledge)
    #expect(news.events(of: batch, at: Samples.time).events.isEmpty)
    var contents = StoreContents()
    contents.plan = Samples.plan(3)
    #expect(WebhookNews(contents).events(of: batch, at: Samples.time).events.isEmpty)
  }

  @Test("states of nodes are told when they become others, with the labels, and that a node is gone")
  func nodes() throws {
    var news = WebhookNews(StoreContents())
    func tell(_ change: (inout StoreBatch) throws -> Void) throws -> [WebhookEvent] {
      var batch = StoreBatch()
      try change(&batch)
      let (events, knowledge) = news.events(of: batch, at: Samples.time)
      news.learn(knowledge)
      return events
    }
    let made = try tell { $0.nodes["n"] = try Self.node("n") }
    #expect(try Self.told(made) == ["node.state_changed pending"] && made[0].labels == ["team": "vision"])
    #expect(try tell { $0.nodes["n"] = try Self.node("n") }.isEmpty)
    #expect(
      try Self.told(tell { $0.nodeStates["n"] = try FleetSamples.state("n", gpus: 1) }) == ["node.state_changed ready"])
    #expect(try tell { $0.nodeStates["n"] = try FleetSamples.state("n", gpus: 1) }.isEmpty)
    let heard = try FleetSamples.state("n", gpus: 1)
    let silent = try tell {
      $0.nodes["n"] = try Self.node("n") { ($0.isUnreachable, $0.state) = (true, heard) }
    }
    #expect(try Self.told(silent) == ["node.state_changed unreachable"])
    let gone = try tell { $0.nodes["n"] = .some(nil) }
    #expect(try Self.told(gone) == ["node.state_changed removed"] && gone[0].labels == ["team": "vision"])
    #expect(try tell { $0.nodes["n"] = .some(nil) }.isEmpty)
  }

  @Test("a roll-out is told when it begins, when it is a phase on, and when it ends")
  func rollouts() throws {
    var news = WebhookNews(StoreContents())
    var document = FleetOperationDocument(
      id: "op", planRevision: 4, createdAt: "2027-01-15T08:00:00.000Z",
      rollout: FleetOperationDocument.Rollout(maxUnavailable: 0, onFailure: .stop, previousRevision: nil, phases: 0),
      nodes: [])
    var begun = StoreBatch()
    begun.operations = [try document.stored(at: Samples.time, nil)]
    var told: [String] = []
    func tell(_ batch: StoreBatch) throws {
      let (events, knowledge) = news.events(of: batch, at: Samples.time)
      news.learn(knowledge)
      told += try Self.told(events)
      for event in events {
        #expect(try JSONDecoder().decode(JSONValue.self, from: event.data)["planRevision"] == 4)
      }
    }
    try tell(begun)
    for change: (inout FleetOperationDocument) -> Void in [
      { _ in }, { $0.rollout.phases = 1 }, { $0.updatedAt = "later" }, { $0.status = .paused },
      { $0.status = .verified },
    ] {
      change(&document)
      var batch = StoreBatch()
      batch.progress["op"] = try document.progress(of: [])
      try tell(batch)
    }
    #expect(
      told == ["running", "running", "paused", "verified"].map { "rollout.phase_changed \($0)" }, "\(told)")
  }
}
