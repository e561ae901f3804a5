import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// `/v1/profiles`: what plans take a model to be able to do.
///
/// What clients put is stored and lies over the base, the catalogue or the files that the controller was started with; what
/// is a namespace's own lies over both, for its workloads alone. Deleting lets what is below show through again.
struct ProfileHandlers: Sendable {
  /// Largest profile in bytes, about fifty thousand points.
  static let bodyLimit = 8 << 20

  static let defaultLimit = 100
  static let maxLimit = 1000

  let registry: DemandRegistry
  let setup: PlanningSetup
  let rule: PreconditionRule

  // MARK: - Reading

  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit, beside: "product", "namespace")
    let space = try request.askedSpace()
    try request.acceptsJSON()
    let product = try request.queryValue("product").map { name throws(ProblemDetails) in try Self.product(named: name) }
    let (revision, stored) = registry.read { ($0.revision, $0.profiles) }
    let catalogue = setup.profiles(with: stored)
    let profiles = catalogue.all.filter { space.shows($0, of: catalogue) }
      .map { (profile: $0, cursor: Self.cursor(of: $0)) }.sorted { $0.cursor < $1.cursor }
      .filter { (product == nil || $0.profile.product == product?.name) && $0.cursor > query.cursor ?? "" }
    let page = query.page(profiles) { $0.cursor }
    let resources = page.items.map { row in
      Resource(profile: row.profile, revision: stored[ProfileKey(row.profile)]?.revision)
    }
    // Who is bound to a namespace is told when these profiles were put, not that something else has changed since.
    let own = stored.values.lazy.filter { $0.profile.namespace == nil || $0.profile.namespace == space.name }
    let told = request.space.name == nil ? revision : own.map(\.revision).max() ?? 0
    let body = ProfileRepresentation.list(resources, revision: told, cursor: page.next)
    let tag = EntityTag(revision: told, of: body).text
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: "application/json", body: body, headers: ["ETag": tag]))
  }

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    let key = try key(of: request)
    let format = try request.preferred([.json, .yaml, .csv])
    guard let resource = resource(key) else { throw notFound(key) }
    let body = ProfileRepresentation.one(resource, format)
    let headers: HTTPHeaders = ["ETag": tag(resource, format, body), "Vary": "Accept"]
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: format.contentType, body: body, headers: headers))
  }

  // MARK: - Changing

  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    var key = try key(of: request)
    let early = try key.namespace == nil ? nil : precondition(of: request, key)
    let source = try request.input([.json, .yaml, .csv])
    var profile: ModelProfile
    do {
      profile = try ProfileReader.readOne(source, model: key.model, product: try Self.product(named: key.product))
    } catch let errors as InputErrors {
      throw ProblemDetails(errors)
    }
    if let other = profile.namespace, let name = key.namespace, other != name {
      throw ProblemDetails(
        status: 422, code: "namespace_mismatch",
        detail: "The profile is of the namespace \(other), and the request is about that of \(name).")
    }
    key.namespace = key.namespace ?? profile.namespace
    profile.namespace = key.namespace
    let precondition = try early ?? precondition(of: request, key)
    let receipt = try await change(DemandChange(.putProfile(profile), if: precondition), key)
    guard let resource = resource(key) else { throw notFound(key) }
    let body = ProfileRepresentation.one(resource, .json)
    var headers: HTTPHeaders = ["ETag": tag(resource, .json, body)]
    if receipt.effect == .created { headers["Location"] = Self.location(key, for: request.space) }
    let status = receipt.effect == .created ? 201 : 200
    if request.prefersMinimal {
      headers["Preference-Applied"] = "return=minimal"
      return HTTPResponse(status: status, headers: headers)
    }
    return HTTPResponse(status: status, contentType: "application/json", body: body, headers: headers)
  }

  func delete(_ request: HTTPRequest) async throws -> HTTPResponse {
    let key = try key(of: request)
    let precondition = try precondition(of: request, key)
    if let resource = resource(key), !resource.isPut(as: key) {
      throw ProblemDetails(
        status: 409, code: "base_profile",
        detail: "The profile of \(key.model) on \(key.product) "
          + (resource.revision == nil ? "was given at the controller's start" : "is the fleet's")
          + " and cannot be deleted; PUT lays another over it.")
    }
    _ = try await change(DemandChange(.deleteProfile(key), if: precondition), key)
    return HTTPResponse(status: 204)
  }

  // MARK: - Parts

  /// A profile in force, with the demand revision at which a client put it; nil for one of the base.
  struct Resource: Sendable {
    var profile: ModelProfile
    var revision: Int?

    /// Whether it was put under the key, and does not show through from below.
    func isPut(as key: ProfileKey) -> Bool { revision != nil && profile.namespace == key.namespace }
  }

  /// In order of product, then model, then namespace: no model has a space in its name.
  private static func cursor(of profile: ModelProfile) -> String {
    "\(profile.product)/\(profile.model)" + (profile.namespace.map { " \($0)" } ?? "")
  }

  /// What counts under a key.
  private func resource(_ key: ProfileKey) -> Resource? {
    let shared = ProfileKey(model: key.model, product: key.product)
    if let stored = registry.read({ $0.profiles[key] ?? $0.profiles[shared] }) {
      return Resource(profile: stored.profile, revision: stored.revision)
    }
    return setup.catalogue.profile(model: key.model, product: key.product).map { Resource(profile: $0) }
  }

  /// Begins with the revision, which `If-Match` compares, 0 for the base.
  private func tag(_ resource: Resource, _ format: DocumentFormat, _ body: Data) -> String {
    EntityTag(revision: resource.revision ?? 0, of: body, as: format).text
  }

  /// The model of the path on the product of the query; without one, that of the pools where they have but one.
  private func key(of request: HTTPRequest) throws(ProblemDetails) -> ProfileKey {
    try request.allowQuery("product", "namespace")
    let model = request.pathParameters["model"] ?? ""
    let space = try request.askedSpace()
    if let name = request.queryValue("product") {
      return ProfileKey(model: model, product: try Self.product(named: name).name, namespace: space.name)
    }
    let products = Set(setup.pools.map(\.product.name))
    guard products.count == 1, let only = products.first else {
      throw .parameter(
        "product", "is needed: the pools are of \(products.sorted().joined(separator: ", "))", code: "product_required")
    }
    return ProfileKey(model: model, product: only, namespace: space.name)
  }

  private static func product(named name: String) throws(ProblemDetails) -> GPUProduct {
    guard let product = ProductCatalogue.product(named: name) else {
      throw .parameter(
        "product", "must be one of \(ProductCatalogue.all.map(\.name).joined(separator: ", "))", code: "unknown_product"
      )
    }
    return product
  }

  /// What the request demands of the stored profile. To a client, one that shows through from below is there too: that of the
  /// base at revision 0, the fleet's in a namespace at its own.
  private func precondition(of request: HTTPRequest, _ key: ProfileKey) throws(ProblemDetails) -> Precondition {
    let resource = resource(key)
    let precondition = try rule.precondition(of: request, isThere: resource != nil)
    guard let resource, !resource.isPut(as: key) else { return precondition }
    let revision = resource.revision ?? 0
    switch precondition {
    case .none, .exists: return .none
    case .revision(let wanted) where wanted.contains(revision): return .absent
    case .absent, .revision: throw ProblemDetails(.preconditionFailed(current: revision), resource: Self.name(key))
    }
  }

  private func change(_ change: DemandChange, _ key: ProfileKey) async throws(ProblemDetails) -> ChangeReceipt {
    do {
      return try await registry.change(change)
    } catch {
      throw ProblemDetails(error, resource: Self.name(key))
    }
  }

  private static func name(_ key: ProfileKey) -> String { "profile of \(key.model) on \(key.product)" }

  private func notFound(_ key: ProfileKey) -> ProblemDetails { ProblemDetails(.notFound, resource: Self.name(key)) }

  private static func location(_ key: ProfileKey, for space: Space) -> String {
    let model = key.model.replacing("%", with: "%25").replacing("/", with: "%2F")
    let narrowed = space.name == nil ? key.namespace.map { "&namespace=\($0)" } : nil
    return "/v1/profiles/\(model)?product=\(key.product)" + (narrowed ?? "")
  }
}

extension Space {
  /// Whether it has a profile in its list: one's own, and the fleet's where there is none.
  fileprivate func shows(_ profile: ModelProfile, of catalogue: ProfileCatalogue) -> Bool {
    guard let name else { return true }
    return catalogue.profile(model: profile.model, product: profile.product, in: name)?.namespace == profile.namespace
  }
}
