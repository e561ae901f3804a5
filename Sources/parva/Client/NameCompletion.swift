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

  /// Of the configuration.
  static var contexts: CompletionKind {
    .custom { _, _, prefix in
      (try? ClientContexts.load())?.contexts.keys.filter { $0.hasPrefix(prefix) }.sorted() ?? []
    }
  }

  /// Ids of tokens that were made at run time.
  static var tokens: CompletionKind {
    .custom { words, _, prefix in
      let page = try? await connection(words).value("/v1/tokens?limit=\(most)")
      return page?["tokens"].elements.compactMap { $0["id"].text }.filter { $0.hasPrefix(prefix) } ?? []
    }
  }

  private static func names(of kind: ResourceKind, _ words: [String]) async throws -> [String] {
    let connection = try connection(words)
    var view = ResourceView()
    if kind.naming != .plain, let given = zip(words, words.dropFirst()).first(where: { $0.0 == "--namespace" })?.1 {
      view.scope = try await ClientScope.of(given, connection)
    }
    let query = view.query(kind) + ["limit=\(min(most, kind.pageLimit))"]
    let page = try await connection.value("\(kind.path)?\(query.joined(separator: "&"))")
    // A model has a row for each product.
    return Set(page[kind.member].elements.filter { view.holds($0, kind) }.map(kind.name)).sorted()
  }

  /// To the controller that the command line names so far.
  private static func connection(_ words: [String]) throws -> ServerConnection {
    var arguments: [String] = []
    for (name, value) in zip(words, words.dropFirst())
    where ["--server", "--context", "--token-file", "--ca", "--certificate", "--key"].contains(name) {
      arguments += [name, value]
    }
    return try ServerOptions.parse(arguments + ["--retry-for", "0"]).connection(timeout: .seconds(2))
  }
}
