import Foundation
import ParvaAPI
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import Testing

/// openapi.yaml and the route table tell the same.
@Suite struct RouteTableTests {
  @Test func everyRouteIsDescribedAndNothingElse() async throws {
    let api = try await Harness(starts: false)
    let routes = RouteTable(api.controller).routes.map { "\($0.method) \($0.pattern)" }
    #expect(Set(try APIDescription.own.get().operations.keys) == Set(routes))
  }

  @Test func plansAreGivenInEveryExportThatThereIs() throws {
    let plan = try APIDescription.own.get().operations["GET /v1/plan"] ?? .null
    let described = plan["responses"]["200"]["content"].members.keys
    #expect(described.sorted() == PlanExports.all.map { $0.format.mediaTypes[0] }.sorted())
    #expect(Set(PlanExports.all.map(\.format.name)).count == PlanExports.all.count)
  }

  @Test func theBinaryServesTheFileItself() async throws {
    let api = try await Harness(starts: false)
    let response = await api.send("GET", "/openapi.yaml")
    #expect(response.status == 200)
    #expect(response.headers["Content-Type"] == "application/yaml")
    #expect(response.body == (try Data(contentsOf: APIDescription.file)))
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
