import ArgumentParser
import ParvaFormats

/// What a shell offers in place of a name: what the controller has.
enum NameCompletion {
  /// Most names that are asked for.
  private static let most = 1000

  /// Names of the kind that stands on the command line, or of `kind`.
  static func names(_ kind: String? = nil) -> CompletionKind {
    .custom { words, _, prefix in
      let found = words.lazy.compactMap { try? ResourceKind.named($0) }.first
      guard let kind = kind.flatMap({ try? ResourceKind.named($0) }) ?? found else { return [] }
      // A shell that waits for names shows no message.
      return (try? await names(of: kind, words))?.filter { $0.hasPrefix(prefix) } ?? []
    }
  }

  private static func names(of kind: ResourceKind, _ words: [String]) async throws -> [String] {
    var arguments: [String] = []
    for (name, value) in zip(words, words.dropFirst())
    where ["--server", "--context", "--token-file", "--ca"].contains(name) {
      arguments += [name, value]
    }
    let server = try ServerOptions.parse(arguments)
    let page = try await server.connection(timeout: .seconds(2)).value(
      "\(kind.path)?limit=\(min(most, kind.pageLimit))")
    return page[kind.member].elements.map(kind.name)
  }
}
