import Foundation
import ParvaAPI
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import Testing
import Yams

/// openapi.yaml and the route table tell the same.
@Suite struct RouteTableTests {
  private static var file: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "openapi.yaml")
  }

  @Test func everyRouteIsDescribedAndNothingElse() async throws {
    let api = try await Harness(starts: false)
    let document = try #require(try Yams.load(yaml: String(contentsOf: Self.file, encoding: .utf8)) as? [String: Any])
    let paths = try #require(document["paths"] as? [String: [String: Any]])
    let methods: Set<String> = ["get", "put", "post", "patch", "delete"]
    let described = paths.flatMap { path, item in
      item.keys.filter(methods.contains).map { "\($0.uppercased()) \(path)" }
    }
    #expect(Set(described) == Set(RouteTable(api.controller).routes.map { "\($0.method) \($0.pattern)" }))
  }

  @Test func theBinaryServesTheFileItself() async throws {
    let api = try await Harness(starts: false)
    let response = await api.send("GET", "/openapi.yaml")
    #expect(response.status == 200)
    #expect(response.headers["Content-Type"] == "application/yaml")
    #expect(response.body == (try Data(contentsOf: Self.file)))
    let tag = try #require(response.headers["ETag"])
    #expect(await api.send("GET", "/openapi.yaml", ["If-None-Match": tag]).status == 304)
  }

  @Test("S8: the index leads to all that is there, and to nothing else")
  func theIndexLeadsToAllThatIsThere() async throws {
    let api = try await Harness()
    _ = await api.send("GET", "/v1/plan")
    let index = await api.send("GET", "/")
    let links = try #require(
      (try JSONSerialization.jsonObject(with: index.body) as? [String: Any])?["links"] as? [String: String])
    let paths = Set(RouteTable(api.controller).routes.map(\.pattern)).filter { !$0.contains("{") && $0 != "/" }
    #expect(Set(links.values) == paths)
    for route in RouteTable(api.controller).routes where route.method == "GET" && paths.contains(route.pattern) {
      #expect(await api.send("GET", route.pattern).status == 200, "\(route.pattern)")
    }
  }
}
