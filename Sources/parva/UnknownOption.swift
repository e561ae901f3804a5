import ArgumentParser

/// Finds the option that does not exist where something else is said to be missing: who mistypes `--workloads` is to
/// read about the option, and not that it is missing.
enum UnknownOption {
  /// Nil where every option of the command line is one of its verb.
  static func message(_ arguments: [String] = CommandLine.arguments) -> String? {
    var verb: any ParsableCommand.Type = ParvaCommand.self
    var names: [String] = []
    for argument in arguments.dropFirst() {
      if argument == "--" { break }
      if argument.hasPrefix("--") {
        names.append(String(argument.prefix { $0 != "=" }))
      } else if names.isEmpty,
        let next = verb.configuration.subcommands.first(where: { $0.configuration.commandName == argument })
      {
        verb = next
      }
    }
    let known = options(of: verb)
    guard let unknown = names.first(where: { !known.contains($0) }) else { return nil }
    let near = known.map { (name: $0, distance: distance($0, unknown)) }.min {
      ($0.distance, $0.name) < ($1.distance, $1.name)
    }
    let hint = near.flatMap { $0.distance <= 3 ? " Did you mean '\($0.name)'?" : nil } ?? ""
    return "Error: Unknown option '\(unknown)'.\(hint)\n" + ParvaCommand.usage(of: verb)
  }

  /// Every long option that the help of a verb names.
  private static func options(of verb: any ParsableCommand.Type) -> Set<String> {
    var found: Set<String> = ["--help", "--version"]
    let text = verb.helpMessage(includeHidden: true, columns: 10_000)
    for line in text.split(separator: "\n") where line.hasPrefix("  -") {
      for word in line.split(whereSeparator: { " ,/".contains($0) }) where word.hasPrefix("--") {
        found.insert(String(word))
      }
    }
    return found
  }

  /// How many letters have to be added, dropped or changed. O(product of the lengths).
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let above = row[j + 1]
        row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
        diagonal = above
      }
    }
    return row[b.count]
  }
}
