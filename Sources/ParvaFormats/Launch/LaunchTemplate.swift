package import ParvaWire

/// Text of a launch with `{name}` for values that the node knows; `{{` and `}}` are braces.
package enum LaunchTemplate {
  package enum Placeholder: String, CaseIterable, Sendable {
    /// Port of this process.
    case port
    case batch
    /// Number of this process on its instance, from 0, and how many there are.
    case process, processes
    /// UUIDs of the MIG device and of its GPU.
    case uuid, gpu
    /// Number by which drivers know the instance's profile.
    case profileId
    case workload, model, segment
  }

  package enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    case unknown(String)
    case unclosed

    package var description: String {
      switch self {
      case .unknown(let name):
        "{\(InputError.shortened(name))} is none of "
          + Placeholder.allCases.map { "{\($0.rawValue)}" }.joined(separator: ", ") + "; write {{ for a brace"
      case .unclosed: "a { without its }; write {{ for a brace"
      }
    }
  }

  private enum Part {
    case text(Substring)
    case value(Placeholder)
  }

  /// O(length).
  private static func parts(_ text: String) throws(Refusal) -> [Part] {
    var parts: [Part] = []
    var rest = text[...]
    while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      let next = rest.index(after: brace)
      if next < rest.endIndex, rest[next] == rest[brace] {
        parts.append(.text(rest[...brace]))
        rest = rest[rest.index(after: next)...]
      } else if rest[brace] == "}" {
        parts.append(.text(rest[...brace]))
        rest = rest[next...]
      } else {
        guard let end = rest[next...].firstIndex(of: "}") else { throw .unclosed }
        let name = String(rest[next..<end])
        guard let placeholder = Placeholder(rawValue: name) else { throw .unknown(name) }
        parts.append(.text(rest[..<brace]))
        parts.append(.value(placeholder))
        rest = rest[rest.index(after: end)...]
      }
    }
    return parts + [.text(rest)]
  }

  /// Whether any text of a launch is filled with the segment's name.
  package static func namesSegment(_ launch: LaunchSpec) -> Bool {
    let texts =
      [launch.command, launch.workdir ?? "", launch.health ?? ""] + (launch.args ?? []) + (launch.env ?? [:]).values
    return texts.contains { ((try? placeholders(in: $0)) ?? []).contains(.segment) }
  }

  package static func placeholders(in text: String) throws(Refusal) -> [Placeholder] {
    try parts(text).compactMap { if case .value(let placeholder) = $0 { placeholder } else { nil } }
  }

  /// The text with its values; a placeholder without one becomes empty.
  package static func expand(_ text: String, _ values: [Placeholder: String]) throws(Refusal) -> String {
    var result = ""
    for part in try parts(text) {
      switch part {
      case .text(let text): result += text
      case .value(let placeholder): result += values[placeholder] ?? ""
      }
    }
    return result
  }
}
