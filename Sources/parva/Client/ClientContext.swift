import Foundation
import ParvaFormats

/// A controller under a name of the user's, with what it takes to be let in.
struct ClientContext: Equatable {
  var server: String
  /// File with the bearer token; the token itself is never written down here.
  var tokenFile: String?
  /// PEM files: authorities to trust, and our certificate with its key.
  var ca: String?
  var certificate: String?
  var key: String?
  /// That bare ids are of, where the credential is for all.
  var namespace: String?

  /// What a context may hold, in the file as in the options of `parva context set`.
  private static let members: [(name: String, path: any WritableKeyPath<ClientContext, String?> & Sendable)] = [
    ("tokenFile", \.tokenFile), ("ca", \.ca), ("certificate", \.certificate), ("key", \.key),
    ("namespace", \.namespace),
  ]

  init(server: String) { self.server = server }

  /// Nil for what is not a context, or holds what no context has.
  init?(_ value: JSONValue) {
    guard case .object(let members) = value, let server = members["server"]?.text else { return nil }
    self.server = server
    for (name, value) in members where name != "server" {
      guard let member = Self.members.first(where: { $0.name == name }), let text = value.text else { return nil }
      self[keyPath: member.path] = text
    }
  }

  var value: JSONValue {
    var members = ["server": JSONValue.string(server)]
    for member in Self.members { members[member.name] = self[keyPath: member.path].map { .string($0) } }
    return .object(members)
  }
}

/// The contexts that a user has, as `parva context` keeps them.
struct ClientContexts: Equatable {
  private static let limit = 1 << 20

  /// The context that counts where none is named.
  var current: String?
  var contexts: [String: ClientContext] = [:]

  /// `$PARVA_CONFIG`, or `parva/config.yaml` in the user's folder of configurations.
  static var path: String {
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["PARVA_CONFIG"], !path.isEmpty { return path }
    let home = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.config"
    return home + "/parva/config.yaml"
  }

  /// Empty where there is no file.
  static func load() throws -> ClientContexts {
    guard FileManager.default.fileExists(atPath: path) else { return ClientContexts() }
    let value = try InputSource.load(path, format: .yaml, limit: limit).value(limit: limit)
    var contexts = ClientContexts()
    contexts.current = value["current"].text
    if case .object(let named) = value["contexts"] {
      for (name, value) in named {
        guard let context = ClientContext(value) else {
          throw CommandFailure(
            .badInput, "\(path): context '\(name)' is not one as parva context set writes it; set it anew or remove it")
        }
        contexts.contexts[name] = context
      }
    }
    return contexts
  }

  /// Written beside and renamed, so that the file is whole whatever happens.
  func save() throws {
    let folder = (Self.path as NSString).deletingLastPathComponent
    let value = JSONValue.object([
      "current": current.map { .string($0) } ?? .null, "contexts": .object(contexts.mapValues(\.value)),
    ])
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try value.yaml().write(to: URL(filePath: Self.path), options: .atomic)
    } catch {
      throw CommandFailure(.unexpected, "\(Self.path) cannot be written: \(error.localizedDescription)")
    }
  }

  /// The context of that name, or the current one; nil where none is named and none is current.
  func context(named name: String?) throws -> ClientContext? {
    guard let name = name ?? current else { return nil }
    guard let context = contexts[name] else {
      let known = contexts.keys.sorted().joined(separator: ", ")
      throw CommandFailure(
        .badInput,
        "there is no context '\(name)' in \(Self.path); "
          + (known.isEmpty ? "make one with parva context set" : "there are \(known)"))
    }
    return context
  }
}
