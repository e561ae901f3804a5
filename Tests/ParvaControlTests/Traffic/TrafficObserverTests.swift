import Foundation
import Logging
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// What is seen of requests, from the statistics of Envoys.
@Suite struct TrafficObserverTests {
  private static let workload = Workload(id: "a.b", model: "m", rate: 100, sloLatencyMs: 50)

  private static func statistics(requests: Int, failed: Int = 0, within: [(String, Int)], servers: [(String, Int)] = [])
    -> Data
  {
    var text = """
      # TYPE envoy_cluster_upstream_rq_completed counter
      envoy_cluster_upstream_rq_completed{envoy_cluster_name="workload/a~b"} \(requests)
      envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="workload/a~b"} \(failed)
      envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="workload/a~b"} \(requests - failed)
      envoy_cluster_upstream_rq_completed{envoy_cluster_name="parva"} 7

      """
    for (bound, count) in within {
      text += "envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=\"workload/a~b\",le=\"\(bound)\"} \(count)\n"
    }
    for (server, count) in servers {
      text +=
        "envoy_cluster_endpoint_rq_total{envoy_cluster_name=\"workload/a.b\",envoy_endpoint_address=\"\(server)\"} \(count)\n"
    }
    return Data(text.utf8)
  }

  @Test func statisticsOfAnEnvoyAreReadByWorkload() throws {
    let read = try EnvoyStatistics.read(
      Self.statistics(
        requests: 10, failed: 2, within: [("1.1999999999999999555910790149937", 4), ("50", 9), ("+Inf", 10)],
        servers: [("10.0.0.1:80", 6)]))
    #expect(read.keys.sorted() == ["a.b"])
    let counts = try #require(read["a.b"])
    #expect(counts.requests == 10 && counts.failed == 2 && counts.within == [1.2: 4, 50: 9])
    #expect(counts.servers == ["10.0.0.1:80": 6])
  }

  @Test("a stretch is what all Envoys counted in the last readings, also when one begins anew", arguments: 0..<8)
  func stretchesAreSums(number: Int) {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    var settings = TrafficObserver.Settings()
    (settings.envoys, settings.readings) = (["e", "f"], 3)
    let observer = TrafficObserver(settings, logger: Logger(label: "test"))
    let start = ContinuousClock.now
    var totals: [String: TrafficCounts] = [:]
    var seen: [String: [Double]] = [:]
    for reading in 0..<20 {
      for envoy in settings.envoys {
        let isNew = (totals[envoy]?.requests ?? 0) > 1 && Int.random(in: 0..<6, using: &dice) == 0
        var counts = isNew ? TrafficCounts() : totals[envoy] ?? TrafficCounts()
        // One that begins anew has fewer than before: there were many.
        let more = isNew ? 1 : Double(Int.random(in: 2...9, using: &dice))
        counts.requests += more
        counts.within[10, default: 0] += more
        totals[envoy] = counts
        observer.take(["a.b": counts], of: envoy, at: start + .seconds(reading * 2))
        if reading > 0 { seen[envoy, default: []].append(more) }
      }
      guard reading > 0 else { continue }
      let observation = observer.observation("a.b", .empty)
      let expected = seen.values.reduce(0) { $0 + $1.suffix(3).reduce(0, +) }
      #expect(observation?.counts.requests == expected, "seed \(seed)")
      #expect(observation?.counts.within[10] == expected, "seed \(seed)")
      #expect(observation?.seconds == Double(min(3, reading) * 2), "seed \(seed)")
    }
    #expect(observer.observation("none", .empty) == nil && observer.readings == 38)
  }

  private static func observation(requests: Double, seconds: Double, within: Double, failed: Double = 0)
    -> TrafficObservation
  {
    var counts = TrafficCounts()
    (counts.requests, counts.failed) = (requests, failed)
    counts.within = [40: within, 60: within, 1000: requests]
    return TrafficObservation(counts, seconds: seconds, segment: [:])
  }

  @Test func onlyWhatChanceDoesNotExplainIsADeviation() {
    func reason(_ observation: TrafficObservation) -> String { observation.condition(Self.workload, band: 0.2).reason }
    #expect(reason(Self.observation(requests: 6_000, seconds: 60, within: 5_990)) == "as_planned")
    #expect(reason(Self.observation(requests: 7_200, seconds: 60, within: 7_190)) == "as_planned")
    // A fifth more is the band, and 3 standard deviations of a count of 7,500 are 260.
    #expect(reason(Self.observation(requests: 7_440, seconds: 60, within: 7_400)) == "as_planned")
    #expect(reason(Self.observation(requests: 7_500, seconds: 60, within: 7_500)) == "rate_above_planned")
    #expect(reason(Self.observation(requests: 50, seconds: 60, within: 10)) == "too_few_requests")
    // 99 % are promised; of 1,000 it may be 9 fewer by chance.
    #expect(reason(Self.observation(requests: 1_000, seconds: 60, within: 985)) == "as_planned")
    #expect(reason(Self.observation(requests: 1_000, seconds: 60, within: 975)) == "slo_missed")
    #expect(reason(Self.observation(requests: 1_000, seconds: 60, within: 1_000, failed: 40)) == "slo_missed")
    #expect(TrafficObservation.unseen.status == .unknown)
  }

  @Test("a share lies between its bounds whatever the buckets are, and the true one with it", arguments: 0..<8)
  func sharesLieBetweenTheirBounds(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      let times = (0..<Int.random(in: 1...200, using: &dice)).map { _ in Double.random(in: 0...100, using: &dice) }
      var counts = TrafficCounts()
      counts.requests = Double(times.count)
      for bound in (0..<6).map({ _ in Double.random(in: 1...100, using: &dice) }) + [100] {
        counts.within[bound] = Double(times.count { $0 <= bound })
      }
      let observation = TrafficObservation(counts, seconds: 1, segment: [:])
      let objective = Double.random(in: 1...120, using: &dice)
      let share = try #require(observation.share(within: objective))
      #expect(share.contains(Double(times.count { $0 <= objective }) / Double(times.count)), "seed \(seed)")
      let half = try #require(observation.latency(of: 0.5))
      #expect(times.count { $0 <= half } * 2 >= times.count, "seed \(seed)")
    }
  }
}
