package import ParvaWire

/// One apply from its first look at the GPUs to its end, as a state machine: it says what to do next and is told how
/// that went. It does no I/O, so every fault and every crash can be played against it.
///
/// Forward: read every GPU concerned, plan or refuse, release what runs on instances that go, then for each step record,
/// make, read back, record; at last read everything once more and plan again: no step left is what *verified* means. On a
/// failure the same way leads back to the base. GPUs that cannot be read are left out, with what is on record there.
package struct ApplyMachine: Sendable {
  package enum Action: Hashable, Sendable {
    /// Put this on the disk before going on.
    case record(JournalRecord)
    case read(gpu: String)
    /// End what runs on instances that this state does not have, or has with other contents.
    case release(NodeAssignment)
    case perform(ApplyStep)
    /// Wait before the same step is tried again.
    case pause(Duration)
    case finish(ApplyOutcome)
  }

  package enum Input: Sendable {
    case begin
    case recorded
    case released
    case read(Result<ObservedGPU, DriverError>)
    case performed(DriverError?)
    case paused
  }

  private enum Stage: Sendable {
    case idle
    /// Reading the GPUs that are left before planning.
    case reading([String])
    case releasing
    case beginning
    case starting
    case performing
    case readingBack(DriverError?)
    case pausing
    case ending
    case turningBack
    case sealing
    case over
  }

  /// How often a step is tried before it counts as failed; the way back is worth more patience.
  static let forwardAttempts = 2
  static let rollbackAttempts = 4
  /// Before each further try of a step that fails because something is in use. A CUDA client that has just died keeps its
  /// instance for seconds, and so does DCGM while it looks: 20 s in all.
  static let pauses: [Duration] = [0.25, 0.5, 1.25, 2, 4, 6, 6].map { .seconds($0) }
  /// Errors that another try cannot cure.
  static let permanentCodes: Set<String> = [
    "gpu_is_lost", "no_permission", "not_supported", "unknown_text", "reset_required", "reset_type_not_supported",
  ]

  /// What a driver answers that has made nothing: an instance that stands there all the same is somebody else's.
  static let refusals: Set<String> = ["insufficient_resources", "invalid_argument", "not_supported", "no_permission"]

  package let wanted: NodeAssignment
  package let bootID: String
  package let options: ApplyPlanner.Options
  /// The last verified state, with what was adopted: a failure leads back to it.
  package private(set) var base: [OwnedInstance]
  package private(set) var holdings: Holdings
  /// All steps of the direction now taken, and how many of them are done.
  package private(set) var steps: [ApplyStep] = []
  package private(set) var completed = 0
  /// What failed; once set the machine is on its way back.
  package private(set) var failure: ApplyFailure?

  private var stage: Stage = .idle
  private var begun: Bool
  private var attempt = 1
  private var pausesTaken = 0
  private var planned = false
  private var observed: [String: ObservedGPU] = [:]
  /// GPUs that cannot be read: the others do without them.
  private var unreadable: [String: DriverError] = [:]
  /// GPUs that a step was begun on before the failure: the way back is not done without them.
  private var touched: Set<String> = []
  /// Known at the end.
  package private(set) var lost: [LostGPU] = []

  package init(
    wanted: NodeAssignment, base: [OwnedInstance], holdings: Holdings, bootID: String,
    options: ApplyPlanner.Options = ApplyPlanner.Options()
  ) {
    self.wanted = wanted
    self.base = base
    self.holdings = holdings
    self.bootID = bootID
    self.options = options
    begun = false
  }

  /// Goes on with what a journal left unfinished.
  package init(resuming left: UnfinishedApply, bootID: String, options: ApplyPlanner.Options) {
    wanted = left.begin.wanted
    base = left.begin.base
    // No instance survives a reboot, so nothing that the record names can be there.
    holdings = left.begin.bootID == bootID ? left.holdings : Holdings()
    failure = left.failure
    touched = left.touched
    self.bootID = bootID
    self.options = options
    begun = true
  }

  /// GPUs that anything wanted, owned or claimed is on.
  private var gpus: [String] {
    let all = wanted.gpus.map(\.uuid) + base.map(\.gpu) + holdings.owned.map(\.gpu) + holdings.claims.map(\.gpu)
    return Set(all).sorted()
  }

  private var target: [String: [InstancePlace]] {
    if failure == nil {
      return Dictionary(wanted.gpus.map { ($0.uuid, $0.instances.map(\.place)) }) { $0 + $1 }
    }
    return Dictionary(grouping: base, by: \.gpu).mapValues { $0.map(\.place) }
  }

  package mutating func next(_ input: Input) -> Action {
    switch (stage, input) {
    case (.idle, .begin):
      return readAll()
    case (.reading(let left), .read(let result)):
      return take(result, of: left[0], left: Array(left.dropFirst()))
    case (.releasing, .released):
      if begun { return startNext() }
      begun = true
      stage = .beginning
      return .record(
        .begin(JournalBegin(bootID: bootID, wanted: wanted, base: base, holdings: holdings, steps: steps)))
    case (.beginning, .recorded), (.ending, .recorded):
      return startNext()
    case (.starting, .recorded):
      attempt = 1
      pausesTaken = 0
      return perform()
    case (.pausing, .paused):
      return perform()
    case (.performing, .performed(let error)):
      stage = .readingBack(error)
      return .read(gpu: steps[completed].gpu)
    case (.readingBack(let error), .read(let result)):
      return judge(result, after: error)
    case (.turningBack, .recorded):
      return readAll()
    case (.sealing, .recorded):
      stage = .over
      if let failure { return .finish(.rolledBack(failure, owned: holdings.owned)) }
      return .finish(.verified(owned: holdings.owned, lost: lost))
    default:
      stage = .over
      let broken = ApplyFailure(step: nil, code: "machine_misused", detail: "an input that no action asked for")
      return .finish(.stuck(failure ?? broken, rollback: broken, holdings: holdings))
    }
  }

  private mutating func readAll() -> Action {
    let all = gpus
    observed = [:]
    unreadable = [:]
    if all.isEmpty { return planOrSeal() }
    stage = .reading(all)
    return .read(gpu: all[0])
  }

  private mutating func take(_ result: Result<ObservedGPU, DriverError>, of gpu: String, left: [String]) -> Action {
    switch result {
    case .success(let read) where read.fault == nil:
      observed[gpu] = read
      holdings.settle(on: read)
    case .success(let read):
      unreadable[gpu] = DriverError(code: read.fault ?? "unknown", call: "observe", detail: "the GPU does not answer")
    case .failure(let error):
      unreadable[gpu] = error
    }
    if let next = left.first {
      stage = .reading(left)
      return .read(gpu: next)
    }
    return planOrSeal()
  }

  /// With every GPU read: the first time plan, the second time expect that nothing is left to do.
  private mutating func planOrSeal() -> Action {
    let crowded = begun || planned ? [] : ApplyPlanner.crowded(wanted, on: Array(observed.values))
    if !crowded.isEmpty { return refuse(crowded) }
    var options = options
    // The way back ends with what can be reached.
    if failure != nil { options.leavesLost = true }
    // One that the node does not have is the planner's to judge.
    let silent = unreadable.filter { $0.value.code != DriverError.notFound }.map {
      ObservedGPU.lost($0.key, $0.value.code)
    }
    do {
      let plan = try ApplyPlanner.plan(
        observed: observed.values + silent, wanted: target, owned: holdings.owned, options: options)
      if planned && !plan.steps.isEmpty {
        return fail(
          plan.steps.first, code: "read_back_differs",
          "\(plan.steps.count) steps would still be needed after all were made")
      }
      if !begun {
        let known = holdings.owned
        base += plan.owned.filter { taken in !known.contains { $0.gpu == taken.gpu && $0.place == taken.place } }
      }
      holdings = Holdings(owned: plan.owned, claims: holdings.claims.filter { unreadable[$0.gpu] != nil })
      if planned { return seal(plan.lost) }
      steps = plan.steps
      completed = 0
      planned = true
      if failure != nil { return startNext() }
      stage = .releasing
      return .release(wanted)
    } catch {
      return refuse(error.problems)
    }
  }

  /// Before anything was touched a refusal ends the apply; later it is a failure like any other.
  private mutating func refuse(_ problems: [ApplyProblem]) -> Action {
    if !begun {
      stage = .over
      return .finish(.refused(problems))
    }
    return fail(nil, code: "refused", problems.map(\.description).joined(separator: "; "))
  }

  private mutating func seal(_ lost: [LostGPU]) -> Action {
    self.lost = lost
    for claim in holdings.claims {
      let index =
        self.lost.firstIndex { $0.gpu == claim.gpu }
        ?? {
          let code = unreadable[claim.gpu]?.code ?? "unknown"
          self.lost.append(LostGPU(gpu: claim.gpu, code: code, owned: [], wanted: []))
          return self.lost.count - 1
        }()
      self.lost[index].claims.append(claim.place)
    }
    if failure != nil, let gpu = touched.filter({ unreadable[$0] != nil }).min(), let error = unreadable[gpu] {
      return fail(nil, code: error.code, "\(gpu) cannot be read and is not restored: \(error.detail)")
    }
    stage = .sealing
    return .record(.verified(owned: holdings.owned, lost: self.lost.isEmpty ? nil : self.lost))
  }

  private mutating func startNext() -> Action {
    if completed == steps.count {
      return readAll()
    }
    stage = .starting
    holdings.start(steps[completed])
    if failure == nil { touched.insert(steps[completed].gpu) }
    return .record(.started(steps[completed]))
  }

  private mutating func perform() -> Action {
    stage = .performing
    return .perform(steps[completed])
  }

  /// After a step its effect counts, not what the call answered: a call that timed out may have done its work.
  private mutating func judge(_ result: Result<ObservedGPU, DriverError>, after error: DriverError?) -> Action {
    let step = steps[completed]
    let problem: DriverError
    switch result {
    case .success(let gpu):
      // After an earlier try, or a pause, it may be what that try has made.
      if case .createInstance(_, let place) = step, attempt == 1, pausesTaken == 0, let error,
        Self.refusals.contains(error.code),
        gpu.instance(profileID: place.profileID, start: place.start) != nil
      {
        holdings.abandon(step)
        return fail(
          step, code: ApplyProblem.Code.foreignInstance.rawValue,
          "somebody else has made the instance of \(place) meanwhile (\(error.code): \(error.detail))")
      }
      do {
        let instance = try effect(of: step, on: gpu)
        completed += 1
        holdings.finish(step, instance: instance)
        if let illegal = newlyIllegal(after: step, on: gpu) {
          return fail(step, code: illegal.code.rawValue, illegal.message)
        }
        stage = .ending
        return .record(.done(step, instance: instance))
      } catch let differs {
        problem = error ?? differs
      }
    case .failure(let unread):
      problem = error ?? unread
    }
    if problem.code == DriverError.inUse {
      if pausesTaken == Self.pauses.count {
        return fail(step, code: problem.code, "\(problem.call): \(problem.detail)")
      }
      pausesTaken += 1
      stage = .pausing
      return .pause(Self.pauses[pausesTaken - 1])
    }
    let limit = failure == nil ? Self.forwardAttempts : Self.rollbackAttempts
    if attempt < limit && !Self.permanentCodes.contains(problem.code) {
      attempt += 1
      return perform()
    }
    return fail(step, code: problem.code, "\(problem.call): \(problem.detail)")
  }

  /// With MIG mode off a driver tells of no profiles: only now can the wanted places be judged.
  private func newlyIllegal(after step: ApplyStep, on gpu: ObservedGPU) -> ApplyProblem? {
    guard failure == nil, case .enableMIG = step else { return nil }
    return ApplyPlanner.illegal(target[gpu.uuid] ?? [], on: gpu).first
  }

  private mutating func fail(_ step: ApplyStep?, code: String, _ detail: String) -> Action {
    let failed = ApplyFailure(step: step, code: code, detail: detail)
    if let failure {
      stage = .over
      return .finish(.stuck(failure, rollback: failed, holdings: holdings))
    }
    failure = failed
    planned = false
    stage = .turningBack
    return .record(.rollback(failed))
  }

  /// What a step made, or how the GPU differs from what the step should have left.
  private func effect(of step: ApplyStep, on gpu: ObservedGPU) throws(DriverError) -> OwnedInstance? {
    func differs(_ detail: String) -> DriverError {
      DriverError(code: "read_back_differs", call: "read back", detail: detail)
    }
    let there = step.place.flatMap { gpu.instance(profileID: $0.profileID, start: $0.start) }
    var made: OwnedInstance?
    switch step {
    case .enableMIG:
      if gpu.mig?.isSettledOn != true {
        throw differs(
          gpu.mig?.current == true ? "MIG mode still goes off with the next reset" : "MIG mode is still off")
      }
    case .destroyCompute(_, let place, let instance, let compute):
      if let there, there.id == instance, there.computes.contains(where: { $0.id == compute }) {
        throw differs("compute instance \(compute) is still in the instance of \(place)")
      }
    case .destroyInstance(_, let place, let instance):
      if there?.id == instance { throw differs("the instance of \(place) is still there") }
    case .createInstance(let uuid, let place):
      guard let there else { throw differs("no instance of \(place) came to be") }
      made = OwnedInstance(gpu: uuid, place: place, instance: there.id, uuid: there.uuid)
    case .createCompute(let uuid, let place):
      guard let there, there.isWhole else { throw differs("the instance of \(place) is not whole") }
      made = OwnedInstance(gpu: uuid, place: place, instance: there.id, uuid: there.uuid)
    }
    for owned in holdings.owned where owned.gpu == gpu.uuid && owned.place != step.place {
      if !gpu.instances.contains(where: { owned.matches($0, on: gpu.uuid) }) {
        throw differs("the kept instance of \(owned.place) is gone")
      }
    }
    return made
  }
}
