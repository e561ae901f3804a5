import Foundation
import ParvaAPI
import ParvaControlTestSupport
import ParvaHTTP
import Testing

@Suite struct DashboardHandlersTests {
  private static let browser =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

  private struct Case: Sendable {
    var accept: String?
    var type: String
  }

  private static let cases = [
    Case(accept: browser, type: "text/html; charset=utf-8"),
    Case(accept: "text/html", type: "text/html; charset=utf-8"),
    Case(accept: nil, type: "application/json"), Case(accept: "*/*", type: "application/json"),
    Case(accept: "application/json", type: "application/json"),
    Case(accept: "application/json, text/html;q=0.9", type: "application/json"),
    Case(accept: "text/html;q=0", type: "application/json"), Case(accept: "image/png", type: "application/json"),
  ]

  @Test func aBrowserGetsThePageAndOthersTheIndex() async throws {
    let api = try await Harness(starts: false)
    for one in Self.cases {
      let response = await api.send("GET", "/", one.accept.map { ["Accept": $0] } ?? [:])
      #expect(response.status == 200)
      #expect(response.headers["Content-Type"] == one.type, "Accept: \(one.accept ?? "none")")
      #expect(response.headers["Vary"]?.contains("Accept") == true)
    }
    let index = await api.send("GET", "/")
    #expect(await api.send("GET", "/v1").body == index.body)
  }

  @Test func thePageLetsNothingInFromElsewhere() async throws {
    let api = try await Harness(starts: false)
    let page = await api.send("GET", "/", ["Accept": Self.browser])
    let policy = try #require(page.headers["Content-Security-Policy"])
    for rule in [
      "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'",
    ] {
      #expect(policy.components(separatedBy: "; ").contains(rule))
    }
    #expect(!policy.contains("unsafe"))
    #expect(page.headers["X-Content-Type-Options"] == "nosniff")
    let text = String(decoding: page.body, as: UTF8.self)
    for script in text.matches(of: /<script[^>]*>/) { #expect(script.output.contains("src=\"/dashboard/")) }
    #expect(!text.contains("<style") && !text.contains(" style=") && !text.contains("http"))
    let tag = try #require(page.headers["ETag"])
    #expect(await api.send("GET", "/", ["Accept": Self.browser, "If-None-Match": tag]).status == 304)
  }

  @Test func itsFilesAreKeptForGoodUnderTheirVersion() async throws {
    let api = try await Harness(starts: false)
    let page = String(decoding: await api.send("GET", "/", ["Accept": "text/html"]).body, as: UTF8.self)
    let paths = page.matches(of: /\/dashboard\/[^"]+/).map { String($0.output) }
    #expect(Set(paths).count == paths.count && paths.count > 20)
    for path in paths {
      let file = await api.send("GET", path)
      #expect(file.status == 200)
      #expect(file.headers["Cache-Control"] == "public, max-age=31536000, immutable")
      let tag = try #require(file.headers["ETag"])
      #expect(await api.send("GET", path, ["If-None-Match": tag]).status == 304)
    }
    let old = await api.send("GET", "/dashboard/other/app.js")
    #expect(old.headers["Cache-Control"] == "no-cache")
    #expect(await api.send("GET", "/dashboard/other/nothing.js").status == 404)
  }

  /// Every file of the folder is in the binary, and every import of a module leads to one.
  @Test func allFilesOfTheFolderAreServed() async throws {
    let api = try await Harness(starts: false)
    let folder = APIDescription.file.deletingLastPathComponent().appending(path: "Sources/ParvaAPI/Dashboard")
    let page = String(decoding: await api.send("GET", "/", ["Accept": "text/html"]).body, as: UTF8.self)
    let docs = String(decoding: await api.send("GET", "/docs").body, as: UTF8.self)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path(percentEncoded: false))
    #expect(names.count > 20)
    for name in names where !name.hasSuffix(".html") {
      let file = await api.send("GET", "/dashboard/any/\(name)")
      #expect(file.status == 200 && (page + docs).contains("/\(name)\""), "\(name)")
      let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
      #expect(String(decoding: file.body, as: UTF8.self) == text)
      for imported in text.matches(of: /from "\.\/([^"]+)"/) { #expect(names.contains(String(imported.output.1))) }
      #expect(!text.contains("innerHTML") && !text.contains("insertAdjacentHTML") && !text.contains("eval("))
    }
  }
}
