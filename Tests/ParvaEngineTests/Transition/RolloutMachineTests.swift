import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// Transitions carried out node by node, in every pace that nodes may have.
@Suite struct RolloutMachineTests {
  /// A fleet that carries parts out: what stands, and what each workload has at every moment.
  private struct World {
    let input: TransitionInput
    let transition: Transition
    var machine: RolloutMachine
    var standing: [[StandingSegment]]
    var faults: [String] = []
    /// By workload, the least that it had.
    var least: [String: Double] = [:]

    init(_ input: TransitionInput) {
      self.input = input
      transition = TransitionPlanner.plan(input)
      machine = RolloutMachine(transition, of: input)
      standing = input.gpus.map(\.before)
      look()
    }

    mutating func look() {
      for outlook in transition.outlooks {
        // Whoever stays under other terms counts with the lesser of both capacities.
        let up = standing.enumerated().reduce(0) { sum, gpu in
          sum
            + gpu.element.filter { $0.workload == outlook.workload }.reduce(0) { sum, segment in
              let same = input.gpus[gpu.offset].after.first { $0.runsAs(segment) }
              return sum + min(segment.capacity, same?.capacity ?? .infinity)
            }
        }
        least[outlook.workload] = min(least[outlook.workload] ?? up, up)
      }
    }

    private func steps(_ part: Int, _ action: Transition.Action) -> [Transition.Step] {
      let part = machine.parts[part]
      return part.steps.map { transition.waves[part.wave].steps[$0] }.filter { $0.action == action }
    }

    /// What a part destroys is gone as soon as it begins.
    mutating func begin(_ part: Int) {
      for step in steps(part, .destroy) {
        guard let index = standing[step.gpu].firstIndex(of: step.segment) else {
          faults.append("\(step.segment.id) is not there to be destroyed")
          continue
        }
        standing[step.gpu].remove(at: index)
      }
      look()
    }

    /// What it makes counts when it has ended; a part that failed leaves what was there before.
    mutating func end(_ part: Int, well: Bool) {
      for step in steps(part, well ? .create : .destroy) {
        let product = input.gpus[step.gpu].product
        let mask = { (segment: StandingSegment) in
          product.profiles[segment.placement.profile].mask(at: segment.placement.start)
        }
        if standing[step.gpu].contains(where: { mask($0) & mask(step.segment) != 0 }) {
          faults.append("\(step.segment.id) has no room")
        }
        standing[step.gpu].append(step.segment)
      }
      machine.ended(part, well: well)
      look()
    }

    /// What was promised and not kept.
    var broken: [String] {
      faults
        + transition.outlooks.filter { (least[$0.workload] ?? 0) < $0.least * (1 - 1e-9) - 1e-9 }.map {
          "\($0.workload) had \(least[$0.workload] ?? 0) of \($0.least)"
        }
    }
  }

  /// Two GPUs a node, mostly up to 20 nodes and now and then up to 50.
  private static func world(_ seed: UInt64, _ random: inout SeededGenerator) throws -> World {
    let names = ["A100-80GB", "A30-24GB", "H100-80GB-SXM"].shuffled(using: &random)
    let products = names.prefix(Int.random(in: 1...3, using: &random)).compactMap {
      ProductCatalogue.product(named: $0)
    }
    var shapes = RandomTransition(
      seed: seed, products: products, fill: Double.random(in: 0.2...1, using: &random))
    return World(
      shapes.input(
        gpus: Int.random(in: 1...(seed % 20 == 0 ? 100 : 40), using: &random),
        workloads: Int.random(in: 1...12, using: &random),
        change: Double.random(in: 0...1, using: &random)))
  }

  /// Carries a way out, at any pace, with faults and pauses, until nothing is left that can be done.
  private static func play(_ world: inout World, failures: Double, _ random: inout SeededGenerator, _ comment: Comment)
  {
    var running: [Int] = []
    while true {
      let begun = world.machine.begin()
      for part in begun { world.begin(part) }
      running += begun
      if !world.machine.isPaused {
        let blockers = world.machine.blockers
        #expect(Set(blockers.keys) == Set(world.machine.waiting), comment)
        #expect(blockers.values.allSatisfy { world.machine.progress[$0] != .done }, comment)
      }
      guard !running.isEmpty else { break }
      // Any number ends before the next ones begin; a pause now and then.
      for _ in 0..<Int.random(in: 1...running.count, using: &random) {
        let part = running.remove(at: Int.random(in: running.indices, using: &random))
        world.end(part, well: Double.random(in: 0..<1, using: &random) >= failures)
      }
      if Int.random(in: 0..<10, using: &random) == 0 { world.machine.pause() } else { world.machine.resume() }
      if running.isEmpty { world.machine.resume() }
    }
    #expect(world.broken == [], comment)
    #expect(world.machine.isOver, comment)
    guard failures == 0 else { return }
    #expect(world.machine.isComplete, comment)
    for (index, gpu) in world.input.gpus.enumerated() {
      let runs = world.standing[index].allSatisfy { there in gpu.after.contains { $0.runsAs(there) } }
      #expect(runs && world.standing[index].count == gpu.after.count, comment)
    }
  }

