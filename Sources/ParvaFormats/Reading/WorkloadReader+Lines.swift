package import Foundation
import ParvaEngine
import ParvaWire

/// Workloads as NDJSON: one JSON object a line, so that neither side needs the whole list at once.
extension WorkloadReader {
  /// Lines that are empty are passed over. A refusal tells its line, and its pointer is from the root of that line.
  ///
  /// - Complexity: O(bytes); beside the result one line is in memory.
  static func readLines(
    _ source: InputSource, _ most: Int, atMost limit: Int, in home: String?
  ) throws(InputErrors) -> [Workload] {
    try source.checkSize(InputLimits.listBytes)
    var refusals = Refusals(kept: most)
    var workloads: [Workload] = []
    var seen: [String: Int] = [:]
    forEachLine(of: source.data) { number, line in
      guard let workload = workload(in: line, number, source.name, home, &refusals) else { return !refusals.isFull }
      if let first = seen.updateValue(number, forKey: workload.id) {
        refusals.add(
          InputError(
            .duplicate, "id \"\(InputError.shortened(workload.id))\" is already that of line \(first)",
            file: source.name, line: number, pointer: "/id", value: workload.id))
        refusals.pass(bytes: line.count)
      }
      workloads.append(workload)
      return !refusals.isFull && workloads.count <= limit
    }
    try refusals.check()
    return workloads
  }

  /// The lines on which some of the workloads stand, by their places in the list, which rise. O(bytes).
  package static func lines(of places: [Int], in data: Data) -> [Int] {
    var (found, next): ([Int], Int) = ([], 0)
    forEachLine(of: data) { number, _ in
      guard found.count < places.count else { return false }
      if places[found.count] == next { found.append(number) }
      next += 1
      return true
    }
    return found
  }

  /// Steps through the lines that are not empty, each with its number from 1. O(bytes).
  ///
  /// - Parameter visit: answers whether to go on.
  private static func forEachLine(of data: Data, _ visit: (Int, Data) -> Bool) {
    data.withUnsafeBytes { bytes in
      var (position, start, number, isEmpty) = (0, 0, 1, true)
      while position <= bytes.count {
        let byte = position < bytes.count ? bytes[position] : UInt8(ascii: "\n")
        if byte == UInt8(ascii: "\n") {
          if !isEmpty, !visit(number, data[data.startIndex + start..<data.startIndex + position]) { return }
          (start, number, isEmpty) = (position + 1, number + 1, true)
        } else if byte != 0x20 && byte != 0x09 && byte != 0x0d {
          isEmpty = false
        }
        position += 1
      }
    }
  }

  private static func workload(
    in line: Data, _ number: Int, _ name: String?, _ home: String?, _ refusals: inout Refusals
  ) -> Workload? {
    guard line.count <= InputLimits.elementBytes else {
      let message = "more than \(InputLimits.elementBytes >> 20) MiB, the most that is read of a workload"
      refusals.add(InputError(.tooLarge, message, file: name, line: number))
      return nil
    }
    let source = InputSource(line, format: .json)
    if let workload = readQuickly(source, in: home) { return workload }
    do throws(InputErrors) {
      return try readOne(source, in: home)
    } catch {
      for var fault in error.errors {
        (fault.file, fault.line) = (name, number)
        refusals.add(fault)
      }
      refusals.omit(error.omitted)
      refusals.pass(bytes: line.count)
      return nil
    }
  }
}
