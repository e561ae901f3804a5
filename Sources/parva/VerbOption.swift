import ArgumentParser
import Foundation
import ParvaFormats

/// An option of a verb, as the parser itself describes it.
struct VerbOption {
  /// Without the dashes; the first is the one that is shown.
  var names: [String]
  var takesValue: Bool
  var isRepeating: Bool
  var usual: String?

  var name: String { names[0] }

  /// What a configuration may set of a verb, in the order of its help.
  static func all(of verb: any ParsableCommand.Type) -> [VerbOption] {
    let text = Data(verb._dumpHelp().utf8)
    let help = (try? InputSource(text, format: .json).value(limit: InputLimits.planBytes)) ?? .null
    return help["command"]["arguments"].elements.compactMap { argument in
      let names = argument["names"].elements.filter { $0["kind"].text == "long" }.compactMap { $0["name"].text }
      guard let first = names.first, !["help", "version", "config", "print-config"].contains(first) else { return nil }
      return VerbOption(
        names: names, takesValue: argument["kind"].text == "option", isRepeating: argument["isRepeating"].flag == true,
        usual: argument["defaultValue"].text)
    }
  }
}
