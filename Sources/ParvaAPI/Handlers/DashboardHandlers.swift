import Foundation
import ParvaControl
import ParvaHTTP

/// The page for people: `/` for browsers, and the files that it is made of, carried inside the binary.
struct DashboardHandlers: Sendable {
  /// What anybody else gets at `/`.
  let index: @Sendable (HTTPRequest) -> HTTPResponse

  /// Only what comes from here runs, is drawn or is asked, no script is made of text, and nobody frames the page.
  static let policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    + "trusted-types 'none'"

  /// One file of the page.
  struct File: Sendable {
    let contentType: String
    let body: CachedBody
    let tag: String

    init(_ bytes: [UInt8], _ contentType: String) { self.init(Data(bytes), contentType) }

    init(_ data: Data, _ contentType: String) {
      self.contentType = contentType
      body = CachedBody(data)
      tag = EntityTag(of: data).text
    }
  }

  private static let script = "text/javascript; charset=utf-8"
  private static let style = "text/css; charset=utf-8"

  /// Every file of the folder but the page itself, by name.
  static let files: [String: File] = [
    "activity.js": File(PackageResources.activity_js, script),
    "api.js": File(PackageResources.api_js, script),
    "app.js": File(PackageResources.app_js, script),
    "base.css": File(PackageResources.base_css, style),
    "chart.js": File(PackageResources.chart_js, script),
    "colours.js": File(PackageResources.colours_js, script),
    "dialogs.js": File(PackageResources.dialogs_js, script),
    "diff.js": File(PackageResources.diff_js, script),
    "dom.js": File(PackageResources.dom_js, script),
    "fleet.js": File(PackageResources.fleet_js, script),
    "health.js": File(PackageResources.health_js, script),
    "history.js": File(PackageResources.history_js, script),
    "inspector.js": File(PackageResources.inspector_js, script),
    "live.js": File(PackageResources.live_js, script),
    "mark.svg": File(PackageResources.mark_svg, "image/svg+xml"),
    "model.js": File(PackageResources.model_js, script),
    "plan.js": File(PackageResources.plan_js, script),
    "reference.css": File(PackageResources.reference_css, style),
    "reference.js": File(PackageResources.reference_js, script),
    "rollout.js": File(PackageResources.rollout_js, script),
    "route.js": File(PackageResources.route_js, script),
    "stream.js": File(PackageResources.stream_js, script),
    "strip.js": File(PackageResources.strip_js, script),
    "text.js": File(PackageResources.text_js, script),
    "try.js": File(PackageResources.try_js, script),
    "units.js": File(PackageResources.units_js, script),
    "views.css": File(PackageResources.views_css, style),
    "virtual.js": File(PackageResources.virtual_js, script),
    "workload.js": File(PackageResources.workload_js, script),
    "workloads.js": File(PackageResources.workloads_js, script),
  ]

  /// Of all files together. It stands in their addresses, so that a cache may keep them for good.
  static let version = EntityTag(
    of: files.sorted { $0.key < $1.key }.reduce(into: Data()) { $0.append($1.value.body.plain) }
  ).detail

  private static let page = page(PackageResources.index_html)
  private static let reference = page(PackageResources.reference_html)

  private static func page(_ bytes: [UInt8]) -> File {
    let text = String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "VERSION", with: version)
    return File(Data(text.utf8), "text/html; charset=utf-8")
  }

  /// The page for who likes HTML better than JSON, and the index for everybody else.
  func root(_ request: HTTPRequest) -> HTTPResponse {
    let likesPage = try? request.preferred([(false, ["application/json"]), (true, ["text/html"])])
    guard likesPage == true else {
      var response = index(request)
      response.headers["ETag"] = EntityTag(of: response.body).text
      response.headers["Vary"] = "Accept"
      return request.unlessFresh(response)
    }
    return Self.answer(Self.page, request)
  }

  /// `/docs`: the interface for people, drawn from `/openapi.json`.
  func docs(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    return Self.answer(Self.reference, request)
  }

  private static func answer(_ page: File, _ request: HTTPRequest) -> HTTPResponse {
    let headers: HTTPHeaders = [
      "ETag": page.tag, "Cache-Control": "no-cache", "Vary": "Accept", "Content-Security-Policy": policy,
      "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    ]
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: page.contentType, cached: page.body, headers: headers))
  }

  /// A file of the page. One that is asked for by the version of another binary is given too, and not kept.
  func file(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    guard let name = request.pathParameters["file"], let file = Self.files[name] else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "The page has no such file.")
    }
    let isCurrent = request.pathParameters["version"] == Self.version
    let headers: HTTPHeaders = [
      "ETag": file.tag, "Cache-Control": isCurrent ? "public, max-age=31536000, immutable" : "no-cache",
      "X-Content-Type-Options": "nosniff",
    ]
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: file.contentType, cached: file.body, headers: headers))
  }
}
