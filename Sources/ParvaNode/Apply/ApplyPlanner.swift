package import ParvaWire

/// The difference between what is there and what is wanted, as ordered steps. Pure: same input, same steps.
package enum ApplyPlanner {
  package struct Options: Hashable, Sendable {
    /// Turn MIG mode on where it is off. Without it such a GPU is refused.
    package var manageMIGMode = false
    /// Take instances that stand exactly where one is wanted for our own, whoever made them.
    package var adopt = false
    /// Processes that the caller ends before the steps run, so they are not in the way.
    package var drainable: Set<Int> = []
    /// Leave out what is wanted on GPUs that do not answer instead of refusing it: for bringing back what stood before.
    package var leavesLost = false

    package init(manageMIGMode: Bool = false, adopt: Bool = false, drainable: Set<Int> = []) {
      self.manageMIGMode = manageMIGMode
      self.adopt = adopt
      self.drainable = drainable
    }
  }

  package struct Result: Hashable, Sendable {
    package var steps: [ApplyStep]
    /// What is Parva's already, with what `adopt` takes over and what is on record on lost GPUs.
    package var owned: [OwnedInstance]
    package var lost: [LostGPU]
  }

  /// Steps that lead from `observed` to `wanted`, or every reason against them.
  ///
  /// An owned instance that is wanted is kept. One that is not wanted is destroyed, and so are no others: the number of
  /// destroys is the least possible. GPUs not in `wanted` lose only what is owned on them. GPUs that do not answer are
  /// left alone with what is on record there, and stand against the plan only where something new is wanted on them.
  /// O(GPUs x instances^2).
  package static func plan(
    observed: [ObservedGPU], wanted: [String: [InstancePlace]], owned: [OwnedInstance], options: Options = Options()
  ) throws(ApplyRefusal) -> Result {
    var problems: [ApplyProblem] = []
    var result = Result(steps: [], owned: [], lost: [])
    var gpus = observed.sorted { ($0.index, $0.uuid) < ($1.index, $1.uuid) }
    for uuid in Set(wanted.keys).union(owned.map(\.gpu)).sorted() where !gpus.contains(where: { $0.uuid == uuid }) {
      if options.leavesLost || owned.contains(where: { $0.gpu == uuid }) {
        gpus.append(.lost(uuid, DriverError.notFound))
      } else {
        // One that was lost before anybody looked shows under no UUID.
        let silent = observed.filter { $0.fault != nil }.map { "GPU \($0.index)" }.joined(separator: ", ")
        problems.append(
          ApplyProblem(
            .gpuUnknown, gpu: uuid,
            "this node has no such GPU" + (silent.isEmpty ? "" : ", unless it is one that does not answer: \(silent)")))
      }
    }
    for gpu in gpus {
      let places = wanted[gpu.uuid] ?? []
      let mine = owned.filter { $0.gpu == gpu.uuid }
      if wanted[gpu.uuid] == nil && mine.isEmpty { continue }
      var planner = OneGPU(gpu: gpu, wanted: places.sorted(), owned: mine, options: options)
      planner.plan()
      problems += planner.problems
      result.steps += planner.steps
      result.owned += planner.kept
      if let lost = planner.lost { result.lost.append(lost) }
    }
    if !problems.isEmpty { throw ApplyRefusal(problems) }
    return result
  }

  /// Instances that more servers are to share than their MPS daemon takes: on MIG a share of the whole GPU's clients.
  static func crowded(_ wanted: NodeAssignment, on observed: [ObservedGPU]) -> [ApplyProblem] {
    wanted.gpus.flatMap { gpu -> [ApplyProblem] in
      let profiles = observed.first { $0.uuid == gpu.uuid }?.profiles ?? []
      let whole = profiles.map(\.computeSlices).max() ?? 0
      return gpu.instances.compactMap { instance in
        let slices = profiles.first { $0.id == instance.place.profileID }?.computeSlices ?? whole
        let limit = MPSControl.clientLimit(slices: slices, of: whole)
        guard instance.servers > limit else { return nil }
        return ApplyProblem(
          .tooManyClients, gpu: gpu.uuid,
          "\(instance.servers) servers are to share the instance of \(instance.place), and its MPS daemon takes "
            + "\(limit) clients")
      }
    }
  }

  /// What stands against these places on this GPU by its own profiles.
  static func illegal(_ wanted: [InstancePlace], on gpu: ObservedGPU) -> [ApplyProblem] {
    var problems: [ApplyProblem] = []
    func refuse(_ code: ApplyProblem.Code, _ message: String) {
      problems.append(ApplyProblem(code, gpu: gpu.uuid, message))
    }
    var taken: [(place: InstancePlace, mask: UInt64)] = []
    for place in wanted {
      guard let profile = gpu.profile(id: place.profileID) else {
        let known = gpu.profiles.map { "\($0.id) (\($0.name))" }.joined(separator: ", ")
        refuse(.profileUnknown, "the GPU offers no profile \(place.profileID), only \(known)")
        continue
      }
      guard profile.starts.contains(place.start) else {
        refuse(
          .placementIllegal,
          "\(profile.name) cannot start at \(place.start), only at "
            + profile.starts.map(String.init).joined(separator: ", "))
        continue
      }
      let mask = profile.mask(at: place.start)
      if let other = taken.first(where: { $0.mask & mask != 0 }) {
        refuse(.placementsOverlap, "\(place) and \(other.place) stand on the same memory slices")
      }
      taken.append((place, mask))
    }
    return problems
  }

  private struct OneGPU {
    let gpu: ObservedGPU
    let wanted: [InstancePlace]
    let owned: [OwnedInstance]
    let options: Options
    var steps: [ApplyStep] = []
    var kept: [OwnedInstance] = []
    var lost: LostGPU?
    var problems: [ApplyProblem] = []

    mutating func refuse(_ code: ApplyProblem.Code, _ message: String, pid: Int? = nil, process: String? = nil) {
      problems.append(ApplyProblem(code, gpu: gpu.uuid, message, pid: pid, process: process))
    }

    mutating func plan() {
      if let fault = gpu.fault {
        planLost(fault)
        return
      }
      checkWanted()
      let mine = gpu.owned(owned)
      for instance in mine {
        guard let code = instance.unreadable else { continue }
        refuse(
          .permissionMissing,
          "what is in GPU instance \(instance.id), \(instance.place), cannot be read (\(code)): the agent lacks the "
            + "capability nodes in /dev/nvidia-caps, which `parva node prepare` makes")
      }
      let foreign = gpu.instances.filter { !mine.contains($0) && !(options.adopt && isAdoptable($0)) }
      checkRoom(beside: foreign)
      // What is owned and kept, in the order that everything is reported in.
      let there = gpu.instances.filter { !foreign.contains($0) }.sorted { $0.place < $1.place }
      planMode(makes: wanted.contains { place in !there.contains { $0.place == place } })
      if !problems.isEmpty { return }

      var creates: [ApplyStep] = []
      for instance in there where !wanted.contains(instance.place) {
        for compute in instance.computes { destroy(compute, of: instance) }
        steps.append(.destroyInstance(gpu: gpu.uuid, place: instance.place, instance: instance.id))
        keep(instance)
      }
      for instance in there where wanted.contains(instance.place) {
        keep(instance)
        if instance.isWhole { continue }
        for compute in instance.computes { destroy(compute, of: instance) }
        creates.append(.createCompute(gpu: gpu.uuid, place: instance.place))
      }
      for place in wanted where !there.contains(where: { $0.place == place }) {
        creates.append(.createInstance(gpu: gpu.uuid, place: place))
        creates.append(.createCompute(gpu: gpu.uuid, place: place))
      }
      steps += creates
    }

    private mutating func planLost(_ fault: String) {
      if fault == "no_permission" && !(wanted.isEmpty && owned.isEmpty) {
        refuse(
          .permissionMissing,
          "the driver does not let this user see the instances of the GPU: the agent lacks the capability nodes in "
            + "/dev/nvidia-caps, which `parva node prepare --group` makes")
      }
      let fresh = wanted.count { place in !owned.contains { $0.place == place } }
      if fresh > 0 && !options.leavesLost {
        refuse(
          .gpuFaulty,
          "the GPU does not answer (\(fault)), and \(fresh) of the instances wanted on it do not stand there: plan "
            + "without it")
      }
      kept = owned
      if !wanted.isEmpty || !owned.isEmpty {
        lost = LostGPU(gpu: gpu.uuid, code: fault, owned: owned, wanted: wanted)
      }
    }

    private func isAdoptable(_ instance: ObservedInstance) -> Bool {
      wanted.contains(instance.place) && instance.isWhole
    }

    private mutating func keep(_ instance: ObservedInstance) {
      kept.append(
        OwnedInstance(gpu: gpu.uuid, place: instance.place, instance: instance.id, uuid: instance.uuid))
    }

    private mutating func destroy(_ compute: ObservedCompute, of instance: ObservedInstance) {
      for process in compute.processes where !options.drainable.contains(process.pid) {
        refuse(
          .instanceInUse,
          "process \(process.pid) (\(process.name)) runs on GPU instance \(instance.id), \(instance.place), which has to "
            + "go: end it first", pid: process.pid, process: process.name)
      }
      if let unknown = compute.processesUnknown {
        refuse(
          .processesUnknown,
          "the driver does not tell which processes run on GPU instance \(instance.id), \(instance.place), which has to "
            + "go (\(unknown))"
            + (unknown == "no_permission"
              ? ": the agent lacks the capability mig/monitor, whose node `parva node prepare` makes" : ": try again"))
      }
      steps.append(
        .destroyCompute(gpu: gpu.uuid, place: instance.place, instance: instance.id, compute: compute.id))
    }

    /// Legality of the wanted places by what the GPU itself offers; with MIG mode off some drivers do not tell.
    private mutating func checkWanted() {
      if wanted.isEmpty { return }
      if gpu.mig == nil && !gpu.isWhole {
        refuse(.migUnsupported, "\(gpu.board) has no MIG mode")
      } else if gpu.isWhole || gpu.mig?.current == true || !gpu.profiles.isEmpty {
        problems += ApplyPlanner.illegal(wanted, on: gpu)
      }
    }

    /// Room beside the instances that are not ours.
    private mutating func checkRoom(beside foreign: [ObservedInstance]) {
      for profile in gpu.profiles {
        let asked = wanted.filter { $0.profileID == profile.id }
        let others = foreign.filter { $0.profileID == profile.id }.count
        if !asked.isEmpty && asked.count + others > profile.maxInstances {
          refuse(
            .tooManyInstances,
            "\(asked.count) instances of \(profile.name) are wanted and \(others) are there that Parva did not make; "
              + "the GPU holds \(profile.maxInstances)")
        }
        for place in asked {
          guard let other = foreign.first(where: { $0.mask & profile.mask(at: place.start) != 0 }) else { continue }
          refuse(
            .foreignInstance,
            "\(profile.name) is wanted at \(place.start), where GPU instance \(other.id) (\(other.place)) stands that "
              + "Parva did not make: remove it, plan around it, or adopt it")
        }
      }
    }

    /// - Parameter makes: whether an instance is to be made: what stands already is none of a pending change's business.
    private mutating func planMode(makes: Bool) {
      guard let mode = gpu.mig, !wanted.isEmpty, !mode.current || makes && !mode.pending else { return }
      if !options.manageMIGMode {
        let mend = "--manage-mig-mode lets the node "
        refuse(
          .migDisabled,
          mode.current
            ? "MIG mode goes off with the next reset of the GPU; nvidia-smi -i \(gpu.uuid) -mig 1 takes that back, and "
              + mend + "do so"
            : "MIG mode is off; " + (mode.pending ? "it is pending a reset of the GPU" : mend + "turn it on"))
        return
      }
      // Taking back a change that waits needs no reset.
      if mode.current { return steps.append(.enableMIG(gpu: gpu.uuid)) }
      for process in gpu.processes where !options.drainable.contains(process.pid) {
        refuse(
          .migBusy,
          "process \(process.pid) (\(process.name)) uses the GPU, so its MIG mode cannot change: end it first",
          pid: process.pid, process: process.name)
      }
      steps.append(.enableMIG(gpu: gpu.uuid))
    }
  }
}

extension ObservedProfile {
  /// Memory slices of an instance that starts at `start`, as bits.
  package func mask(at start: Int) -> UInt64 { (size >= 64 ? .max : (1 << UInt64(size)) - 1) << UInt64(start) }
}

extension ObservedGPU {
  /// A GPU of which nothing but its name is known, and why.
  static func lost(_ uuid: String, _ code: String) -> ObservedGPU {
    ObservedGPU(index: .max, uuid: uuid, board: "unknown", fault: code)
  }
}
