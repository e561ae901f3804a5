import ArgumentParser
import Foundation
import ParvaFormats

/// The options of a verb that runs for long: from its command line, else from the environment, else from a file.
///
/// What is found becomes part of the command line, so that everything is checked and explained in one place.
struct VerbConfiguration {
  /// Where an option has its value from.
  enum Origin: Equatable {
    case commandLine
    case environment(String)
    case file(String)
    case usual

    var text: String {
      switch self {
      case .commandLine: "the command line"
      case .environment(let name): name
      case .file(let path): path
      case .usual: "the default"
      }
    }
  }

  struct Setting {
    var option: VerbOption
    var values: [String]
    var origin: Origin
  }

  static let fileBytes = 1 << 20

  /// In the order of the verb's help, without those that nobody has set and that have no default.
  private(set) var settings: [Setting] = []
  /// The whole command line, with what was found elsewhere.
  private(set) var arguments: [String]

  /// - Parameters:
  ///   - arguments: without the program's name.
  ///   - words: those of them that name the verb.
  ///   - prefix: of the environment's names, for example `PARVA_SERVE_`.
  init(
    _ arguments: [String], of verb: any ParsableCommand.Type, words: Int, prefix: String, environment: [String: String]
  ) throws {
    self.arguments = arguments
    let options = VerbOption.all(of: verb)
    let given = Self.given(arguments.dropFirst(words), options)
    let path = given["config"]?.last ?? environment[prefix + "CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
    let file = try path.map { try Self.read($0, options) } ?? [:]
    for option in options {
      let variable = prefix + option.name.uppercased().replacing("-", with: "_")
      if let values = given[option.name] {
        settings.append(Setting(option: option, values: values, origin: .commandLine))
      } else if let text = environment[variable], !text.isEmpty {
        let values = try Self.values(text, option, variable)
        if let values { add(values, option, .environment(variable)) }
      } else if let values = file[option.name], !option.isRepeating || !values.isEmpty {
        add(values, option, .file(path ?? ""))
      } else if let usual = option.usual {
        settings.append(Setting(option: option, values: [usual], origin: .usual))
      }
    }
  }

  private mutating func add(_ values: [String], _ option: VerbOption, _ origin: Origin) {
    settings.append(Setting(option: option, values: values, origin: origin))
    // One word each, so that a value that begins with a dash stays a value.
    arguments += option.takesValue ? values.map { "--\(option.name)=\($0)" } : ["--\(option.name)"]
  }

  /// What stands on a command line, by the shown name; flags without values.
  private static func given(_ arguments: ArraySlice<String>, _ options: [VerbOption]) -> [String: [String]] {
    var known: [String: VerbOption] = [:]
    for option in options { for name in option.names { known[name] = option } }
    known["config"] = VerbOption(names: ["config"], takesValue: true, isRepeating: false)
    var given: [String: [String]] = [:]
    var rest = arguments
    while let argument = rest.popFirst(), argument != "--" {
      guard argument.hasPrefix("--") else { continue }
      let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let option = known[String(parts[0])] else { continue }
      let value = option.takesValue ? parts.count > 1 ? String(parts[1]) : rest.popFirst() : nil
      given[option.name, default: []] += value.map { [$0] } ?? []
    }
    return given
  }

  /// Nil for a flag that is off.
  private static func values(_ text: String, _ option: VerbOption, _ variable: String) throws -> [String]? {
    guard option.takesValue else {
      guard let isOn = flag(text) else {
        throw CommandFailure(.badInput, "\(variable) must be true or false, not \(text)")
      }
      return isOn ? [] : nil
    }
    return option.isRepeating ? text.split(separator: ",").map(String.init) : [text]
  }

  /// What a file sets, by the shown name; flags that are off are left out.
  private static func read(_ path: String, _ options: [VerbOption]) throws -> [String: [String]] {
    let members = try InputSource.load(path, limit: fileBytes, isRegular: true).settings(limit: fileBytes)
    let known = Dictionary(uniqueKeysWithValues: options.map { ($0.name, $0) })
    var found: [String: [String]] = [:]
    var faults: [InputError] = []
    for (name, value) in members.sorted(by: { $0.key < $1.key }) {
      guard let option = known[name] else {
        faults.append(
          InputError(
            .unknownKey, "there is no option --\(name)" + nearest(name, known.keys.sorted()), file: path,
            pointer: "/\(name)"))
        continue
      }
      do throws(InputError) {
        if let values = try values(value, option) { found[name] = values }
      } catch {
        var fault = error
        (fault.file, fault.pointer) = (path, "/\(name)")
        faults.append(fault)
      }
    }
    if let first = faults.first { throw InputErrors(first, faults.dropFirst()) }
    return found
  }

  private static func values(_ value: WrittenSetting, _ option: VerbOption) throws(InputError) -> [String]? {
    switch value {
    case .list(let texts):
      guard option.isRepeating else { throw InputError(.wrongType, "takes one value, not a list") }
      return texts
    case .text(let text):
      if option.takesValue { return [text] }
      guard let isOn = flag(text) else { throw InputError(.wrongType, "must be true or false") }
      return isOn ? [] : nil
    }
  }

  private static func flag(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "1", "yes", "on": true
    case "false", "0", "no", "off": false
    default: nil
    }
  }

