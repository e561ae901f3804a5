import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Synchronization
import Testing

@testable import ParvaControl

/// Plans brought to made-up nodes in waves, with nodes that are slow and nodes that fail.
@Suite struct RolloutRunTests {
  /// What nodes have at every moment, and what each workload has of it.
  private final class Nodes: Sendable {
    struct State {
      var world: FleetWorld
      var random: SeededGenerator
      let failures: Double
      /// While a node works on its part: what it is told, beside what it had.
      var working: [String: [WantedGPU]] = [:]
      var promised: [String: Double] = [:]
      var newest: [String: AssignmentVersion] = [:]
      var faults: [String] = []

      /// What stands on a node and will: while it works, what is in both.
      private func standing(_ name: String) -> [WantedInstance] {
        let there = world.running[name] ?? []
        guard let next = working[name] else { return there.flatMap(\.instances) }
        return there.flatMap { gpu in
          gpu.instances.compactMap { old in
            guard
              let new = next.first(where: { $0.uuid == gpu.uuid })?.instances.first(where: { $0.place == old.place })
            else { return nil }
            guard new.workload == old.workload, new.batch == old.batch, new.processes == old.processes,
              new.model == old.model
            else { return nil }
            var instance = old
            instance.capacity = min(old.capacity ?? 0, new.capacity ?? 0)
            return instance
          }
        }
      }

      mutating func look(_ when: String) {
        var up: [String: Double] = [:]
        for name in world.names {
          for instance in standing(name) { up[instance.workload ?? "", default: 0] += instance.capacity ?? 0 }
        }
        for (workload, least) in promised where (up[workload] ?? 0) < least * (1 - 1e-9) - 1e-9 {
          faults.append("\(workload) has \(up[workload] ?? 0) of \(least) \(when)")
        }
      }
    }

    let state: Mutex<State>

    init(_ world: FleetWorld, seed: UInt64, failures: Double) {
      state = Mutex(State(world: world, random: SeededGenerator(seed: seed), failures: failures))
    }

    /// A node takes a part, works on it for a while, and has it or goes back.
    func bring(_ order: RolloutRun.Order) async -> Bool {
      let (name, wanted) = (order.node, order.wanted)
      let pause = state.withLock { state in
        if let newest = state.newest[name], newest >= wanted.version {
          state.faults.append("\(name) is told \(newest) again")
        }
        if state.working[name] != nil { state.faults.append("\(name) is told two things at once") }
        state.newest[name] = wanted.version
        state.world.fleet.expect(wanted, on: name)
        state.working[name] = wanted.gpus
        state.look("while \(name) works on \(wanted.version)")
        return Int.random(in: 0...20, using: &state.random)
      }
      for _ in 0..<pause { await Task.yield() }
      return state.withLock { state in
        let well = Double.random(in: 0..<1, using: &state.random) >= state.failures
        state.working[name] = nil
        do {
          if well { try state.world.verify(wanted, on: name) }
        } catch {
          state.faults.append("\(error)")
        }
        if !well { state.world.fleet.gaveUp(wanted.revision, on: name, mayCome: false) }
        state.look("after \(wanted.version) of \(name)")
        return well
      }
    }
  }

  private static func demand(_ random: inout SeededGenerator, _ count: Int) -> [Workload] {
    (0..<count).filter { _ in Int.random(in: 0..<6, using: &random) > 0 }.map { number in
      Samples.workload(
        "w\(number)", model: ["resnet50", "bert", "densenet121"][number % 3],
        rate: Double(Int.random(in: 20...1500, using: &random)))
    }
  }

  /// - Parameter names: the nodes that are told; nil is all.
  private static func way(_ nodes: Nodes, to goal: RolloutGoal, only names: Set<String>? = nil) -> FleetTransition {
    nodes.state.withLock { state in
      state.world.tick()
      let terms = RolloutTerms(nodes: names ?? Set(state.world.names))
      let way = FleetTransition(state.world.fleet.snapshot(), to: goal, terms)
      state.promised = Dictionary(uniqueKeysWithValues: way.transition.outlooks.map { ($0.workload, $0.least) })
      return way
    }
  }

  /// Runs until every node has the goal, each time from what stands; answers what broke.
  private static func reach(
    _ goal: RolloutGoal, on nodes: Nodes, revision: Int, phase: inout Int, tries: Int
  ) async -> RolloutRun.End {
    var end = RolloutRun.End.incomplete
    for _ in 0..<tries where end != .complete {
      let way = Self.way(nodes, to: goal)
      let run = RolloutRun(revision: revision, firstPhase: phase, control: RolloutControl()) { await nodes.bring($0) }
      phase += max(1, way.transition.waves.count)
      end = await run.run(way).end
    }
    return end
  }

