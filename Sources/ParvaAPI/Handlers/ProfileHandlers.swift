import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// `/v1/profiles`: what plans take a model to be able to do.
///
/// What clients put is stored and lies over the base, the catalogue or the files that the controller was started with.
/// Deleting it lets the base show through again.
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
    let query = try PageQuery(request, default: Self.defaultLimit, most: Self.maxLimit, beside: "product")
    try request.acceptsJSON()
    let product = try request.queryValue("product").map { name throws(ProblemDetails) in try Self.product(named: name) }
    let (revision, stored) = registry.read { ($0.revision, $0.profiles) }
    let profiles = setup.profiles(with: stored).all
      .map { (profile: $0, cursor: Self.cursor(of: $0)) }.sorted { $0.cursor < $1.cursor }
      .filter { (product == nil || $0.profile.product == product?.name) && $0.cursor > query.cursor ?? "" }
    let page = query.page(profiles) { $0.cursor }
    let resources = page.items.map { row in
      Resource(profile: row.profile, revision: stored[Self.key(of: row.profile)]?.revision)
    }
    // Who is bound to a namespace is told when profiles were put, not that something else has changed since.
    let told = request.space.name == nil ? revision : stored.values.map(\.revision).max() ?? 0
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
    let key = try key(of: request)
    let precondition = try precondition(of: request, key)
    let source = try request.input([.json, .yaml, .csv])
    let profile: ModelProfile
    do {
      profile = try ProfileReader.readOne(source, model: key.model, product: try Self.product(named: key.product))
    } catch let errors as InputErrors {
      throw ProblemDetails(errors)
    }
    let receipt = try await change(DemandChange(.putProfile(profile), if: precondition), key)
    guard let resource = resource(key) else { throw notFound(key) }
    let body = ProfileRepresentation.one(resource, .json)
    var headers: HTTPHeaders = ["ETag": tag(resource, .json, body)]
    if receipt.effect == .created { headers["Location"] = Self.location(key) }
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
    if let resource = resource(key), resource.revision == nil {
      throw ProblemDetails(
        status: 409, code: "base_profile",
        detail: "The profile of \(key.model) on \(key.product) was given at the controller's start and cannot be "
          + "deleted; PUT lays another over it.")
    }
    _ = try await change(DemandChange(.deleteProfile(key), if: precondition), key)
    return HTTPResponse(status: 204)
  }

  // MARK: - Parts

  /// A profile in force, with the demand revision at which a client put it; nil for one of the base.
  struct Resource: Sendable {
    var profile: ModelProfile
    var revision: Int?
  }

  /// In order of product, then model.
  private static func cursor(of profile: ModelProfile) -> String { "\(profile.product)/\(profile.model)" }

  private static func key(of profile: ModelProfile) -> ProfileKey {
    ProfileKey(model: profile.model, product: profile.product)
  }

  private func resource(_ key: ProfileKey) -> Resource? {
    if let stored = registry.read({ $0.profiles[key] }) {
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
    try request.allowQuery("product")
    let model = request.pathParameters["model"] ?? ""
    if let name = request.queryValue("product") {
      return ProfileKey(model: model, product: try Self.product(named: name).name)
    }
    let products = Set(setup.pools.map(\.product.name))
    guard products.count == 1, let only = products.first else {
      throw .parameter(
        "product", "is needed: the pools are of \(products.sorted().joined(separator: ", "))", code: "product_required")
    }
    return ProfileKey(model: model, product: only)
  }

  private static func product(named name: String) throws(ProblemDetails) -> GPUProduct {
    guard let product = ProductCatalogue.product(named: name) else {
      throw .parameter(
        "product", "must be one of \(ProductCatalogue.all.map(\.name).joined(separator: ", "))", code: "unknown_product"
      )
    }
    return product
  }

  /// What the request demands of the stored profile. To a client, one of the base is there too, at revision 0.
  private func precondition(of request: HTTPRequest, _ key: ProfileKey) throws(ProblemDetails) -> Precondition {
    let resource = resource(key)
    let precondition = try rule.precondition(of: request, isThere: resource != nil)
    guard let resource, resource.revision == nil else { return precondition }
    switch precondition {
    case .none, .exists: return .none
    case .revision(let wanted) where wanted.contains(0): return .absent
    case .absent, .revision: throw ProblemDetails(.preconditionFailed(current: 0), resource: Self.name(key))
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

  private static func location(_ key: ProfileKey) -> String {
    let model = key.model.replacing("%", with: "%25").replacing("/", with: "%2F")
    return "/v1/profiles/\(model)?product=\(key.product)"
  }
}
