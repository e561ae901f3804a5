import Foundation
import Glibc
import ParvaEngine
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaControl

/// With the real program as the process that plans.
@Suite struct PlanWorkerTests {
  /// `parva` beside the tests.
  private static var program: String {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(filePath: own).deletingLastPathComponent().appending(path: "parva").path
  }

  private static func settings(faults: String = "") -> PlanWorker.Settings {
    var settings = PlanWorker.Settings(program: program)
    settings.environment = ["PARVA_WORKER_FAULTS=\(faults)"]
    return settings
  }

  private static func job(_ planner: any Planner = OptimalPlanner(), id: String = "w", seed: UInt64 = 1) throws
    -> PlanningJob
  {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(seed: seed, products: [product], models: 3, workloads: 12)
    for index in input.workloads.indices { input.workloads[index].id = "\(id)\(100 + index)" }
    return PlanningJob(planner: planner, input: input, patience: .seconds(3600))
  }

  private static func failure(_ worker: PlanWorker, _ job: PlanningJob) async -> PlanningFailure? {
    do throws(PlanningFailure) {
      _ = try await worker.plan(job)
      return nil
    } catch {
      return error
    }
  }

  @Test("P1: a plan from the process is the plan of the planner, whatever was planned before")
  func samePlan() async throws {
    let worker = PlanWorker(Self.settings())
    defer { worker.stop() }
    for seed: UInt64 in 0..<6 {
      let job = try Self.job(Planners.all[Int(seed) % Planners.all.count], seed: seed)
      #expect(try await worker.plan(job) == PlanningDuty.perform(job), "seed \(seed)")
    }
  }

  @Test("P1: a demand that changes little is planned as it is, from the plan before, whatever process does it")
  func samePlanOfChanges() async throws {
    let worker = PlanWorker(Self.settings())
    defer { worker.stop() }
    var random = SeededGenerator(seed: 7)
    var job = try Self.job()
    for round in 0..<8 {
      let plan = try await worker.plan(job)
      #expect(try plan == PlanningDuty.perform(job), "round \(round)")
      job.input.current = round == 4 ? nil : plan
      let index = Int.random(in: 0..<job.input.workloads.count, using: &random)
      job.input.workloads[index].rate *= Double.random(in: 0.5...2, using: &random)
      if round == 2 { job.input.workloads.remove(at: 0) }
      guard round == 5, let pid = worker.processID else { continue }
      #expect(kill(pid, SIGKILL) == 0)
      var info = siginfo_t()
      #expect(waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == 0)
    }
  }

  /// A worker that begins with what a ledger holds, and how many loads its processes tried.
  private static func worker(_ ledger: CapacityLedger) -> (worker: PlanWorker, tried: @Sendable () -> Int) {
    let counters = PlanningCounters()
    let worker = PlanWorker(
      settings(), known: { ledger.facts },
      onFound: { changes, trials in
        ledger.take(changes)
        counters.triedLoads(trials)
      })
    return (worker, { counters.totals.triedLoads })
  }

