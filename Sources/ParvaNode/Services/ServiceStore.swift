import Foundation
import Glibc
import ParvaFormats
import ParvaWire

/// What the agent must know after its own end to find its services again: one file for each.
struct ServiceStore: Sendable {
  struct Record: Codable, Hashable, Sendable {
    var spec: ServiceSpec
    var process: RunningProcess?
    var restarts: Int
    /// No process outlives a boot.
    var bootID: String
  }

  let directory: URL
  let bootID: String

  init(directory: URL, bootID: String) throws {
    self.init(reading: directory, bootID: bootID)
    try FileManager.default.createDirectory(
      at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  /// For looking alone: the folder need not be there.
  init(reading directory: URL, bootID: String) {
    self.directory = directory
    self.bootID = bootID
  }

  private func path(_ id: String) -> String { directory.appendingPathComponent("\(id).json").path }

  /// All services on record, by id, without the processes of an earlier boot.
  ///
  /// Records are written whole, so one that cannot be read was changed by something else. It is no missing one: what it
  /// names would be started a second time.
  func records() throws(ApplyJournal.Failure) -> [Record] {
    guard access(directory.path, F_OK) == 0 else { return [] }
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory.path) else {
      throw .unreadable(path: directory.path, errno: EACCES)
    }
    var records: [Record] = []
    for name in names.sorted() where name.hasSuffix(".json") {
      let path = directory.appendingPathComponent(name).path
      let data: Data?
      do throws(AtomicFile.Failure) {
        data = try AtomicFile.read(path)
      } catch {
        throw ApplyJournal.Failure(reading: error)
      }
      guard let data else { continue }
      guard var record = try? JSONDecoder().decode(Record.self, from: data) else { throw .damagedService(path: path) }
      if record.bootID != bootID { record.process = nil }
      records.append(record)
    }
    return records
  }

  func save(_ spec: ServiceSpec, process: RunningProcess?, restarts: Int) throws(AtomicFile.Failure) {
    let record = Record(spec: spec, process: process, restarts: restarts, bootID: bootID)
    guard let data = try? WireWriter.json(record) else { return }
    try AtomicFile.write(data, to: path(spec.id))
  }

  func remove(_ id: String) { try? FileManager.default.removeItem(atPath: path(id)) }
}

/// The first process of a service, as the record names it.
struct RunningProcess: Codable, Hashable, Sendable {
  var identity: ProcessIdentity
  /// Value of PARVA_SERVICE in the environment of all of the service's processes; drawn for each start.
  var token: String
  /// The token of the MPS daemon that it is a client of.
  var mpsToken: String?

  static let variable = "PARVA_SERVICE"

  /// All processes of the service that run.
  var members: Set<ProcessIdentity> {
    ProcessTable.members(of: identity, variable: "\(Self.variable)=\(token)")
  }
}
