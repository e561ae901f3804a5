package import ParvaWire

/// Reads what is asked of a subscriber, and what is done with one.
package enum WebhookSpecReader {
  static let bytes = 64 << 10
  /// Seconds for which a message may be tried: a week at most.
  package static let retrySeconds = 1...604_800
  /// Most messages that are named for a replay.
  static let mostNumbers = 1000

  package static let idRule = Names.identifierRule

  package static func isID(_ text: String) -> Bool { Names.isIdentifier(text) }

  /// - Parameter types: those that there are.
  /// - Throws: every refusal found, each with its place. What the URL and the selector say is for others to judge.
  package static func read(_ source: InputSource, types: [String]) throws(InputErrors) -> WebhookSpec {
    let document = try InputDocument(source, limit: bytes)
    let spec = try document.decode(WebhookSpec.self)
    var refusals = Refusals()
    if let name = spec.name, !TokenSpecReader.isName(name) {
      refusals.add(
        document.error(.invalidName, "a subscriber's name is \(TokenSpecReader.nameRule)", at: ["name"], value: name))
    }
    if let asked = spec.types {
      if asked.isEmpty {
        refusals.add(
          document.error(.outOfRange, "types names at least one type; without it there are all", at: ["types"]))
      }
      for (index, type) in asked.prefix(types.count + 1).enumerated() {
        let path = ["types", String(index)]
        if !types.contains(type) {
          refusals.add(
            document.error(.outOfRange, "a type is \(types.joined(separator: ", "))", at: path, value: type))
        } else if asked[..<index].contains(type) {
          refusals.add(document.error(.duplicate, "the type is named already", at: path, value: type))
        }
      }
    }
    if let seconds = spec.retrySeconds, !retrySeconds.contains(seconds) {
      refusals.add(
        document.error(
          .outOfRange, "retrySeconds is \(retrySeconds.lowerBound) to \(retrySeconds.upperBound)", at: ["retrySeconds"],
          value: String(seconds)))
    }
    try refusals.check()
    return spec
  }

  /// Seconds for which the secret before signs too; nil where nothing is said.
  package static func overlap(_ source: InputSource, most: Int) throws(InputErrors) -> Int? {
    let document = try InputDocument(source, limit: bytes)
    let seconds = try document.decode(SecretRotationSpec.self).overlapSeconds
    if let seconds, !(0...most).contains(seconds) {
      throw InputErrors(
        document.error(.outOfRange, "overlapSeconds is 0 to \(most)", at: ["overlapSeconds"], value: String(seconds)))
    }
    return seconds
  }

  /// Numbers of messages; nil for all.
  package static func numbers(_ source: InputSource) throws(InputErrors) -> Set<Int>? {
    let document = try InputDocument(source, limit: bytes)
    guard let numbers = try document.decode(ReplaySpec.self).numbers else { return nil }
    guard (1...mostNumbers).contains(numbers.count) else {
      throw InputErrors(
        document.error(
          .outOfRange, "numbers names 1 to \(mostNumbers) messages; without it all are meant", at: ["numbers"]))
    }
    return Set(numbers)
  }
}
