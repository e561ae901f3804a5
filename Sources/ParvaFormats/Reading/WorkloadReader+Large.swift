import Foundation
import ParvaEngine
import ParvaWire

/// Lists of workloads in JSON that are too large to be read as a tree: one workload is looked at at a time.
extension WorkloadReader {
  /// - Complexity: O(bytes); beside the result one workload is in memory.
  static func readLargeList(_ source: InputSource, _ most: Int) throws(InputErrors) -> [Workload] {
    try source.checkSize(InputLimits.listBytes)
    var refusals = Refusals(kept: most)
    var workloads: [Workload] = []
    var seen: [String: Int] = [:]
    var (counted, line) = (0, 1)
    let isBare = QuickJSON.isList(source.data)
    let prefix = isBare ? "/" : "/workloads/"
    let isWhole = QuickJSON.items(of: source.data, under: "workloads") { index, range in
      let bytes = source.data[source.data.startIndex + range.lowerBound..<source.data.startIndex + range.upperBound]
      let item = InputSource(bytes, format: .json)
      if let workload = readQuickly(item), seen[workload.id] == nil {
        seen[workload.id] = index
        workloads.append(workload)
        return
      }
      line += source.data[source.data.startIndex + counted..<bytes.startIndex].count { $0 == 0x0a }
      counted = range.lowerBound
      func refuse(_ error: InputError) {
        var error = error
        (error.file, error.line) = (source.name, line + (error.line ?? 1) - 1)
        error.pointer = prefix + String(index) + (error.pointer ?? "")
        refusals.add(error)
      }
      do throws(InputErrors) {
        let workload = try readOne(item)
        if let first = seen[workload.id], first != index {
          return refuse(
            InputError(
              .duplicate, "id \"\(InputError.shortened(workload.id))\" is already that of item \(first)",
              pointer: "/id",
              value: workload.id))
        }
        seen[workload.id] = index
        workloads.append(workload)
      } catch {
        error.errors.forEach(refuse)
        refusals.omit(error.omitted)
      }
    }
    guard isWhole else {
      let mebibytes = InputLimits.fileBytes >> 20
      throw InputErrors(
        InputError(
          .invalidSyntax,
          "is no list of workloads in JSON, or has text beyond ASCII or escapes, which JSON of more than \(mebibytes) MiB may not; "
            + "CSV and NDJSON may", file: source.name))
    }
    try refusals.check()
    return workloads
  }
}
