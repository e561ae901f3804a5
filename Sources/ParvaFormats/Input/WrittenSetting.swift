/// What a configuration file sets an option to, as it is written there.
package enum WrittenSetting: Hashable, Sendable, Decodable {
  case text(String)
  case list([String])

  package init(from decoder: any Decoder) throws {
    if let text = try? Self.scalar(decoder) {
      self = .text(text)
    } else {
      self = .list(try [Scalar](from: decoder).map(\.text))
    }
  }

  private struct Scalar: Decodable {
    var text: String

    init(from decoder: any Decoder) throws { text = try scalar(decoder) }
  }

  /// YAML has every scalar as text; JSON has numbers and booleans of their own.
  private static func scalar(_ decoder: any Decoder) throws -> String {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) { return text }
    if let flag = try? container.decode(Bool.self) { return flag ? "true" : "false" }
    let number = try container.decode(Double.self)
    return Int(exactly: number).map(String.init) ?? "\(number)"
  }
}