  @Test(
    "no workload has less than promised, whichever node is slow or fails, and in the end every node has the plan",
    arguments: 0..<12)
  func nobodyHasLessThanPromised(_ offset: UInt64) async throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    let count = Int.random(in: 2...10, using: &random)
    var world = try FleetWorld(
      nodes: count, gpus: Int.random(in: 1...3, using: &random), workloads: Self.demand(&random, 8), grace: .seconds(60)
    )
    try world.plan()
    _ = try world.apply()
    world.tick()
    let before = RolloutGoal(world.assignments)
    for round in 0..<4 {
      world.demand = Demand(
        revision: round + 2, registrations: RegistrationTable(Self.demand(&random, 8).map { Samples.registration($0) }))
      try world.plan()
      let nodes = Nodes(world, seed: seed &+ UInt64(round), failures: round % 2 == 0 ? 0 : 0.25)
      let goal = RolloutGoal(world.assignments)
      var phase = 0
      let end = await Self.reach(goal, on: nodes, revision: world.revision, phase: &phase, tries: 60)
      #expect(end == .complete, "seed \(seed), round \(round)")
      if round == 3 {
        // Back to the very beginning, under the same revision.
        let back = await Self.reach(before, on: nodes, revision: world.revision, phase: &phase, tries: 60)
        #expect(back == .complete, "seed \(seed), round \(round)")
      }
      let (faults, after) = nodes.state.withLock { ($0.faults, $0.world) }
      #expect(faults == [], "seed \(seed), round \(round)")
      for name in after.names {
        let wanted = (round == 3 ? before : goal).assignments.gpus[name] ?? []
        #expect((after.running[name] ?? []) == wanted, "seed \(seed), round \(round), \(name)")
        #expect(after.fleet[name]?.hasVerified(wanted) == true)
      }
      world = after
    }
  }

  @Test(
    "a plan that is brought to some of its nodes takes nothing away that is replaced on the others", arguments: 0..<8)
  func whatIsReplacedElsewhereStays(_ offset: UInt64) async throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    var world = try FleetWorld(
      nodes: Int.random(in: 2...8, using: &random), gpus: 2, workloads: Self.demand(&random, 8), grace: .seconds(60))
    try world.plan()
    _ = try world.apply()
    for round in 0..<6 {
      world.demand = Demand(
        revision: round + 2, registrations: RegistrationTable(Self.demand(&random, 8).map { Samples.registration($0) }))
      try world.plan()
      let nodes = Nodes(world, seed: seed &+ UInt64(round), failures: 0)
      let goal = RolloutGoal(world.assignments)
      let some = Set(world.names.filter { _ in Bool.random(using: &random) })
      let way = Self.way(nodes, to: goal, only: some)
      if !way.input.allowsShortfall {
        let short = way.transition.outlooks.filter { $0.shortfall > 0 }.map(\.workload)
        #expect(short == [], "seed \(seed), round \(round)")
      }
      let run = RolloutRun(revision: world.revision, firstPhase: 0, control: RolloutControl()) { await nodes.bring($0) }
      let (end, waiting) = await run.run(way)
      #expect(waiting == way.unreached, "seed \(seed), round \(round)")
      #expect((end == .complete) == waiting.isEmpty, "seed \(seed), round \(round)")
      let between = nodes.state.withLock { $0.world }
      for name in some.subtracting(waiting) {
        #expect(between.fleet[name]?.hasVerified(goal.assignments.gpus[name] ?? []) == true)
      }
      var phase = way.transition.waves.count + 1
      let whole = await Self.reach(goal, on: nodes, revision: world.revision, phase: &phase, tries: 1)
      #expect(whole == .complete, "seed \(seed), round \(round)")
      let (faults, after) = nodes.state.withLock { ($0.faults, $0.world) }
      #expect(faults == [], "seed \(seed), round \(round)")
      world = after
    }
  }

  @Test func aPausedRunBeginsNothingAndAnAbortedOneEnds() async throws {
    var world = try FleetWorld(
      nodes: 2, gpus: 1, workloads: [Samples.workload("w", model: "resnet50", rate: 100)], grace: .seconds(60))
    try world.plan()
    let nodes = Nodes(world, seed: 1, failures: 0)
    let way = Self.way(nodes, to: RolloutGoal(world.assignments))
    let control = RolloutControl(isPaused: true)
    let run = RolloutRun(revision: 1, firstPhase: 0, control: control) { await nodes.bring($0) }
    async let ended = run.run(way)
    control.change { $0.isAborted = true }
    let (end, waiting) = await ended
    #expect(end == .aborted)
    #expect(waiting == Set(way.machine.parts.map(\.node)))
    #expect(nodes.state.withLock { $0.newest } == [:])
    let again = RolloutControl(isPaused: true)
    async let second = RolloutRun(revision: 1, firstPhase: 1, control: again) { await nodes.bring($0) }.run(way)
    again.change { $0.isPaused = false }
    #expect(await second.end == .complete)
  }
}
