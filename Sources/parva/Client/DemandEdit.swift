import Foundation
import ParvaEngine
import ParvaFormats

/// What is to change of the workloads that a controller has, so that those of a file stand there as the file has them.
struct DemandEdit: Sendable {
  /// One workload that is there and differs.
  struct Change: Sendable {
    let workload: Workload
    /// Of what is there: the change is for nothing else.
    let tag: String
    /// What differs, member by member, as a person reads it: `rate 100 -> 120`.
    let differences: [String]
  }

  /// How the controller names what is in the namespace that is spoken of.
  let scope: ClientScope
  private(set) var created: [Workload] = []
  private(set) var changed: [Change] = []
  private(set) var unchanged: [String] = []

  init(_ scope: ClientScope) { self.scope = scope }

  var isEmpty: Bool { created.isEmpty && changed.isEmpty }

  /// - Parameter standing: what is there under the workload's id, with its tag; nil where nothing is.
  mutating func add(_ workload: Workload, standing: (workload: Workload, tag: String)?) throws {
    guard let standing else {
      created.append(workload)
      return
    }
    guard standing.workload != workload else {
      unchanged.append(workload.id)
      return
    }
    let (old, new) = (try Self.members(of: standing.workload), try Self.members(of: workload))
    let differences = Set(old.keys).union(new.keys).sorted().compactMap { name in
      old[name] == new[name] ? nil : "\(name) \(old[name] ?? "(none)") -> \(new[name] ?? "(none)")"
    }
    changed.append(Change(workload: workload, tag: standing.tag, differences: differences))
  }

  /// A workload's members by their names joined with dots, each as JSON has it.
  private static func members(of workload: Workload) throws -> [String: String] {
    var members: [String: String] = [:]
    func walk(_ value: JSONValue, _ name: String) throws {
      guard case .object(let inner) = value, !inner.isEmpty else {
        members[name] = String(decoding: try WireWriter.json(value), as: UTF8.self)
        return
      }
      for (key, value) in inner { try walk(value, name.isEmpty ? key : "\(name).\(key)") }
    }
    try walk(try InputSource(WorkloadWriter.json(workload), format: .json).value(limit: InputLimits.fileBytes), "")
    return members
  }

  /// One line a workload that changes, and a last one that counts.
  func text(isDone: Bool) -> String {
    var lines = created.map { "+ \(scope.told($0.id))  \($0.model), \(Figures.plain($0.rate))/s" }
    lines += changed.map { "~ \(scope.told($0.workload.id))  \($0.differences.joined(separator: ", "))" }
    let verb = isDone ? "" : "to be "
    lines.append("\(created.count) \(verb)created, \(changed.count) \(verb)changed, \(unchanged.count) unchanged")
    return lines.joined(separator: "\n") + "\n"
  }
}
