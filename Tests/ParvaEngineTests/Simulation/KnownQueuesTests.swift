import Foundation
import ParvaEngine
import Testing

/// Queues whose behaviour is known in closed form, or from a small Markov chain that is worked out here.
@Suite("Simulated queues against theory") struct KnownQueuesTests {
  /// About a million requests; the seeds are fixed, so that a comparison within a few standard errors holds for ever.
  private static func options(rate: Double, requests: Double = 1e6, seeds: [UInt64] = [11]) -> SimulationOptions {
    SimulationOptions(duration: requests / rate, warmup: 0.02 * requests / rate, seeds: seeds, buckets: 10)
  }

  @Test("M/D/1: mean wait and utilisation", arguments: [0.3, 0.6, 0.8, 0.9])
  func meanOfMD1(_ utilisation: Double) throws {
    let rate = 100 * utilisation
    let found = try SimulatedQueue.run(
      SimulatedQueue.input(latenciesMs: [1: 10], batch: 1, rate: rate, options: Self.options(rate: rate)))
    let wait = 0.01 * utilisation / (2 * (1 - utilisation))
    #expect(abs(found.latencies.mean - 0.01 - wait) < 0.02 * wait)
    #expect(abs(found.meanQueue - rate * wait) < 0.03 * rate * wait)
    #expect(abs(found.utilisation - utilisation) < 0.005)
    #expect(found.meanBatch == 1)
  }

  @Test("a queue for each process: each is M/D/1 with its share", arguments: [2, 3, 5])
  func queueForEachProcess(_ processes: Int) throws {
    let utilisation = 0.8
    let rate = 100 * utilisation * Double(processes)
    let found = try SimulatedQueue.run(
      SimulatedQueue.input(
        latenciesMs: [1: 10], batch: 1, processes: processes, rate: rate, sloMs: 35, queue: .perProcess,
        options: Self.options(rate: rate)))
    let wait = 0.01 * utilisation / (2 * (1 - utilisation))
    #expect(abs(found.latencies.mean - 0.01 - wait) < 0.03 * wait)
    #expect(abs(found.meanQueue - rate * wait) < 0.04 * rate * wait)
    #expect(abs(found.utilisation - utilisation) < 0.005)
    #expect(abs(found.attainment - Self.waitOfMD1(0.025, rate: rate / Double(processes), service: 0.01)) < 0.006)
  }

  /// Erlang (1909): P(wait <= t) = (1 - rho) sum over k <= t/D of e^(lambda (t - kD)) (-lambda (t - kD))^k / k!
  private static func waitOfMD1(_ t: Double, rate: Double, service: Double) -> Double {
    var sum = 0.0
    for k in 0...Int(t / service) {
      let x = rate * (t - Double(k) * service)
      sum += exp(x) * pow(-x, Double(k)) / (1...max(1, k)).reduce(1.0) { $0 * Double($1) }
    }
    return (1 - rate * service) * sum
  }

  @Test("M/D/1: the tail of the wait", arguments: [0.5, 0.8])
  func tailOfMD1(_ utilisation: Double) throws {
    let rate = 100 * utilisation
    for t in [0.004, 0.012, 0.025, 0.041] {
      let found = try SimulatedQueue.run(
        SimulatedQueue.input(
          latenciesMs: [1: 10], batch: 1, rate: rate, sloMs: (t + 0.01) * 1000,
          options: Self.options(rate: rate, seeds: [1, 2, 3, 4])))
      let expected = Self.waitOfMD1(t, rate: rate, service: 0.01)
      #expect(abs(found.attainment - expected) < 0.004, "wait of at most \(t) s")
    }
  }

  /// Crommelin (1932): looked at every D seconds, the number in the system moves n -> max(n - c, 0) + Poisson(lambda D).
  private static func meanQueueOfMDc(rate: Double, service: Double, servers: Int) -> Double {
    let size = 400
    let arrivals = poisson(rate * service, size)
    var state = [Double](repeating: 0, count: size)
    state[0] = 1
    for _ in 0..<4000 {
      var next = [Double](repeating: 0, count: size)
      for (n, share) in state.enumerated() where share > 1e-18 {
        let left = max(0, n - servers)
        for k in 0..<(size - left) { next[left + k] += share * arrivals[k] }
      }
      state = next
    }
    return state.enumerated().reduce(0) { $0 + Double(max(0, $1.offset - servers)) * $1.element }
  }

  private static func poisson(_ mean: Double, _ size: Int) -> [Double] {
    var shares = [exp(-mean)]
    for k in 1..<size { shares.append(shares[k - 1] * mean / Double(k)) }
    return shares
  }

  @Test("M/D/c: mean queue", arguments: [2, 3, 5])
  func meanOfMDc(_ servers: Int) throws {
    let rate = 85 * Double(servers)
    let found = try SimulatedQueue.run(
      SimulatedQueue.input(
        latenciesMs: [1: 10], batch: 1, processes: servers, rate: rate, options: Self.options(rate: rate)))
    let expected = Self.meanQueueOfMDc(rate: rate, service: 0.01, servers: servers)
    #expect(abs(found.meanQueue - expected) < 0.03 * expected)
    #expect(abs(found.utilisation - 0.85) < 0.005)
  }

