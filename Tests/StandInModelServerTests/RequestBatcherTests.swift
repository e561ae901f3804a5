import ParvaTestSupport
import Testing

@testable import ParvaEngine
@testable import StandInModelServer

@Suite("The batcher of the stand-in model server")
struct RequestBatcherTests {
  @Test("free instances take at most the limit, oldest first, and wait for nothing")
  func rule() throws {
    var queue = RequestBatcher<Int>(limit: 2, instances: 1)
    let begun = queue.arrive(0)
    let first = try #require(begun)
    #expect(first.requests == [0])
    for request in 1...3 {
      let other = queue.arrive(request)
      #expect(other?.requests == nil)
    }
    #expect(queue.inFlight == 4)
    let next = queue.end(first)
    let second = try #require(next)
    #expect(second.requests == [1, 2])
    let last = queue.end(second)
    let third = try #require(last)
    #expect(third.requests == [3])
    let none = queue.end(third)
    #expect(none?.requests == nil)
    #expect(queue.inFlight == 0)
  }

  @Test("it is the queue that capacities are certified for: every request is done at the same time", arguments: 0..<40)
  func matchesCertifiedQueue(_ number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var random = SeededGenerator(seed: seed)
    let limit = Int.random(in: 1...9, using: &random)
    let instances = Int.random(in: 1...4, using: &random)
    var execution: [Double] = []
    for _ in 0..<limit { execution.append((execution.last ?? 0.1) + Double.random(in: 0...1, using: &random)) }
    var arrivals: [Double] = []
    let gap = Double.random(in: 0.2...2, using: &random) * (execution.last ?? 1) / Double(limit * instances)
    for _ in 0..<500 { arrivals.append((arrivals.last ?? 0) + Double.random(in: 0...2 * gap, using: &random)) }

    var expected = [Double](repeating: 0, count: arrivals.count)
    var reference = ReferenceQueue(execution: execution, processes: instances)
    reference.serve(arrivals.span) { batch, done in
      for index in batch { expected[index] = done }
      return true
    }

    var queue = RequestBatcher<Int>(limit: limit, instances: instances)
    var ends: [(time: Double, batch: RequestBatcher<Int>.Batch)] = []
    var done = [Double](repeating: 0, count: arrivals.count)
    func begin(_ batch: RequestBatcher<Int>.Batch?, at time: Double) {
      guard let batch else { return }
      ends.append((time + execution[batch.requests.count - 1], batch))
      ends.sort { $0.time < $1.time }
    }
    var next = 0
    while next < arrivals.count || !ends.isEmpty {
      if let end = ends.first, next == arrivals.count || end.time < arrivals[next] {
        ends.removeFirst()
        for request in end.batch.requests { done[request] = end.time }
        begin(queue.end(end.batch), at: end.time)
      } else {
        begin(queue.arrive(next), at: arrivals[next])
        next += 1
      }
    }
    #expect(done == expected, "seed \(seed)")
    #expect(queue.inFlight == 0)
  }
}
