package import ParvaWire

/// One line of the apply journal. Each is on the disk before what it announces happens, or before its effect is used.
package enum JournalRecord: Codable, Hashable, Sendable {
  case begin(JournalBegin)
  /// The step is about to be made.
  case started(ApplyStep)
  /// The step was made and read back; `instance` is what it created or completed.
  case done(ApplyStep, instance: OwnedInstance?)
  /// Forward has failed; from here the base is restored.
  case rollback(ApplyFailure)
  /// The end: everything that answers read back as it should be. No `lost` means none.
  case verified(owned: [OwnedInstance], lost: [LostGPU]?)
}

/// What an apply set out from and for.
package struct JournalBegin: Codable, Hashable, Sendable {
  /// Changes when the machine reboots: no instance survives that.
  package var bootID: String
  package var wanted: NodeAssignment
  /// The last verified state, which a failure returns to.
  package var base: [OwnedInstance]
  /// What was Parva's when the steps were planned, with what was adopted.
  package var holdings: Holdings
  package var steps: [ApplyStep]

  package init(
    bootID: String, wanted: NodeAssignment, base: [OwnedInstance], holdings: Holdings, steps: [ApplyStep]
  ) {
    self.bootID = bootID
    self.wanted = wanted
    self.base = base
    self.holdings = holdings
    self.steps = steps
  }
}

/// Why a step, or the look at its effect, failed.
package struct ApplyFailure: Codable, Hashable, Sendable, CustomStringConvertible {
  /// Nil where no single step is to blame.
  package var step: ApplyStep?
  /// The driver's code, `read_back_differs`, or `refused`.
  package var code: String
  package var detail: String

  package init(step: ApplyStep?, code: String, detail: String) {
    self.step = step
    self.code = code
    self.detail = detail
  }

  package var description: String { "\(step.map { "\($0): " } ?? "")\(code): \(detail)" }

  /// That some of a plan does not stand because its GPUs are lost; nil where all of it does. Codes of the driver are left
  /// out: they change while the GPU stays lost.
  static func lost(_ gpus: [LostGPU]) -> ApplyFailure? {
    let missing = gpus.filter { !$0.wanted.isEmpty }
    if missing.isEmpty { return nil }
    let places = missing.map { "\($0.wanted.count) on \($0.gpu)" }.joined(separator: ", ")
    return ApplyFailure(
      step: nil, code: "gpu_lost", detail: "instances of the plan are lost with GPUs that do not answer: \(places)")
  }
}

/// A GPU that does not answer. It is left alone, and what is on record there is kept, until it answers again or the
/// machine was rebooted, which no instance survives.
package struct LostGPU: Codable, Hashable, Sendable {
  package var gpu: String
  /// What the driver answers instead.
  package var code: String
  /// What Parva made there.
  package var owned: [OwnedInstance]
  /// What the plan wants there.
  package var wanted: [InstancePlace]
  /// Places where an instance may have been made.
  package var claims: [InstancePlace] = []
}

/// How an apply ended.
package enum ApplyOutcome: Hashable, Sendable {
  /// Nothing was touched.
  case refused([ApplyProblem])
  /// The wanted state stands and was read back, but for what is on lost GPUs; what is on record there is in `owned`, too.
  case verified(owned: [OwnedInstance], lost: [LostGPU])
  /// A step failed; the state before was restored and read back.
  case rolledBack(ApplyFailure, owned: [OwnedInstance])
  /// A step failed and the way back failed too; `holdings` is what is known to be Parva's now.
  case stuck(ApplyFailure, rollback: ApplyFailure, holdings: Holdings)
}

/// What Parva has on a node's GPUs.
package struct Holdings: Codable, Hashable, Sendable {
  package var owned: [OwnedInstance] = []
  /// Places where an instance was being made when the record ends: what stands there is Parva's.
  package var claims: [Claim] = []

  package struct Claim: Codable, Hashable, Sendable {
    package var gpu: String
    package var place: InstancePlace
  }

  package init(owned: [OwnedInstance] = [], claims: [Claim] = []) {
    self.owned = owned
    self.claims = claims
  }

  /// What is Parva's at the end of an apply.
  init(owned: [OwnedInstance], lost: [LostGPU]) {
    self.owned = owned
    claims = lost.flatMap { gpu in gpu.claims.map { Claim(gpu: gpu.gpu, place: $0) } }
  }

  /// Takes note that a step is about to be made.
  mutating func start(_ step: ApplyStep) {
    guard case .createInstance(let gpu, let place) = step else { return }
    let claim = Claim(gpu: gpu, place: place)
    if !claims.contains(claim) { claims.append(claim) }
  }

  /// Takes note that a step has made nothing, whatever stands at its place.
  mutating func abandon(_ step: ApplyStep) {
    guard case .createInstance(let gpu, let place) = step else { return }
    claims.removeAll { $0.gpu == gpu && $0.place == place }
  }

  /// Takes over the effect of a step that was read back.
  mutating func finish(_ step: ApplyStep, instance: OwnedInstance?) {
    switch step {
    case .enableMIG: break
    case .destroyCompute(let gpu, let place, _, _):
      for index in owned.indices where owned[index].gpu == gpu && owned[index].place == place {
        owned[index].uuid = nil
      }
    case .destroyInstance(let gpu, let place, _):
      owned.removeAll { $0.gpu == gpu && $0.place == place }
    case .createInstance(let gpu, let place), .createCompute(let gpu, let place):
      claims.removeAll { $0.gpu == gpu && $0.place == place }
      owned.removeAll { $0.gpu == gpu && $0.place == place }
      if let instance { owned.append(instance) }
    }
  }

  /// Makes the claimed places that `gpu` shows occupied ours.
  mutating func settle(on gpu: ObservedGPU) {
    for claim in claims where claim.gpu == gpu.uuid {
      guard let there = gpu.instance(profileID: claim.place.profileID, start: claim.place.start),
        !owned.contains(where: { $0.matches(there, on: gpu.uuid) })
      else { continue }
      owned.append(OwnedInstance(gpu: gpu.uuid, place: claim.place, instance: there.id, uuid: there.uuid))
    }
  }
}
