import Foundation
import ParvaAPI
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import Synchronization
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

  @Test("of what is open for long, or takes every core, no caller gets all, and limits are those of the moment")
  func sharedPlaces() async throws {
    let api = try await Harness(starts: false)
    var table = RouteTable(api.controller)
    let limits = Limits()
    table.streams = { limits.value.withLock { $0 } }
    var shared: [String: @Sendable () -> Route.Concurrency] = [:]
    for route in table.routes { shared[route.pattern] = route.concurrency ?? shared[route.pattern] }
    for pattern in ["/v1/plan/events", "/v1/events", "/v1/endpoints/events", "/v1/plan/preview"] {
      let bounds = try #require(shared[pattern])
      let now = bounds()
      #expect(now.share ?? .max < now.most, "\(pattern)")
    }
    limits.value.withLock { $0 = StreamLimits(most: 9, share: 4) }
    #expect(shared["/v1/events"]?() == Route.Concurrency(most: 9, share: 4))
  }

  private final class Limits: Sendable { let value = Mutex(StreamLimits()) }
}
