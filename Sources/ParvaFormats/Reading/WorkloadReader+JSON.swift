import Foundation
import ParvaEngine
import ParvaWire

/// Workloads as a list in JSON that is not written as usual, or in which something is wrong: one is looked at at a time.
extension WorkloadReader {
  /// - Complexity: O(bytes); beside the result one workload is in memory.
  static func readJSON(
    _ source: InputSource, _ most: Int, atMost limit: Int = .max, in home: String? = nil
  ) throws(InputErrors) -> [Workload] {
    let list = try JSONList(source, under: "workloads", limit: InputLimits.listBytes)
    let document = try InputDocument(list.outline, limit: InputLimits.listBytes)
    // Whether what stands around the elements is a list of workloads.
    _ = try document.decode(WorkloadList.self)
    var reading = ListReading(source, prefix: list.isBare ? "/" : "/workloads/", most, in: home)
    list.forEach { index, element in
      reading.take(element, index)
      return !reading.refusals.isFull && reading.workloads.count <= limit
    }
    try reading.refusals.check()
    return reading.workloads
  }
}

/// What has been read of a list.
private struct ListReading {
  private let source: InputSource
  private let prefix: String
  private let home: String?
  private var seen: [String: Int] = [:]
  /// Up to where lines are counted, and how many there are from 1.
  private var counted: (index: Data.Index, line: Int)
  private(set) var workloads: [Workload] = []
  private(set) var refusals: Refusals

  init(_ source: InputSource, prefix: String, _ most: Int, in home: String?) {
    (self.source, self.prefix, self.home) = (source, prefix, home)
    counted = (source.data.startIndex, 1)
    refusals = Refusals(kept: most)
  }

  mutating func take(_ element: JSONList.Element, _ index: Int) {
    guard case .text(let text) = element else {
      let mebibytes = InputLimits.elementBytes >> 20
      return refusals.add(
        InputError(
          .tooLarge, "more than \(mebibytes) MiB, the most that is read of a workload", file: source.name,
          pointer: prefix + String(index)))
    }
    var own = Refusals()
    do throws(InputErrors) {
      let item = InputSource(text, name: source.name, format: .json)
      let document = try InputDocument(item, limit: InputLimits.elementBytes)
      let usual = QuickWorkloadParser.spec(text)
      let spec = if let usual { usual } else { try document.decode(WorkloadSpec.self) }
      if let first = seen.updateValue(index, forKey: WorkloadReader.qualifiedID(of: spec, in: home)) {
        own.add(
          document.error(
            .duplicate, "id \"\(InputError.shortened(spec.id))\" is already that of item \(first)", at: ["id"],
            value: spec.id))
      }
      if let workload = WorkloadReader.validate(spec, in: home, document, [], &own) { workloads.append(workload) }
    } catch {
      own.add(error)
    }
    if !own.isEmpty { refuse(own, text, index) }
  }

  /// With places in the whole document.
  private mutating func refuse(_ own: Refusals, _ text: Data, _ index: Int) {
    if source.name != nil {
      counted.line += source.data[counted.index..<text.startIndex].count { $0 == 0x0a }
      counted.index = text.startIndex
    }
    for var error in own.errors {
      error.pointer = prefix + String(index) + (error.pointer ?? "")
      if source.name != nil { error.line = counted.line + (error.line ?? 1) - 1 }
      refusals.add(error)
    }
    refusals.omit(own.omitted)
    refusals.pass(bytes: text.count)
  }
}
