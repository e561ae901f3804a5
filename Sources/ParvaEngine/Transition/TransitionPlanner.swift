/// Finds the waves of a transition.
///
/// Each wave destroys what its workloads can spare of what stands, and creates whatever has room then. Old segments that
/// depend on each other over workloads and GPUs form a group; a small group goes in the order that an exact search finds
/// (``DestroyOrder``), a large one in waves that take as much as they can. Where nothing can go, a segment for the way only
/// is made in room that nothing else wants; where there is no such room, the old segment whose end hurts least goes
/// all the same, and the outlook says by how much.
public enum TransitionPlanner {
  /// Segments for the way only that one old segment may need.
  static let mostTemporaries = 4

  /// O(waves x (old segments + GPUs)) beside the exact searches.
  public static func plan(_ input: TransitionInput) -> Transition {
    let fleet = TransitionFleet(input)
    let groups = Self.groups(fleet)
    var orders: [Int: DestroyOrder] = [:]
    var searched: Set<Int> = []
    for (number, group) in groups.enumerated() {
      let order = DestroyOrder(fleet, group)
      guard order.order != nil else { continue }
      orders[number] = order
      if order.shortfall == 0 { searched.insert(number) }
    }
    let groupOf = Dictionary(
      uniqueKeysWithValues: groups.enumerated().flatMap { number, group in group.map { ($0, number) } })
    // Segments for the way are tried first where no order keeps everything. Where they end worse than the order that
    // was found, the order is kept instead; that may take room from other groups, which are asked again then. In the end
    // all groups go in their orders, and none falls shorter than was found.
    var best: Run?
    while true {
      var run = Run(fleet, groupOf: groupOf, orders: orders, searched: searched)
      run.finish()
      let worse = orders.filter { number, order in
        !searched.contains(number) && run.shortfall(of: groups[number]) > order.shortfall + Tolerance.relative
      }
      if best.map({ run.worst < $0.worst }) ?? true { best = run }
      if worse.isEmpty { return (best ?? run).transition }
      searched.formUnion(worse.keys)
    }
  }

  /// Old segments that are tied together by what is to change on their GPUs and by their workloads, each by number.
  private static func groups(_ fleet: TransitionFleet) -> [[Int]] {
    let gpus = fleet.input.gpus.count
    var parent = Array(0..<(gpus + fleet.workloads.count))
    func root(_ index: Int) -> Int {
      var index = index
      while parent[index] != index {
        parent[index] = parent[parent[index]]
        index = parent[index]
      }
      return index
    }
    for unit in fleet.units where unit.role == .old || unit.role == .new {
      let (a, b) = (root(unit.gpu), root(gpus + unit.workload))
      if a != b { parent[max(a, b)] = min(a, b) }
    }
    return Dictionary(grouping: fleet.olds) { root(fleet.units[$0].gpu) }.sorted { $0.key < $1.key }.map(\.value)
  }
}

extension TransitionPlanner {
  /// One attempt, wave by wave.
  private struct Run {
    private var fleet: TransitionFleet
    private let groupOf: [Int: Int]
    private let searched: Set<Int>
    /// Of these the ones that go one after the other.
    private let strict: Set<Int>
    /// New segments that may not come yet, and by old segment those that may once it is gone.
    private var barred: Set<Int> = []
    private var freed: [Int: [Int]] = [:]
    /// What is to go, in the order in which it is asked.
    private var leaving: [Int]
    private var waves: [Transition.Wave] = []
    private var temporaries = 0
    private var least: [Double]
    private var leastWave: [Int?]
    private let capacityBefore: [Double]

    init(_ fleet: TransitionFleet, groupOf: [Int: Int], orders: [Int: DestroyOrder], searched: Set<Int>) {
      self.fleet = fleet
      self.groupOf = groupOf
      self.searched = searched
      strict = searched.filter { orders[$0]?.isStrict == true }
      var ranks: [Int: Int] = [:]
      for number in searched.sorted() {
        guard let order = orders[number] else { continue }
        for (rank, old) in (order.order ?? []).enumerated() { ranks[old] = rank }
        if order.isStrict { freed.merge(order.freed) { first, _ in first } }
      }
      barred = Set(freed.values.joined())
      least = fleet.up
      leastWave = Array(repeating: nil, count: fleet.up.count)
      capacityBefore = fleet.up
      // Where nothing was searched, what makes room for others goes before what does not, and large before small.
      func key(_ old: Int) -> (Int, Int, Double, Int) {
        if searched.contains(groupOf[old] ?? 0) { return (0, ranks[old] ?? 0, 0, old) }
        return (fleet.pending[fleet.units[old].gpu].isEmpty ? 1 : 0, 0, -fleet.units[old].capacity, old)
      }
      leaving = fleet.olds.sorted { key($0) < key($1) }
    }

