// Fuzzes the parsers of nvidia-smi's listings: built with Sources/ParvaNode/Driver/SMIParser.swift in one module.
import Foundation

/// Kept live so that the work cannot be optimised away.
nonisolated(unsafe) var rows = 0

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  let profiles = SMIParser.profiles(text)
  let placements = SMIParser.placements(text)
  let instances = SMIParser.instances(text)
  let computes = SMIParser.computes(text)
  let list = SMIParser.list(text) ?? []
  let processes = SMIParser.processes(text) ?? []
  precondition(!SMIParser.code(of: text).isEmpty)
  // Nothing is made up: no row without a line, no negative number, no name that is none.
  let listed = list.count { if case .lost = $0 { false } else { true } }
  let lines = text.split(whereSeparator: \.isNewline).count
  precondition(
    max(profiles.count, placements.count, instances.count, computes.count, listed, processes.count) <= lines)
  precondition(processes.allSatisfy { $0.gpu >= 0 && $0.pid >= 0 && $0.instanceID ?? 0 >= 0 })
  rows &+= SMIParser.query(text).count
  precondition(profiles.allSatisfy { $0.gpu >= 0 && $0.id >= 0 && SMIParser.isProfileName($0.name[...]) })
  precondition(placements.allSatisfy { $0.size > 0 && $0.starts == $0.starts.sorted() })
  precondition(instances.allSatisfy { $0.gpu >= 0 && $0.start >= 0 && $0.size >= 0 })
  precondition(computes.allSatisfy { $0.placement.map { $0.start >= 0 && $0.size >= 0 } ?? true })
  rows &+= profiles.count + placements.count + instances.count + computes.count + list.count
  return 0
}