  private static func certifiedJob(_ seed: UInt64) throws -> PlanningJob {
    let product = try #require(ProductCatalogue.product(named: "A30-24GB"))
    let input = RandomDemand.input(
      seed: seed, products: [product], models: 1, workloads: 3, options: PlanningOptions(admission: .certified))
    return PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600))
  }

  @Test("P1: what one process found out about capacities no later one works out again")
  func capacitiesAreHandedOn() async throws {
    let (job, ledger) = (try Self.certifiedJob(3), CapacityLedger())
    let (first, tried) = Self.worker(ledger)
    let plan = try await first.plan(job)
    let once = tried()
    #expect(once > 0)
    // Of a process that is killed nothing is lost but what it had not answered.
    let pid = try #require(first.processID)
    #expect(kill(pid, SIGKILL) == 0)
    var info = siginfo_t()
    #expect(waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == 0)
    #expect(try await first.plan(job) == plan)
    #expect(tried() == once)
    first.stop()
    let (second, triedLater) = Self.worker(CapacityLedger(ledger.facts))
    defer { second.stop() }
    #expect(try await second.plan(job) == plan)
    #expect(triedLater() == 0)
    #expect(try await second.plan(Self.certifiedJob(4)) == PlanningDuty.perform(Self.certifiedJob(4)))
    #expect(triedLater() > 0)
  }

  @Test("P1: capacities that a plan shows to be lies are forgotten, and the plan is what it is without them")
  func liesAreForgotten() async throws {
    let (job, ledger) = (try Self.certifiedJob(3), CapacityLedger())
    let (honest, _) = Self.worker(ledger)
    let plan = try await honest.plan(job)
    honest.stop()
    let truth = ledger.facts
    // Every objective kept at every load of every point.
    let lies = truth.map { fact in
      CapacityFacts(key: fact.key, entries: (0..<50_000).map { ($0 << 1 | 1) << 32 })
    }
    let lied = CapacityLedger(lies)
    let (worker, _) = Self.worker(lied)
    defer { worker.stop() }
    #expect(try await worker.plan(job) == plan)
    #expect(Set(lied.facts) == Set(truth))
  }

  @Test("P1: what others found out is not told again to a process after one that was killed with it in its first job")
  func whatEndsAProcessIsNotToldAgain() async throws {
    let asked = Mutex(0)
    let facts = [CapacityFacts(key: .init(high: 1, low: 2), entries: [3])]
    let worker = PlanWorker(
      Self.settings(faults: "optimal:exit:poison"),
      known: {
        asked.withLock { $0 += 1 }
        return facts
      })
    defer { worker.stop() }
    for expected in [1, 1, 2] {
      #expect(await Self.failure(worker, try Self.job(id: "poison")) == .ended(.status(7), isFresh: true))
      #expect(asked.withLock { $0 } == expected)
    }
  }

  @Test(
    "P1: a process that traps or ends costs its job, and the next one has another process",
    arguments: [("trap", WorkerEnd.signal(SIGILL)), ("exit", .status(7))])
  func ends(kind: String, end: WorkerEnd) async throws {
    let ends = Mutex<[WorkerEnd]>([])
    let worker = PlanWorker(
      Self.settings(faults: "optimal:\(kind):poison"), onEnd: { end, _ in ends.withLock { $0.append(end) } })
    defer { worker.stop() }
    #expect(await Self.failure(worker, try Self.job(id: "poison")) == .ended(end, isFresh: true))
    #expect(await Self.failure(worker, try Self.job()) == nil)
    #expect(await Self.failure(worker, try Self.job(id: "poison")) == .ended(end, isFresh: false))
    #expect(await Self.failure(worker, try Self.job(ParvaGPUPlanner(), id: "poison")) == nil)
    #expect(ends.withLock { $0 } == [end, end])
  }

  @Test("P1: a process that ends between two jobs costs neither, and is told")
  func endsBetweenJobs() async throws {
    let ends = Mutex<[WorkerEnd]>([])
    let worker = PlanWorker(
      Self.settings(), onEnd: { end, isInJob in if !isInJob { ends.withLock { $0.append(end) } } })
    defer { worker.stop() }
    #expect(await Self.failure(worker, try Self.job()) == nil)
    let pid = try #require(worker.processID)
    #expect(kill(pid, SIGKILL) == 0)
    // Until it is gone, and still to be reaped.
    var info = siginfo_t()
    #expect(waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == 0)
    #expect(await Self.failure(worker, try Self.job()) == nil)
    #expect(ends.withLock { $0 } == [.signal(SIGKILL)])
  }

  @Test("P1: a process that never answers is killed")
  func hangs() async throws {
    var settings = Self.settings(faults: "optimal:hang:poison")
    settings.grace = .milliseconds(300)
    let worker = PlanWorker(settings)
    defer { worker.stop() }
    var job = try Self.job(id: "poison")
    job.patience = .zero
    #expect(await Self.failure(worker, job) == .ended(.tooLong(0), isFresh: true))
  }

  @Test("P1: a process that takes more memory than it may is killed")
  func memory() async throws {
    var settings = Self.settings(faults: "optimal:memory:poison")
    settings.memoryMiB = 400
    let worker = PlanWorker(settings)
    defer { worker.stop() }
    guard case .ended(.tooMuchMemory(let held), isFresh: true) = await Self.failure(worker, try Self.job(id: "poison"))
    else {
      Issue.record("it was not killed for its memory")
      return
    }
    #expect(held > 400)
  }

  @Test("P1: a program that is none is a failure like any other")
  func notStarted() async throws {
    let worker = PlanWorker(PlanWorker.Settings(program: "/nonexistent/parva"))
    #expect(await Self.failure(worker, try Self.job()) == .ended(.notStarted(ENOENT), isFresh: true))
    let other = PlanWorker(PlanWorker.Settings(program: "/bin/echo", arguments: ["hello", "from", "a", "program"]))
    defer { other.stop() }
    let failure = await Self.failure(other, try Self.job())
    #expect(failure?.code == "worker_garbled" || failure?.code == "worker_ended", "\(String(describing: failure))")
  }

  @Test("P1: stopping ends a planning that would never end")
  func stops() async throws {
    let worker = PlanWorker(Self.settings(faults: "optimal:hang:poison"))
    let job = try Self.job(id: "poison")
    async let failure = Self.failure(worker, job)
    _ = await Self.process(of: worker)
    worker.stop()
    #expect(await failure == .stopped)
    #expect(await Self.failure(worker, job) == .stopped)
  }

  @Test("P1: a signal from outside is told by its name", arguments: [SIGSEGV, SIGKILL])
  func killed(signal: Int32) async throws {
    let worker = PlanWorker(Self.settings(faults: "optimal:hang:poison"))
    defer { worker.stop() }
    let job = try Self.job(id: "poison")
    async let failure = Self.failure(worker, job)
    #expect(kill(await Self.process(of: worker), signal) == 0)
    #expect(await failure == .ended(.signal(signal), isFresh: true))
    #expect(await Self.failure(worker, try Self.job()) == nil)
  }

  /// The process once there is one; nothing tells of that moment.
  private static func process(of worker: PlanWorker) async -> pid_t {
    while true {
      if let pid = worker.processID { return pid }
      await Task.yield()
    }
  }
}