  private static func nearest(_ name: String, _ names: [String]) -> String {
    let near = names.map { (name: $0, distance: UnknownOption.distance($0, name)) }.min { $0.distance < $1.distance }
    return near.flatMap { $0.distance <= 3 ? "; did you mean \($0.name)?" : nil } ?? ""
  }

  /// The verbs that can be configured, by the words that name them.
  private static let verbs: [(words: [String], verb: any ParsableCommand.Type, prefix: String)] = [
    (["serve"], ServeCommand.self, "PARVA_SERVE_"), (["node", "run"], NodeRunCommand.self, "PARVA_NODE_"),
  ]

  /// Nil where the command line names another verb.
  static func of(
    _ arguments: [String], environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> VerbConfiguration? {
    // Who asks for help is not to be told of a file first.
    guard !arguments.contains(where: { ["-h", "--help", "--version"].contains($0) }) else { return nil }
    for (words, verb, prefix) in verbs {
      var count = words.count
      if !arguments.starts(with: words) {
        // `parva node` alone is `parva node run`.
        guard words.count == 2, arguments.first == words[0], arguments.dropFirst().first?.hasPrefix("-") ?? true else {
          continue
        }
        count = 1
      }
      return try VerbConfiguration(arguments, of: verb, words: count, prefix: prefix, environment: environment)
    }
    return nil
  }

  /// Where the options that a message names were set, for those that are not on the command line.
  func origins(in message: String) -> String {
    settings.filter { setting in
      setting.origin != .commandLine && setting.origin != .usual
        && message.split(whereSeparator: { !($0.isLetter || $0.isNumber || $0 == "-") }).contains(
          "--\(setting.option.name)")
    }.map { "\n--\($0.option.name) is set by \($0.origin.text)." }.joined()
  }

  /// The settings as a configuration file, each with where it comes from.
  var text: String {
    settings.map { setting in
      let values = setting.values.map { text in
        String(decoding: (try? JSONValue.string(text).yaml()) ?? Data(), as: UTF8.self).trimmed
      }
      let value =
        !setting.option.takesValue
        ? "true" : setting.option.isRepeating ? "[\(values.joined(separator: ", "))]" : values.last ?? "''"
      return "\(setting.option.name): \(value)  # \(setting.origin.text)\n"
    }.joined()
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// What a verb that can be configured says of it in its help.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      YAML or JSON file with options by their long names. The command line comes first, then the environment (see the \
      documentation for its names), then this file.
      """, valueName: "file"))
  var config: String?

  @Flag(name: .long, help: "Print the options that are in force as such a file, with where each comes from, and end.")
  var printConfig = false
}