    // MARK: - Waves

    mutating func finish() {
      wave(whatCanGo(), arrivingOn: Array(fleet.pending.indices))
      while !leaving.isEmpty {
        var going = whatCanGo()
        if going.isEmpty {
          // What is made for the way may not be able to go again where not all can come.
          guard fleet.input.allowsShortfall else { break }
          if help() { continue }
          going = [leaving[whatHurtsLeast()]]
        }
        wave(going, arrivingOn: Set(going.map { fleet.units[$0].gpu }).sorted())
      }
    }

    /// Everything that the workloads can spare at once, in order of rank. In a searched group a workload's segments go
    /// in their order: one that cannot go yet holds back those behind it, and in a strict one all others of the group.
    private func whatCanGo() -> [Int] {
      var gone: [Int: Double] = [:]
      var isHeldBack: Set<Int> = []
      var groupsHeldBack: Set<Int> = []
      return leaving.filter { unit in
        let workload = fleet.units[unit].workload
        let group = groupOf[unit] ?? -1
        guard !isHeldBack.contains(workload), !groupsHeldBack.contains(group) else { return false }
        let capacity = fleet.units[unit].capacity
        guard fleet.canLose(gone[workload, default: 0] + capacity, workload) else {
          if searched.contains(group) { isHeldBack.insert(workload) }
          if strict.contains(group) { groupsHeldBack.insert(group) }
          return false
        }
        gone[workload, default: 0] += capacity
        return true
      }
    }

    /// The index in `leaving` of what leaves its workload the least short of its floor, by share.
    private func whatHurtsLeast() -> Int {
      func lack(_ unit: Int) -> Double {
        let workload = fleet.units[unit].workload
        let floor = fleet.floor(workload)
        return floor > 0 ? (floor - fleet.up[workload] + fleet.units[unit].capacity) / floor : 0
      }
      // In a searched group only the next of its order is asked.
      var isAsked: Set<Int> = []
      var best = 0
      var bestLack = Double.infinity
      for (index, unit) in leaving.enumerated() {
        if let group = groupOf[unit], searched.contains(group), !isAsked.insert(group).inserted { continue }
        let lack = lack(unit)
        if lack < bestLack { (best, bestLack) = (index, lack) }
      }
      return best
    }

    /// Makes what lets one old segment go, with as few segments for the way as any needs. False where there is no room.
    private mutating func help() -> Bool {
      var best: (workload: Int, shapes: [(gpu: Int, segment: StandingSegment)])?
      var isAsked: Set<Int> = []
      // Groups that go in their order had their segments for the way before, or need none.
      for unit in leaving where groupOf[unit].map({ !searched.contains($0) }) == true {
        let workload = fleet.units[unit].workload
        guard isAsked.insert(workload).inserted else { continue }
        let smallest =
          leaving.lazy.filter { [fleet] in fleet.units[$0].workload == workload && fleet.units[$0].role == .old }
          .map { [fleet] in fleet.units[$0].capacity }.min() ?? 0
        let missing = fleet.floor(workload) - (fleet.up[workload] - smallest)
        guard let found = helpers(workload, missing) else { continue }
        if found.count < best?.shapes.count ?? .max { best = (workload, found) }
        if found.count == 1 { break }
      }
      guard let best else { return false }
      var steps: [Transition.Step] = []
      for (gpu, segment) in best.shapes {
        leaving.append(fleet.help(segment, of: best.workload, on: gpu))
        steps.append(Transition.Step(action: .create, gpu: gpu, segment: segment, isTemporary: true))
      }
      temporaries += steps.count
      waves.append(Transition.Wave(steps: steps.sorted { $0.gpu < $1.gpu }))
      return true
    }

