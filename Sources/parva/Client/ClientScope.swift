import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats

/// The namespace that a verb speaks of, and how the controller names what is in it.
///
/// One rule for ids on command lines and in documents: within a namespace `ID` and `NAMESPACE:ID` are the same, and an id of
/// another one is refused; where no namespace is spoken of a bare id is of `default`. What is in `default` has bare ids alone.
struct ClientScope: Hashable, Sendable {
  /// That of the credential, where it is for one alone: such are told bare ids, and know no others.
  private let bound: String?
  /// The one that bare ids are of; nil: `default`, and what is listed is of all.
  let name: String?

  /// Where nothing depends on it: bare ids mean to the controller what they mean here.
  static let unasked = ClientScope(bound: nil, name: nil)

  private init(bound: String?, name: String?) { (self.bound, self.name) = (bound, name) }

  /// Asks the controller whom the credential is for.
  ///
  /// - Parameter given: the namespace of the command line, else that of the context.
  static func of(_ given: String?, _ connection: ServerConnection) async throws -> ClientScope {
    let bound = try await connection.value("/v1/whoami")["namespace"].text
    if let bound, let given, given != bound {
      throw CommandFailure(
        .badInput,
        "the token is for the namespace \(bound) alone, and not for \(given); another token is needed for that")
    }
    return ClientScope(bound: bound, name: bound ?? given)
  }

  /// An id as it is known everywhere.
  func id(_ told: String) throws -> String {
    guard Namespace.isQualified(told) else { return name.map { Namespace.qualified(told, in: $0) } ?? told }
    let namespace = Namespace.of(told)
    guard namespace != Namespace.standard else {
      throw CommandFailure(
        .badInput, "what is in the namespace \(namespace) has a bare id, \(Namespace.bare(told))")
    }
    if let name, namespace != name {
      throw CommandFailure(.badInput, "\(told) is of another namespace than \(name)")
    }
    return told
  }

  /// A subscriber's id as the controller is told it: everybody's but those of whom the credential is for have a namespace, those
  /// of `default` as well.
  func subscriber(_ told: String) throws -> String {
    guard let name else { return told }
    if Namespace.isQualified(told), Namespace.of(told) != name {
      throw CommandFailure(.badInput, "\(told) is of another namespace than \(name)")
    }
    return (bound == nil ? name + ":" : "") + Namespace.bare(told)
  }

  /// Whether a subscriber is of the namespace that is spoken of. To who is bound all are; else those without one are the fleet's.
  func holds(subscriber id: String) -> Bool {
    guard let name, bound == nil else { return true }
    return Namespace.isQualified(id) && Namespace.of(id) == name
  }

  /// What the controller calls it, to whom the credential belongs.
  func told(_ id: String) -> String { bound == nil ? id : Namespace.bare(id) }
}

/// Which of several things of one name a verb means.
struct ResourceView: Hashable, Sendable {
  var scope = ClientScope.unasked
  /// Of GPUs, for profiles.
  var product: String?

  func path(_ kind: ResourceKind, to name: String) throws -> String {
    switch kind.naming {
    case .plain: return kind.path(to: name)
    case .byID: return kind.path(to: scope.told(try scope.id(name)))
    case .bySubscriber: return kind.path(to: try scope.subscriber(name))
    case .byQuery:
      let query = query(kind)
      return kind.path(to: name) + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }
  }

  /// What narrows a list down.
  func query(_ kind: ResourceKind) -> [String] {
    let wanted: [(String, String)?] = [
      [.byID, .byQuery].contains(kind.naming) ? scope.name.map { ("namespace", $0) } : nil,
      kind.naming == .byQuery ? product.map { ("product", $0) } : nil,
    ]
    return wanted.compactMap(\.self).map { "\($0)=\(ServerConnection.escaped($1))" }
  }

  /// Whether a row of a list is of it, where the controller lists all.
  func holds(_ row: JSONValue, _ kind: ResourceKind) -> Bool {
    kind.naming != .bySubscriber || scope.holds(subscriber: kind.name(of: row))
  }
}

/// Which of several things of one name a verb means, as options.
struct ScopeOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Namespace that is spoken of (default: the token's, then the context's): ID then means NAMESPACE:ID.",
      valueName: "namespace"),
    completion: NameCompletion.names("namespaces"))
  var namespace: String?

  func validate() throws {
    if let namespace, !Namespace.isName(namespace) {
      throw ValidationError("--namespace '\(namespace)': a namespace's name is \(Namespace.nameRule).")
    }
  }

  /// Asked of the controller only where something depends on it.
  ///
  /// - Parameter ids: that stand on the command line; nil where a document may hold any.
  func scope(_ connection: ServerConnection, ids: [String]? = nil) async throws -> ClientScope {
    let given = namespace ?? connection.home
    if given == nil, let ids, !ids.contains(where: Namespace.isQualified) { return .unasked }
    return try await ClientScope.of(given, connection)
  }
}

/// The same for verbs that speak of any kind.
struct ResourceOptions: ParsableArguments {
  @OptionGroup var scope: ScopeOptions

  @Option(
    name: .long, help: "GPU product of a profile; needed where the pools are of several.",
    completion: .list(ProductCatalogue.all.map(\.name)))
  var product: String?

  func check(_ kind: ResourceKind) throws {
    if scope.namespace != nil, kind.naming == .plain {
      throw ValidationError("--namespace is for workloads, profiles and webhooks; \(kind.names[0]) are the fleet's.")
    }
    if product != nil, kind.naming != .byQuery { throw ValidationError("--product is for profiles.") }
  }

  func view(_ kind: ResourceKind, _ names: [String], _ connection: ServerConnection) async throws -> ResourceView {
    guard kind.naming != .plain else { return ResourceView() }
    return ResourceView(
      scope: try await scope.scope(connection, ids: kind.naming == .byQuery ? [] : names), product: product)
  }
}
