package import Foundation
import ParvaEngine
import ParvaWire

/// Workloads as NDJSON: one JSON object a line, so that neither side needs the whole list at once.
extension WorkloadReader {
  /// Lines that are empty are passed over. A refusal tells its line, and its pointer is from the root of that line.
  ///
  /// - Complexity: O(bytes); beside the result one line is in memory.
  static func readLines(_ source: InputSource, _ most: Int) throws(InputErrors) -> [Workload] {
    try source.checkSize(InputLimits.listBytes)
    var refusals = Refusals(kept: most)
    var workloads: [Workload] = []
    var seen: [String: Int] = [:]
    var (start, number) = (source.data.startIndex, 0)
    while start < source.data.endIndex {
      let end = source.data[start...].firstIndex(of: UInt8(ascii: "\n")) ?? source.data.endIndex
      let line = source.data[start..<end]
      number += 1
      start = end < source.data.endIndex ? end + 1 : end
      guard line.contains(where: { ![0x20, 0x09, 0x0d].contains($0) }) else { continue }
      guard let workload = workload(in: line, number, source.name, &refusals) else { continue }
      if let first = seen.updateValue(number, forKey: workload.id) {
        refusals.add(
          InputError(
            .duplicate, "id \"\(InputError.shortened(workload.id))\" is already that of line \(first)",
            file: source.name, line: number, pointer: "/id", value: workload.id))
      }
      workloads.append(workload)
    }
    try refusals.check()
    return workloads
  }

  /// The lines on which some of the workloads stand, by their places in the list, which rise. O(bytes).
  package static func lines(of places: [Int], in data: Data) -> [Int] {
    var (found, next): ([Int], Int) = ([], 0)
    for (number, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where line.contains(where: { ![0x20, 0x09, 0x0d].contains($0) }) {
      if found.count == places.count { break }
      if places[found.count] == next { found.append(number + 1) }
      next += 1
    }
    return found
  }

  private static func workload(
    in line: Data, _ number: Int, _ name: String?, _ refusals: inout Refusals
  ) -> Workload? {
    let source = InputSource(line, format: .json)
    if let workload = readQuickly(source) { return workload }
    do throws(InputErrors) {
      return try readOne(source)
    } catch {
      for var fault in error.errors {
        (fault.file, fault.line) = (name, number)
        refusals.add(fault)
      }
      refusals.omit(error.omitted)
      return nil
    }
  }
}
