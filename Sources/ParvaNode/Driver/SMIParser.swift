import Foundation

/// Reads what nvidia-smi prints. Its columns differ between driver versions, so lines are split into words and the
/// words are known by their form, never by their place on the line.
///
/// Unknown lines are passed over, since a newer driver may print more than we read, but for those that are about a GPU or
/// an instance: their listing counts as unread.
package enum SMIParser {
  /// One row of `nvidia-smi mig -lgip`.
  package struct ProfileRow: Hashable, Sendable {
    package var gpu: Int
    package var name: String
    package var id: Int
    package var free: Int
    package var total: Int
    package var memoryGiB: Double
    package var smCount: Int
  }

  /// One row of `nvidia-smi mig -lgipp`.
  package struct PlacementRow: Hashable, Sendable {
    package var gpu: Int
    package var profileID: Int
    package var starts: [Int]
    package var size: Int
  }

  /// One row of `nvidia-smi mig -lgi`.
  package struct InstanceRow: Hashable, Sendable {
    package var gpu: Int
    package var name: String
    package var profileID: Int
    package var instanceID: Int
    package var start: Int
    package var size: Int
  }

  /// One row of `nvidia-smi mig -lci`.
  package struct ComputeRow: Hashable, Sendable {
    package var gpu: Int
    package var instanceID: Int
    package var name: String
    package var profileID: Int
    package var computeID: Int
    /// First compute slice and their number; older drivers do not print them.
    package var placement: Placement?

    package struct Placement: Hashable, Sendable {
      package var start: Int
      package var size: Int
    }
  }

  /// One line of `nvidia-smi -L`; `gpu` of a MIG device is that of the GPU line above it.
  package enum ListRow: Hashable, Sendable {
    case gpu(index: Int, board: String, uuid: String)
    case mig(gpu: Int, name: String, device: Int, uuid: String)
    /// A GPU that does not answer. The line names it by its index, by its PCI address or by both; without an index it is
    /// the first that no other line has.
    case lost(index: Int)
  }

  /// One row of the table of processes that nvidia-smi without arguments ends with.
  package struct ProcessRow: Hashable, Sendable {
    package var gpu: Int
    /// Both nil outside MIG.
    package var instanceID: Int?
    package var computeID: Int?
    package var pid: Int
    package var name: String
    package var memoryMiB: Int?
  }

  /// The words of a table line without its frame; empty for rules, headings and blank lines.
  static func words(_ line: Substring) -> [Substring] {
    line.split { $0 == " " || $0 == "|" || $0 == "\t" || $0 == "\r" }
  }

  /// `1g.10gb`, `1g.10gb+me`, `1c.3g.40gb`, `2g.12gb+me.all`: digits, `g` or `c`, and a dot in it.
  static func isProfileName(_ word: Substring) -> Bool {
    guard let unit = word.firstIndex(where: { !$0.isASCIIDigit }), unit != word.startIndex else { return false }
    return (word[unit] == "g" || word[unit] == "c") && word[unit...].dropFirst().first == "."
  }

  private static func integers(_ words: ArraySlice<Substring>) -> [Int] { words.compactMap { Int($0) } }

  /// `12:4` or `4/7` as two numbers.
  private static func pair(_ word: Substring, _ separator: Character) -> (Int, Int)? {
    let parts = word.split(separator: separator, omittingEmptySubsequences: false)
    guard parts.count == 2, let a = Int(parts[0]), let b = Int(parts[1]), a >= 0, b >= 0 else { return nil }
    return (a, b)
  }

  /// Rows of a table whose first word is a GPU index and that name a profile.
  private static func tableRows(_ text: String) -> [(
    gpu: Int, name: Substring, before: [Int], after: ArraySlice<Substring>
  )] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      let words = words(line).filter { $0 != "MIG" && $0 != "*" }
      guard let first = words.first, let gpu = Int(first), gpu >= 0, let at = words.firstIndex(where: isProfileName)
      else { return nil }
      return (gpu, words[at], integers(words[1..<at]), words[(at + 1)...])
    }
  }

  package static func profiles(_ text: String) -> [ProfileRow] {
    tableRows(text).compactMap { row in
      // Name, id, free/total (with or without spaces round the slash), GiB, P2P, SM, ...
      let words = row.after.flatMap { $0 == "/" ? [$0] : $0.split(separator: "/") }.filter { $0 != "/" }
      guard words.count >= 6, let id = Int(words[0]), let free = Int(words[1]), let total = Int(words[2]),
        let memory = Double(words[3]), (0...1e6).contains(memory), let sms = Int(words[5]), id >= 0
      else { return nil }
      return ProfileRow(
        gpu: row.gpu, name: String(row.name), id: id, free: free, total: total, memoryGiB: memory, smCount: sms)
    }
  }

  package static func placements(_ text: String) -> [PlacementRow] {
    text.split(whereSeparator: \.isNewline).compactMap { line in
      // "GPU  0 Profile ID 19 Placements: {0,1,2}:1", "Placement :", spaces anywhere.
      guard let open = line.firstIndex(of: "{"), let close = line.firstIndex(of: "}"), open < close else { return nil }
      let head = integers(words(line[..<open])[...])
      let starts = line[line.index(after: open)..<close].split(separator: ",").map {
        Int($0.trimmingCharacters(in: .whitespaces))
      }
      let tail = line[line.index(after: close)...].drop { $0 == ":" || $0 == " " }
      guard head.count >= 2, let size = Int(tail.prefix { $0.isASCIIDigit }), size > 0, !starts.contains(nil) else {
        return nil
      }
      return PlacementRow(gpu: head[0], profileID: head[1], starts: starts.compactMap { $0 }.sorted(), size: size)
    }
  }

  package static func instances(_ text: String) -> [InstanceRow] {
    tableRows(text).compactMap { row in
      let numbers = integers(row.after)
      guard numbers.count >= 2, let place = row.after.lazy.compactMap({ pair($0, ":") }).first else { return nil }
      return InstanceRow(
        gpu: row.gpu, name: String(row.name), profileID: numbers[0], instanceID: numbers[1], start: place.0,
        size: place.1)
    }
  }

  package static func computes(_ text: String) -> [ComputeRow] {
    tableRows(text).compactMap { row in
      let numbers = integers(row.after)
      guard let instance = row.before.first, numbers.count >= 2 else { return nil }
      let place = row.after.lazy.compactMap { pair($0, ":") }.first
      return ComputeRow(
        gpu: row.gpu, instanceID: instance, name: String(row.name), profileID: numbers[0], computeID: numbers[1],
        placement: place.map { ComputeRow.Placement(start: $0.0, size: $0.1) })
    }
  }

  /// Cells of `--query-gpu` with `--format=csv,noheader,nounits`, by line.
  package static func query(_ text: String) -> [[String]] {
    text.split(whereSeparator: \.isNewline).map { line in
      line.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }

  /// Rows of the table of processes; nil where there is no such table, or one with a line in no known form.
  package static func processes(_ text: String) -> [ProcessRow]? {
    let lines = text.split(whereSeparator: \.isNewline)
    guard let heading = lines.firstIndex(where: { $0.contains("Processes:") }) else { return nil }
    var rows: [ProcessRow] = []
    for line in lines[(heading + 1)...] {
      let words = words(line)
      guard let first = words.first, let gpu = Int(first), gpu >= 0 else { continue }
      func id(_ word: Substring) -> Int? { Int(word).flatMap { $0 >= 0 ? $0 : nil } }
      let types: Set<Substring> = ["C", "G", "C+G", "M+C", "M", "M+C+G"]
      // GPU, GI, CI, PID, type, name, memory: both ids are N/A outside MIG.
      guard words.count >= 6, types.contains(words[4]), let pid = id(words[3]),
        (id(words[1]) != nil || words[1] == "N/A"), (id(words[2]) != nil || words[2] == "N/A")
      else { return nil }
      let memory = words.last.flatMap { $0.hasSuffix("MiB") ? Int($0.dropLast(3)) : nil }
      let isSized = memory != nil || words.last == "N/A"
      let name = words[5..<(isSized ? words.count - 1 : words.count)].joined(separator: " ")
      rows.append(
        ProcessRow(
          gpu: gpu, instanceID: id(words[1]), computeID: id(words[2]), pid: pid, name: name, memoryMiB: memory))
    }
    return rows
  }

  /// Nil where a line about a GPU or a MIG device is in no known form. An index that is left out between others is that of
  /// a lost GPU.
  package static func list(_ text: String) -> [ListRow]? {
    var rows: [ListRow] = []
    var current: Int?
    var lost: [Int] = []
    var unnamed = 0
    for line in text.split(whereSeparator: \.isNewline) {
      if let range = line.range(of: "device handle for gpu", options: .caseInsensitive) {
        // "GPU 2: ...", "GPU2: 0000:3B:00.0: ...", "GPU 0000:3B:00.0: ...", "GPU0000:3B:00.0: ...".
        let name = line[range.upperBound...].drop { $0 == " " }.prefix { $0 != " " }
        if name.last == ":", let index = Int(name.dropLast()), (0..<mostGPUs).contains(index) {
          lost.append(index)
        } else {
          unnamed += 1
        }
        current = nil
        continue
      }
      let row = listed(line, of: current)
      if case .gpu(let index, _, _)? = row { current = index }
      let start = line.drop { $0 == " " || $0 == "\t" }
      if let row { rows.append(row) } else if start.hasPrefix("GPU ") || start.hasPrefix("MIG ") { return nil }
    }
    var named = Set(lost)
    for case .gpu(let index, _, _) in rows { named.insert(index) }
    let missing = (0..<(named.max() ?? 0)).filter { !named.contains($0) }
    lost += missing
    named.formUnion(missing)
    for index in 0..<max(0, unnamed - missing.count) { lost.append((named.max() ?? -1) + 1 + index) }
    return rows + Set(lost).sorted().map { .lost(index: $0) }
  }

  /// More than any machine has.
  private static let mostGPUs = 1024

  private static func listed(_ line: Substring, of gpu: Int?) -> ListRow? {
    guard let open = line.range(of: "(UUID: ", options: .backwards),
      let close = line[open.upperBound...].firstIndex(of: ")")
    else { return nil }
    let uuid = String(line[open.upperBound..<close]).trimmingCharacters(in: .whitespaces)
    let head = line[..<open.lowerBound].split(separator: ":", maxSplits: 1)
    let words = head.first?.split(separator: " ") ?? []
    if words.count == 2, words[0] == "GPU", let index = Int(words[1]), (0..<mostGPUs).contains(index), head.count == 2 {
      return .gpu(index: index, board: head[1].trimmingCharacters(in: .whitespaces), uuid: uuid)
    }
    guard words.count >= 3, words[0] == "MIG", let gpu else { return nil }
    let number =
      head.count == 2 && ["Device", "Dev"].contains(words[2]) ? Int(head[1].trimmingCharacters(in: .whitespaces)) : nil
    return (number ?? Int(words[words.count - 1])).map {
      .mig(gpu: gpu, name: String(words[1]), device: $0, uuid: uuid)
    }
  }

  /// Whether a failed listing says that there is nothing to list: "No MIG-enabled devices found.", "No GPU instances found:
  /// Not Found". Any other failure says nothing of what is there.
  package static func saysNothingIsThere(_ line: String) -> Bool {
    line.hasPrefix("No ") && ["devices found", "instances found", "profiles found"].contains { line.contains($0) }
  }

  /// NVML's code name for the reason that nvidia-smi prints.
  package static func code(of text: String) -> String {
    let said = text.lowercased()
    let table = [
      ("unable to determine the device handle", "gpu_is_lost"), ("gpu is lost", "gpu_is_lost"),
      ("no mig-enabled devices", "not_supported"), ("in use by another", "in_use"), ("being used by", "in_use"),
      ("insufficient resources", "insufficient_resources"),
      ("not found", "not_found"), ("insufficient permissions", "no_permission"), ("not supported", "not_supported"),
      ("invalid argument", "invalid_argument"), ("timeout", "timeout"),
      ("couldn't communicate with the nvidia driver", "driver_not_loaded"),
      ("driver/library version mismatch", "lib_rm_version_mismatch"), ("reset", "reset_required"),
    ]
    return table.first { said.contains($0.0) }?.1 ?? "unknown"
  }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