    /// Segments like those that the workload has or is to have, in free room, of `missing` requests per second together.
    private func helpers(_ workload: Int, _ missing: Double) -> [(gpu: Int, segment: StandingSegment)]? {
      // Shapes by product, the largest first; a shape that is enough alone, the smallest such, before all others.
      var shapes: [(product: String, segment: StandingSegment)] = []
      for unit in fleet.units where unit.workload == workload && unit.role != .temporary {
        let product = fleet.input.gpus[unit.gpu].product.name
        let isKnown = shapes.contains { shape in
          shape.product == product && shape.segment.placement.profile == unit.segment.placement.profile
            && shape.segment.batch == unit.segment.batch && shape.segment.processes == unit.segment.processes
        }
        if !isKnown { shapes.append((product, unit.segment)) }
      }
      func order(_ capacity: Double) -> (Int, Double) { capacity >= missing ? (0, capacity) : (1, -capacity) }
      shapes.sort { order($0.segment.capacity) < order($1.segment.capacity) }
      var trial = fleet
      var left = missing
      var found: [(gpu: Int, segment: StandingSegment)] = []
      for _ in 0..<TransitionPlanner.mostTemporaries {
        guard
          let next = Self.place(
            shapes, workload, trial, "\(fleet.workloads[workload])/way-\(temporaries + found.count)")
        else { return nil }
        _ = trial.help(next.segment, of: workload, on: next.gpu)
        found.append(next)
        left -= next.segment.capacity
        if left <= Tolerance.relative * missing { return found }
      }
      return nil
    }

    private static func place(
      _ shapes: [(product: String, segment: StandingSegment)], _ workload: Int, _ fleet: TransitionFleet, _ id: String
    ) -> (gpu: Int, segment: StandingSegment)? {
      for shape in shapes {
        for (gpu, place) in fleet.input.gpus.enumerated() where place.product.name == shape.product {
          if var segment = fleet.room(for: shape.segment, of: workload, on: gpu) {
            segment.id = id
            return (gpu, segment)
          }
        }
      }
      return nil
    }

    /// What goes, and everything that has room then on these GPUs.
    private mutating func wave(_ going: [Int], arrivingOn gpus: [Int]) {
      var steps: [Transition.Step] = []
      for unit in going {
        fleet.destroy(unit)
        let number = fleet.units[unit].workload
        if fleet.up[number] < least[number] { (least[number], leastWave[number]) = (fleet.up[number], waves.count) }
        steps.append(step(.destroy, unit))
      }
      let isGoing = Set(going)
      leaving.removeAll { isGoing.contains($0) }
      var gpus = Set(gpus)
      for new in going.flatMap({ freed[$0] ?? [] }) {
        barred.remove(new)
        gpus.insert(fleet.units[new].gpu)
      }
      let coming = gpus.sorted().flatMap { [barred] gpu in
        fleet.arrivals(on: gpu, beside: fleet.standing[gpu], except: barred)
      }
      for unit in coming {
        fleet.create(unit)
        steps.append(step(.create, unit))
      }
      guard !steps.isEmpty else { return }
      steps.sort {
        ($0.gpu, $0.action == .destroy ? 0 : 1, $0.segment.placement.start)
          < ($1.gpu, $1.action == .destroy ? 0 : 1, $1.segment.placement.start)
      }
      waves.append(Transition.Wave(steps: steps))
    }

    private func step(_ action: Transition.Action, _ unit: Int) -> Transition.Step {
      Transition.Step(
        action: action, gpu: fleet.units[unit].gpu, segment: fleet.units[unit].segment,
        isTemporary: fleet.units[unit].role == .temporary)
    }

    // MARK: - What is told

    /// The greatest share of its floor that a workload of these units lacks on the way.
    func shortfall(of units: [Int]) -> Double {
      units.map { lack(fleet.units[$0].workload) }.max() ?? 0
    }

    var worst: Double { fleet.workloads.indices.map(lack).max() ?? 0 }

    private func lack(_ workload: Int) -> Double {
      let floor = fleet.floor(workload)
      return floor > 0 ? max(0, (floor - least[workload]) / floor) : 0
    }

    var transition: Transition {
      Transition(
        waves: waves,
        outlooks: fleet.workloads.enumerated().map { number, name in
          Transition.Outlook(
            workload: name, rateBefore: fleet.services[number].rateBefore, rateAfter: fleet.services[number].rateAfter,
            capacityBefore: capacityBefore[number], capacityAfter: fleet.up[number], least: least[number],
            leastWave: leastWave[number], maxUnavailable: fleet.input.maxUnavailable)
        }, temporaries: temporaries)
    }
  }
}