  @Test(
    "whatever pace and faults nodes have, nobody has less than promised; in the end the new plan stands, or the old again",
    arguments: 0..<25)
  func whateverPaceNodesHaveNobodyHasLessThanPromised(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    for round in 0..<40 {
      let comment = Comment(rawValue: "seed \(seed), round \(round)")
      var world = try Self.world(seed &+ UInt64(round), &random)
      var failures = round % 2 == 0 ? 0 : Double.random(in: 0...0.3, using: &random)
      Self.play(&world, failures: failures, &random, comment)
      guard !world.machine.isComplete else { continue }
      // On to the new plan, or back to the old, from what stands: with faults again, then without.
      let goesBack = Bool.random(using: &random)
      var next = world.input
      for index in next.gpus.indices {
        if goesBack { next.gpus[index].after = next.gpus[index].before }
      }
      if goesBack {
        next.services = next.services.mapValues { .init(rateBefore: $0.rateAfter, rateAfter: $0.rateBefore) }
      }
      for attempt in 0..<2 {
        for index in next.gpus.indices { next.gpus[index].before = world.standing[index] }
        if attempt == 1 { failures = 0 }
        world = World(next)
        Self.play(&world, failures: failures, &random, comment)
      }
    }
  }

  /// Where an instance of one node makes room for another node's only after a third is up, the wrong order is seen.
  @Test func aDestroyWaitsForWhatReplacesIt() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    func segment(_ batch: Int) -> StandingSegment {
      StandingSegment(
        workload: "a", id: "a/\(batch)", model: "m", placement: Placement(profile: 0, start: 0), batch: batch,
        processes: 1, capacity: 100)
    }
    let input = TransitionInput(
      gpus: [
        TransitionInput.GPU(name: "x", node: "one", product: product, before: [segment(1)]),
        TransitionInput.GPU(name: "y", node: "two", product: product, after: [segment(2)]),
        TransitionInput.GPU(name: "z", node: "three", product: product),
      ], services: ["a": TransitionInput.Service(rateBefore: 90, rateAfter: 90)])
    var machine = RolloutMachine(TransitionPlanner.plan(input), of: input, settling: ["one", "three"])
    let first = machine.begin()
    #expect(Set(first.map { machine.parts[$0].node }) == ["two", "three"])
    #expect(first.map { machine.awaited[$0] }.filter { $0 == ["a"] }.count == 1)
    let two = try #require(first.first { machine.parts[$0].node == "two" })
    let three = try #require(first.first { machine.parts[$0].node == "three" })
    machine.ended(three, well: true)
    #expect(machine.begin() == [])
    #expect(machine.waiting.map { machine.blockers[$0] } == [two])
    #expect(!machine.isOver)
    machine.pause()
    machine.ended(two, well: true)
    #expect(machine.begin() == [] && !machine.isOver)
    machine.resume()
    let last = machine.begin()
    #expect(last.map { machine.parts[$0].node } == ["one"])
    machine.ended(last[0], well: false)
    #expect(machine.isOver && !machine.isComplete)
  }

  @Test func whatWaitsForAFailureNeverBegins() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let old = StandingSegment(
      workload: "a", id: "a/0", model: "m", placement: Placement(profile: 0, start: 0), batch: 1, processes: 1,
      capacity: 100)
    let input = TransitionInput(
      gpus: [
        TransitionInput.GPU(name: "x", node: "one", product: product, before: [old]),
        TransitionInput.GPU(name: "y", node: "two", product: product, after: [old]),
      ], services: ["a": TransitionInput.Service(rateBefore: 90, rateAfter: 90)])
    var machine = RolloutMachine(TransitionPlanner.plan(input), of: input)
    for part in machine.begin() { machine.ended(part, well: false) }
    #expect(machine.begin() == [])
    #expect(machine.isOver)
    #expect(machine.waiting.map { machine.parts[$0].node } == ["one"])
    machine.abort()
    #expect(machine.isOver)
  }
}
