import Foundation
import ParvaFormats
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaNode

/// Which controller a node listens to, by the terms in which they lead.
@Suite struct TermTests {
  private struct Sent: Hashable {
    var term: Int
    var version: AssignmentVersion
  }

  private static func store() throws -> NodeStore {
    try NodeStore(
      directory: FileManager.default.temporaryDirectory.appending(path: "parva-\(UUID().uuidString)"), bootID: "b")
  }

  /// Whatever comes in whatever order, with restarts in between: what is accepted never goes back in (term, revision, phase),
  /// and a controller that is alone is heard by nodes that never knew another.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func whatIsAcceptedNeverGoesBack(_ number: UInt64) throws {
    let seed = TestSeed.of(offset: number)
    var random = SeededGenerator(seed: seed)
    let store = try Self.store()
    defer { try? FileManager.default.removeItem(at: store.directory) }
    var operations = NodeOperations(simulated: true)
    var newest = Sent(term: 0, version: AssignmentVersion(revision: 0))
    var highest = 0
    var latest: NodeAssignment?
    for step in 0..<60 {
      let sent = Sent(
        term: max(0, highest + Int.random(in: -2...1, using: &random)),
        version: AssignmentVersion(
          revision: max(0, newest.version.revision + Int.random(in: -1...1, using: &random)),
          phase: Int.random(in: 0...2, using: &random)))
      let wanted = NodeAssignment(revision: sent.version.revision, phase: sent.version.phase, gpus: [])
      let place: Comment = "seed \(seed), step \(step): \(sent) after \(newest), term \(highest)"
      do throws(NodeAgent.Refusal) {
        _ = try operations.accept(wanted, term: sent.term) {
          term throws(ApplyJournal.Failure) in try store.save(term: term)
        }
        #expect(sent.term >= highest, place)
        #expect((sent.term, sent.version) >= (newest.term, newest.version), place)
        (newest, latest) = (sent, wanted)
      } catch {
        switch error {
        case .superseded(let term): #expect(sent.term < highest && term == highest, place)
        case .stale(let version): #expect(sent.version < version && sent.term >= highest, place)
        case .conflict, .unkept: Issue.record("\(error), \(place)")
        }
      }
      highest = max(highest, sent.term)
      #expect(operations.latestTerm ?? 0 == highest, place)
      #expect(try store.term() == highest, place)
      if Int.random(in: 0..<8, using: &random) == 0 {
        operations = NodeOperations(simulated: true)
        operations.recall(latest, term: try store.term())
      }
    }
  }

  @Test func aTermThatCannotBeKeptIsNotFollowed() throws {
    let operations = NodeOperations(simulated: true)
    let wanted = NodeAssignment(revision: 1, gpus: [])
    let failure = ApplyJournal.Failure.unwritable(path: "/x", errno: 28)
    #expect(throws: NodeAgent.Refusal.unkept(failure)) {
      try operations.accept(wanted, term: 3) { _ throws(ApplyJournal.Failure) in throw failure }
    }
    #expect(operations.latestTerm == nil && operations.latestRevision == nil)
    let store = try Self.store()
    defer { try? FileManager.default.removeItem(at: store.directory) }
    #expect(try store.term() == 0)
    try store.save(term: 7)
    #expect(try NodeStore(directory: store.directory, bootID: "other").term() == 7)
    try Data("{}".utf8).write(to: store.directory.appending(path: "term.json"))
    #expect(throws: ApplyJournal.Failure.self) { try store.term() }
  }

  @Test func aTermIsWrittenWhereThereIsOneAlone() throws {
    let wanted = NodeAssignment(revision: 4, phase: 1, gpus: [WantedGPU(uuid: "GPU-1", instances: [])])
    for term in [0, 9] {
      let data = try WireWriter.json(PushedAssignment(wanted, term: term))
      #expect(String(decoding: data, as: UTF8.self).contains("term") == (term > 0))
      let read = try NodeAssignmentReader.readPushed(InputSource(data, format: .json))
      #expect(read == PushedAssignment(wanted, term: term))
    }
    let plain = try WireWriter.json(wanted)
    #expect(try NodeAssignmentReader.readPushed(InputSource(plain, format: .json)).term == 0)
    for bad in [#"{"revision":1,"gpus":[],"term":-1}"#, #"{"revision":1,"gpus":[],"term":"x"}"#] {
      #expect(throws: InputErrors.self) {
        try NodeAssignmentReader.readPushed(InputSource(Data(bad.utf8), format: .json))
      }
    }
  }
}