  struct BatchCase: Sendable, CustomTestStringConvertible {
    var latenciesMs: [Int: Double]
    var batch: Int
    var rate: Double
    var testDescription: String { "batch \(batch) at \(rate)/s" }
  }

  /// Bailey (1954), with a time of service that depends on the batch: looked at when the process becomes free, the number
  /// that waits is a Markov chain; the mean queue is what gathers in a cycle over the length of the cycle.
  private static func theory(_ item: BatchCase) -> (queue: Double, batch: Double, busy: Double) {
    let size = 600
    let times = (0...item.batch).map { n in interpolated(item.latenciesMs, max(1, n)) / 1000 }
    let arrivals = times.map { poisson(item.rate * $0, size) }
    var state = [Double](repeating: 0, count: size)
    state[0] = 1
    for _ in 0..<3000 {
      var next = [Double](repeating: 0, count: size)
      for (q, share) in state.enumerated() where share > 1e-18 {
        let taken = min(max(q, 1), item.batch)
        let left = max(0, q - item.batch)
        for k in 0..<(size - left) { next[left + k] += share * arrivals[taken][k] }
      }
      state = next
    }
    var (area, cycle, busy, taken) = (0.0, 0.0, 0.0, 0.0)
    for (q, share) in state.enumerated() {
      let number = min(max(q, 1), item.batch)
      let time = times[number]
      area += share * (Double(max(0, q - item.batch)) * time + item.rate * time * time / 2)
      cycle += share * (time + (q == 0 ? 1 / item.rate : 0))
      busy += share * time
      taken += share * Double(number)
    }
    return (area / cycle, taken, busy / cycle)
  }

  private static func interpolated(_ points: [Int: Double], _ size: Int) -> Double {
    if let exact = points[size] { return exact }
    let sizes = points.keys.sorted()
    guard let below = sizes.last(where: { $0 < size }) else { return points[sizes[0]]! }
    let above = sizes.first { $0 > size }!
    return points[below]! + Double(size - below) / Double(above - below) * (points[above]! - points[below]!)
  }

  @Test(
    "batch service with times that grow with the batch: queue, batch and utilisation",
    arguments: [
      BatchCase(latenciesMs: [1: 10, 2: 12, 4: 16, 8: 24], batch: 8, rate: 280),
      BatchCase(latenciesMs: [1: 10, 8: 24], batch: 8, rate: 100),
      BatchCase(latenciesMs: [1: 10, 2: 12, 4: 16, 8: 24], batch: 3, rate: 180),
      BatchCase(latenciesMs: [4: 10, 16: 30], batch: 16, rate: 450),
    ])
  func batchService(_ item: BatchCase) throws {
    let found = try SimulatedQueue.run(
      SimulatedQueue.input(
        latenciesMs: item.latenciesMs, batch: item.batch, rate: item.rate, options: Self.options(rate: item.rate)))
    let expected = Self.theory(item)
    #expect(abs(found.meanQueue - expected.queue) < 0.03 * expected.queue)
    #expect(abs(found.meanBatch - expected.batch) < 0.01 * expected.batch)
    #expect(abs(found.utilisation - expected.busy) < 0.005)
    // Little's law ties the two ways in which waiting is counted.
    let wait = found.latencies.mean - (found.utilisation / item.rate * found.meanBatch / expected.batch)
    #expect(wait > 0)
  }

  @Test("equal gaps longer than the service never wait")
  func deterministic() throws {
    let found = try SimulatedQueue.run(
      SimulatedQueue.input(
        latenciesMs: [1: 10, 4: 10], batch: 4, rate: 90, arrivals: .deterministic,
        options: Self.options(rate: 90, requests: 1e4)))
    #expect(abs(found.latencies.maximum - 0.01) < 1e-9)
    #expect(found.longestQueue == 0)
  }

  @Test("a process that waits for its batch fills it", arguments: [(5.0, 4.0), (2.5, 3.0), (0.5, 1.0)])
  func longestWait(_ gaps: Double, _ batch: Double) throws {
    var options = Self.options(rate: 100, requests: 1e4)
    options.longestWaitMs = gaps * 10
    let found = try SimulatedQueue.run(
      SimulatedQueue.input(
        latenciesMs: [1: 1, 4: 1], batch: 4, rate: 100, arrivals: .deterministic, options: options))
    #expect(abs(found.meanBatch - batch) < 0.01)
    let longest = batch == 4 ? 0.03 : gaps * 0.01
    #expect(abs(found.latencies.maximum - 0.001 - longest) < 1e-6)
  }

  @Test("gamma arrivals of cv2 1 are Poisson, and bursts wait longer", arguments: [0.25, 1, 4])
  func gamma(_ cv2: Double) throws {
    let rate = 70.0
    let found = try SimulatedQueue.run(
      SimulatedQueue.input(
        latenciesMs: [1: 10], batch: 1, rate: rate, arrivals: .gamma(cv2: cv2), options: Self.options(rate: rate)))
    let poisson = 0.01 * 0.7 / (2 * 0.3)
    let wait = found.latencies.mean - 0.01
    if cv2 == 1 { #expect(abs(wait - poisson) < 0.03 * poisson) }
    if cv2 < 1 { #expect(wait < 0.6 * poisson) }
    if cv2 > 1 { #expect(wait > 2 * poisson) }
    #expect(abs(Double(found.requests) - 1e6) < 4 * 1000 * max(1, cv2.squareRoot()))
  }
}
