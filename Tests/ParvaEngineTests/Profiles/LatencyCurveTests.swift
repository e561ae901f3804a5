import ParvaEngine
import Testing

@Suite struct LatencyCurveTests {
  private static func profile(_ points: [(batch: Int, processes: Int, throughput: Double, latency: Double)])
    -> ModelProfile
  {
    ModelProfile(
      model: "m", product: "A100-80GB", source: .measured,
      points: points.map {
        ProfilePoint(
          profile: 0, batch: $0.batch, processes: $0.processes, throughput: $0.throughput, latencyMs: $0.latency)
      })
  }

  @Test("is linear between measured sizes and flat below the smallest")
  func linear() throws {
    let profile = Self.profile([(2, 1, 1e6, 10), (4, 1, 1e6, 14), (16, 1, 1e6, 26), (4, 2, 1e6, 99)])
    let curve = try #require(LatencyCurve(profile, instance: 0, processes: 1))
    #expect([1, 2, 3, 4, 5, 10, 16, 32].map(curve.milliseconds(batch:)) == [10, 10, 12, 14, 15, 20, 26, 52])
    #expect(curve.table(limit: 4) == [10, 10, 12, 14])
  }

  @Test("takes the longer of latency and what the throughput of all processes says")
  func period() throws {
    let profile = Self.profile([(1, 2, 100, 19), (8, 2, 1000, 17)])
    let curve = try #require(LatencyCurve(profile, instance: 0, processes: 2))
    #expect(curve.milliseconds == [20, 17])
  }

  @Test("there is none without a point")
  func absent() {
    let profile = Self.profile([(1, 1, 1, 1)])
    #expect(LatencyCurve(profile, instance: 0, processes: 2) == nil)
    #expect(LatencyCurve(profile, instance: 1, processes: 1) == nil)
  }
}
