import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats

/// Where what was found out about capacities is kept between runs.
struct CapacityOptions: ParsableArguments {
  @Flag(
    name: .customLong("no-cache"),
    help: """
      Neither read nor write the file of capacities that were worked out before, parva/capacities in $XDG_CACHE_HOME or \
      ~/.cache. It changes times, never plans.
      """)
  var noCache = false

  /// The file, where one is to be used and there is a place for it.
  private var file: URL? {
    let environment = ProcessInfo.processInfo.environment
    // XDG Base Directory Specification: a path that is not absolute is to be ignored.
    let named = environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? URL(filePath: $0) : nil }
    let home = environment["HOME"].flatMap { $0.hasPrefix("/") ? URL(filePath: $0).appending(path: ".cache") : nil }
    guard !noCache else { return nil }
    return (named ?? home)?.appending(path: "parva/capacities")
  }

  /// What earlier runs found out; nothing where the file is missing or not as it was written.
  func load() -> Known {
    guard let file, let size = try? file.resourceValues(forKeys: [.fileSizeKey]).fileSize, size <= CapacityFile.limit,
      let data = try? Data(contentsOf: file)
    else { return Known(facts: [], cache: CapacityCache()) }
    let facts = CapacityFile.facts(data)
    return Known(facts: facts, cache: CapacityCache(knowing: facts))
  }

  /// Keeps what has been found out since, in one step; a place that cannot be written is no error.
  func save(_ known: Known) {
    guard let file else { return }
    let facts = known.cache.facts()
    guard !facts.isEmpty, Set(facts) != Set(known.facts) else { return }
    let folder = file.deletingLastPathComponent()
    try? FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try? CapacityFile.data(facts).write(to: file, options: .atomic)
  }

  /// A cache with what it knew when it was read.
  struct Known {
    var facts: [CapacityFacts]
    var cache: CapacityCache
  }
}
