package import ParvaEngine
import ParvaWire

/// The way from what stands on the nodes to what a plan wants of them, with what each node is told on it. Pure.
package struct FleetTransition: Sendable {
  package let input: TransitionInput
  package let transition: Transition
  /// Who may begin what; a node that no wave touches has one part if its notes differ.
  package internal(set) var machine: RolloutMachine
  /// Nodes on which something has to stay that is to go.
  package let unreached: Set<String>
  private let goal: RolloutGoal
  /// What each node has or was told to have, by GPU and place.
  private var contents: [String: [String: [InstancePlace: WantedInstance]]]
  /// For segments for the way only: an instance of the same shape.
  private let shapes: [Shape: WantedInstance]

  private struct Shape: Hashable {
    var workload: String
    var profileID: Int
    var batch: Int
    var processes: Int

    init(workload: String, profileID: Int, batch: Int, processes: Int) {
      self.workload = workload
      self.profileID = profileID
      self.batch = batch
      self.processes = processes
    }

    /// Nil where nothing runs on the instance.
    init?(_ instance: WantedInstance) {
      guard let workload = instance.workload, let batch = instance.batch, let processes = instance.processes else {
        return nil
      }
      self.init(workload: workload, profileID: instance.profileID, batch: batch, processes: processes)
    }
  }

  /// O(GPUs + instances) beside the planning of the transition.
  package init(_ fleet: Fleet, to goal: RolloutGoal, _ terms: RolloutTerms) {
    self.goal = goal
    var gpus: [TransitionInput.GPU] = []
    var standing: [String: [WantedInstance]] = [:]
    for (name, node) in fleet.nodes {
      let isTold = terms.nodes.contains(name)
      let there = node.knowsItsState || !isTold ? node.certain : node.likely(between: goal.assignments.gpus[name] ?? [])
      for gpu in there { standing[gpu.uuid] = gpu.instances }
    }
    var wanted: [String: [WantedInstance]] = [:]
    for name in terms.nodes { for gpu in goal.assignments.gpus[name] ?? [] { wanted[gpu.uuid] = gpu.instances } }
    var contents: [String: [String: [InstancePlace: WantedInstance]]] = [:]
    var starts = StartNumbers()
    var shapes: [Shape: WantedInstance] = [:]
    // Requests per second of what stands, whether or not it is known to be up.
    var owed: [String: Double] = [:]
    for gpu in fleet.inventory.gpus {
      guard let product = gpu.product, let node = fleet.nodes[gpu.node] else { continue }
      let isTold = terms.nodes.contains(gpu.node)
      let there = standing[gpu.uuid] ?? []
      var after: [StandingSegment] = []
      if isTold {
        after = (wanted[gpu.uuid] ?? []).compactMap { instance in
          Self.segment(instance, product, instance.capacity ?? 0, &starts)
        }
      }
      let before = there.compactMap { instance -> StandingSegment? in
        let capacity = node.isUp(instance, on: gpu.uuid) ? instance.capacity ?? 0 : 0
        guard let segment = Self.segment(instance, product, capacity, &starts) else { return nil }
        owed[segment.workload, default: 0] += instance.capacity ?? 0
        guard isTold else { return segment }
        let stays = after.contains { $0.runsAs(segment) }
        // What stays is told what the new plan calls it.
        let named = wanted[gpu.uuid]?.first { stays && $0.place == instance.place }
        contents[gpu.node, default: [:]][gpu.uuid, default: [:]][instance.place] = named ?? instance
        // What is to stay and whose servers are not up yet is still to come: others may have to wait for it.
        return stays && node.isStarting(instance, on: gpu.uuid) ? nil : segment
      }
      if !isTold { after = before }
      let isOpen = isTold && gpu.exclusion == nil && !gpu.isSilent
      guard isOpen || !before.isEmpty || !after.isEmpty else { continue }
      for instance in there + (wanted[gpu.uuid] ?? []) {
        if let shape = Shape(instance), shapes[shape] == nil { shapes[shape] = instance }
      }
      gpus.append(
        TransitionInput.GPU(
          name: gpu.uuid, node: gpu.node, product: product, before: before, after: after, isOpen: isOpen))
    }
    var services: [String: TransitionInput.Service] = [:]
    for workload in Set(owed.keys).union(goal.rates.keys) {
      let stands = owed[workload] ?? 0
      services[workload] = TransitionInput.Service(
        rateBefore: min(stands, goal.before[workload] ?? stands), rateAfter: goal.rates[workload] ?? 0,
        tenant: goal.tenants[workload])
    }
    // What is to come on a node or GPU that cannot be told anything now does not come: what it would replace stays.
    let usable = Set(fleet.inventory.gpus.lazy.filter { $0.product != nil && $0.exclusion != .faulty }.map(\.uuid))
    let isWhole = goal.assignments.gpus.allSatisfy { name, gpus in
      guard let node = fleet.nodes[name] else { return false }
      if terms.nodes.contains(name) { return gpus.allSatisfy { usable.contains($0.uuid) } }
      return node.hasVerified(gpus)
        && gpus.allSatisfy { gpu in gpu.instances.allSatisfy { node.isUp($0, on: gpu.uuid) } }
    }
    input = TransitionInput(
      gpus: gpus, services: services, maxUnavailable: terms.maxUnavailable, allowsShortfall: isWhole)
    self.shapes = shapes
    self.contents = contents
    transition = TransitionPlanner.plan(input)
    let behind = terms.nodes.filter { name in
      fleet.nodes[name]?.hasVerified(goal.assignments.gpus[name] ?? []) != true
    }
    machine = RolloutMachine(transition, of: input, settling: behind.sorted())
    unreached = Self.unreached(transition, input)
  }

  // MARK: - Telling

  /// What the node of a part is told when it begins; later parts of that node start from it. O(its instances).
  mutating func tell(_ index: Int) -> [WantedGPU] {
    let part = machine.parts[index]
    var node = contents[part.node] ?? [:]
    for step in steps(of: part) {
      let (gpu, place) = (input.gpus[step.gpu], place(of: step))
      switch step.action {
      case .destroy: node[gpu.name]?[place] = nil
      case .create: node[gpu.name, default: [:]][place] = made(step, gpu, place, part.node)
      }
    }
    contents[part.node] = node
    // What no table knows changes with the last part.
    if part.isLast && !unreached.contains(part.node) { return goal.assignments.gpus[part.node] ?? [] }
    return node.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map { uuid, instances in
      WantedGPU(uuid: uuid, instances: instances.values.sorted { $0.place < $1.place })
    }
  }

  private func made(
    _ step: Transition.Step, _ gpu: TransitionInput.GPU, _ place: InstancePlace, _ node: String
  ) -> WantedInstance? {
    if !step.isTemporary {
      return goal.assignments.gpus[node]?.first { $0.uuid == gpu.name }?.instances.first { $0.place == place }
    }
    let segment = step.segment
    let shape = Shape(
      workload: segment.workload, profileID: place.profileID, batch: segment.batch, processes: segment.processes)
    var instance = shapes[shape]
    instance?.start = place.start
    instance?.segment = segment.id
    instance?.capacity = segment.capacity
    return instance
  }

  /// What a part makes that others wait for, by GPU.
  func awaited(of index: Int) -> [(uuid: String, place: InstancePlace)] {
    let workloads = machine.awaited[index]
    return steps(of: machine.parts[index])
      .filter { $0.action == .create && workloads.contains($0.segment.workload) }
      .map { (input.gpus[$0.gpu].name, place(of: $0)) }
  }

  /// Segments that a part makes.
  func made(in index: Int) -> Int { steps(of: machine.parts[index]).count { $0.action == .create } }

  private func steps(of part: RolloutMachine.Part) -> [Transition.Step] {
    part.steps.map { transition.waves[part.wave].steps[$0] }
  }

  private func place(of step: Transition.Step) -> InstancePlace {
    let placement = step.segment.placement
    return InstancePlace(
      profileID: input.gpus[step.gpu].product.profiles[placement.profile].driverProfileID, start: placement.start)
  }

  private static func unreached(_ transition: Transition, _ input: TransitionInput) -> Set<String> {
    guard !input.allowsShortfall else { return [] }
    var standing = input.gpus.map(\.before)
    for step in transition.waves.lazy.flatMap(\.steps) {
      switch step.action {
      case .create: standing[step.gpu].append(step.segment)
      case .destroy: standing[step.gpu].removeAll { $0 == step.segment }
      }
    }
    let left = input.gpus.indices.filter { index in
      let after = input.gpus[index].after
      return standing[index].count != after.count
        || !standing[index].allSatisfy { there in after.contains { $0.runsAs(there) } }
    }
    return Set(left.compactMap { input.gpus[$0].node })
  }

  // MARK: - Segments

  /// Nil where nothing runs on the instance, or the product has no such profile.
  private static func segment(
    _ instance: WantedInstance, _ product: GPUProduct, _ capacity: Double, _ starts: inout StartNumbers
  ) -> StandingSegment? {
    guard let profile = product.profileIndex(driverID: instance.profileID), let workload = instance.workload,
      let batch = instance.batch, let processes = instance.processes
    else { return nil }
    return StandingSegment(
      workload: workload, id: instance.segment ?? "\(workload)/?", model: instance.model ?? "",
      placement: Placement(profile: profile, start: instance.start), batch: batch, processes: processes,
      capacity: capacity, startsAs: starts.number(of: instance))
  }

  /// Numbers for how processes are started: equal where a node would not start them anew.
  private struct StartNumbers {
    private var numbers: [StartedAs: Int] = [:]

    mutating func number(of instance: WantedInstance) -> Int {
      let start = instance.startedAs
      let number = numbers[start] ?? numbers.count + 1
      numbers[start] = number
      return number
    }
  }
}
