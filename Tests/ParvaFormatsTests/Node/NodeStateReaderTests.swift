import Foundation
import ParvaFormats
import ParvaWire
import Testing

@Suite struct NodeStateReaderTests {
  /// With every member of what is observed.
  private static var state: NodeStateDocument {
    var compute = ObservedCompute(
      id: 0, profileID: 2, smCount: 42, full: true, uuid: "MIG-0",
      processes: [ObservedProcess(pid: 1, name: "serve", memoryMiB: 3)])
    compute.processesUnknown = "no_permission"
    var instance = ObservedInstance(id: 1, profileID: 9, start: 4, size: 4, computes: [compute])
    instance.unreadable = "no_permission"
    return NodeStateDocument(
      name: "n", simulated: true,
      observed: ObservedNode(
        simulated: true, source: "nvml", driverVersion: "570.0",
        gpus: [
          ObservedGPU(
            index: 0, uuid: "GPU-0", board: "NVIDIA A100", pciBusID: "00000000:01:00.0", instances: [instance])
        ]),
      verified: nil, owned: [OwnedDocument(gpu: "GPU-0", profileId: 9, start: 4, instance: 1, uuid: "MIG-0")],
      services: [], operation: nil)
  }

  private static func read(_ text: String) throws -> NodeStateDocument {
    try NodeStateReader.read(InputSource(Data(text.utf8), format: .json))
  }

  @Test func profilesAreWrittenInOneSpellingAndReadInThatOfOlderAgentsToo() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(Self.state), as: UTF8.self)
    #expect(text.contains("pciBusId") && !text.contains("ID\":"))
    #expect(try Self.read(text) == Self.state)
    // Of what they observe, older agents tell so.
    let older = text.replacing(#""id":1,"profileId":9"#, with: #""id":1,"profileID":9"#)
      .replacing(#""profileId":2"#, with: #""profileID":2"#)
    #expect(older.split(separator: "profileID").count == 3)
    #expect(try Self.read(older) == Self.state)
  }

  @Test("a service is read with the time of its status and without, and not with a port or a time that is none")
  func services() throws {
    let service = ServiceDocument(
      kind: "server", gpu: "GPU-0", profileId: 9, start: 4, uuid: "MIG-0", ordinal: 0, workload: "a", pid: 7,
      port: 8000,
      status: "healthy", restarts: 0, message: nil)
    func read(_ change: (inout ServiceDocument) -> Void) throws -> ServiceDocument? {
      var (state, service) = (Self.state, service)
      change(&service)
      state.services = [service]
      return try Self.read(String(decoding: JSONEncoder().encode(state), as: UTF8.self)).services.first
    }
    for since in [nil, "2026-11-26T22:00:00Z", "2026-11-26T22:00:00.125Z"] {
      #expect(try read { $0.since = since }?.since == since)
    }
    for change in [
      { $0.since = "yesterday" }, { $0.since = String(repeating: "2", count: 4096) }, { $0.port = 0 },
      { $0.port = 65_536 },
      { $0.start = 64 }, { $0.ordinal = -1 },
    ] as [(inout ServiceDocument) -> Void] {
      let refusal = #expect(throws: InputErrors.self) { _ = try read(change) }
      #expect(refusal?.errors.map(\.code) == [.outOfRange])
    }
  }

  @Test func placesAreReadFromRecordsOfOlderAgents() throws {
    let place = InstancePlace(profileID: 9, start: 4)
    let decoder = JSONDecoder()
    #expect(try decoder.decode(InstancePlace.self, from: Data(#"{"profileID":9,"start":4}"#.utf8)) == place)
    #expect(try decoder.decode(InstancePlace.self, from: try JSONEncoder().encode(place)) == place)
  }
}
