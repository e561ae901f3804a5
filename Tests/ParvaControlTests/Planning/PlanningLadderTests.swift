import Foundation
import Logging
import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaControl

/// Fails as a script says, planner by planner, and plans in this process where the script has ended.
private final class ScriptedBackend: PlanningBackend {
  private let script: Mutex<[String: [PlanningFailure]]>
  private let jobs = Mutex<[String]>([])

  init(_ script: [String: [PlanningFailure]]) { self.script = Mutex(script) }

  var asked: [String] { jobs.withLock { $0 } }

  func plan(_ job: PlanningJob) async throws(PlanningFailure) -> Plan {
    jobs.withLock { $0.append(job.planner.name) }
    let failure = script.withLock { script in
      script[job.planner.name]?.isEmpty == false ? script[job.planner.name]?.removeFirst() : nil
    }
    if let failure { throw failure }
    return try await InProcessPlanning().plan(job)
  }

  func stop() {}
}

@Suite struct PlanningLadderTests {
  private static let trap = WorkerEnd.signal(4)

  private static func job(_ workloads: Int = 10, current: Plan? = nil) throws -> PlanningJob {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(seed: 7, products: [product], models: 3, workloads: workloads)
    input.current = current
    return PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600))
  }

  struct Case: Sendable {
    var script: [String: [PlanningFailure]]
    var asked: [String]
    /// The planner of the plan; nil where there is none.
    var planner: String?
    var retries = true
  }

  static let cases = [
    Case(script: [:], asked: ["optimal"], planner: "optimal"),
    Case(
      script: ["optimal": [.ended(trap, isFresh: false)]], asked: ["optimal", "optimal"], planner: "optimal"),
    Case(script: ["optimal": [.ended(.signal(9), isFresh: true)]], asked: ["optimal", "optimal"], planner: "optimal"),
    Case(
      script: ["optimal": [.ended(trap, isFresh: false), .ended(trap, isFresh: true)]],
      asked: ["optimal", "optimal", "parvagpu"], planner: "parvagpu"),
    Case(script: ["optimal": [.ended(trap, isFresh: true)]], asked: ["optimal", "parvagpu"], planner: "parvagpu"),
    Case(
      script: ["optimal": [.ended(trap, isFresh: false)]], asked: ["optimal", "parvagpu"], planner: "parvagpu",
      retries: false),
    Case(
      script: ["optimal": [.ended(.tooLong(62), isFresh: false)]], asked: ["optimal", "parvagpu"], planner: "parvagpu"),
    Case(
      script: ["optimal": [.ended(.tooMuchMemory(9000), isFresh: true)]], asked: ["optimal", "parvagpu"],
      planner: "parvagpu"),
    Case(
      script: ["optimal": [.refused(PlanningFault(planner: "optimal", code: "overlap", message: "", count: 1))]],
      asked: ["optimal", "parvagpu"], planner: "parvagpu"),
    Case(
      script: ["optimal": [.ended(trap, isFresh: true)], "parvagpu": [.ended(trap, isFresh: true)]],
      asked: ["optimal", "parvagpu", "standing"], planner: nil),
    Case(script: ["optimal": [.stopped]], asked: ["optimal"], planner: nil),
  ]

  @Test("P1: what is tried after a failure", arguments: cases.indices)
  func rungs(index: Int) async throws {
    let wanted = Self.cases[index]
    let backend = ScriptedBackend(wanted.script)
    let outcome = try? await PlanningLadder(backend: backend).plan(Self.job(), retries: wanted.retries)
    #expect(backend.asked == wanted.asked)
    #expect(outcome?.plan.planner == wanted.planner)
    #expect(outcome == nil || outcome?.isResort == (wanted.planner != "optimal"))
  }

  @Test(
    "P1: a failure that its repetition cures is told as a warning, any other as an error", arguments: [false, true])
  func told(isFresh: Bool) async throws {
    let (log, folder) = (LogRecorder(), try TemporaryFolder())
    let logger = Logger(label: "test") { _ in log }
    let store = try SQLiteStore(path: folder.file("s.sqlite"))
    let loop = PlanningLoop(
      registry: DemandRegistry(demand: Demand(), store: store, limit: 10, now: { Samples.time }, onChange: {}),
      nodes: NodeRegistry(
        nodes: [], removed: [], store: store, settings: NodeRegistry.Settings(), priced: [], now: { Samples.time },
        onChange: {}), store: store, board: PlanBoard(), newest: nil, previous: nil, pin: nil,
      backend: ScriptedBackend(["optimal": [.ended(Self.trap, isFresh: isFresh)]]),
      settings: PlanningLoop.Settings(
        setup: try Harness.builtIn, keptPlans: PlanRetention(), now: { Samples.time }, sleep: { _ in }),
      counters: PlanningCounters(), logger: logger, wake: {})
    let wakes = AsyncStream.makeStream(of: Void.self)
    wakes.continuation.yield()
    wakes.continuation.finish()
    await loop.follow(wakes.stream)
    let lines = log.lines.filter { $0.message.hasPrefix("a planner failed") }
    #expect(lines.map(\.level) == [isFresh ? .error : .warning])
    #expect(lines.first?.metadata["code"] == "worker_crashed")
  }

  @Test("P1: the stand-in serves a demand whose GPUs are in several zones")
  func zones() async throws {
    var job = try Self.job()
    let whole = try PlanningDuty.perform(job)
    job.input.pools = (0..<(2 * whole.gpus.count)).map {
      Pool(name: "zone-\($0)", product: job.input.pools[0].product, count: 1)
    }
    let outcome = try await PlanningLadder(backend: ScriptedBackend(["optimal": [.ended(Self.trap, isFresh: true)]]))
      .plan(job, retries: true)
    #expect(outcome.plan.planner == "parvagpu")
    #expect(outcome.plan.unplaced == whole.unplaced && !outcome.plan.gpus.isEmpty)
  }

  @Test("P1: what stands is kept where the stand-in does no better, and its own part where that fails, too")
  func standingPlan() async throws {
    let inForce = try PlanningDuty.perform(Self.job())
    // Three more workloads than the plan in force knows.
    var job = try Self.job(13, current: inForce)
    var outcome = try await PlanningLadder(
      backend: ScriptedBackend([
        "optimal": [.ended(Self.trap, isFresh: true)], "parvagpu": [.ended(Self.trap, isFresh: true)],
      ])
    ).plan(job, retries: true)
    #expect(outcome.plan.planner == "standing" && outcome.isResort)
    #expect(outcome.plan.unplaced.map(\.workload) == ["w10", "w11", "w12"])
    #expect(outcome.plan.gpus == inForce.gpus)
    job = try Self.job(10, current: inForce)
    outcome = try await PlanningLadder(backend: ScriptedBackend(["optimal": [.ended(Self.trap, isFresh: true)]]))
      .plan(job, retries: true)
    #expect(outcome.plan == inForce, "nothing moves for a stand-in that serves as much")
  }
}
