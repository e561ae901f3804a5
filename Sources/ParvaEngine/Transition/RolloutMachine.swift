/// Carries a transition out node by node: who may begin what now. Pure: what happens is told, what to do is answered.
///
/// Each node has a part in the waves that touch it, one after the other. A part that destroys segments of a workload begins
/// when every part of an earlier wave that makes some for it is up; beside that nobody waits for anybody. So at every moment
/// the destroys under way belong to waves up to some number, and all that waves before it make for these workloads stands:
/// each has at least what the transition promises, in whichever order nodes get ready.
public struct RolloutMachine: Sendable {
  /// What one node does in one wave: its steps, at once.
  public struct Part: Hashable, Sendable {
    /// Index into ``Transition/waves``.
    public var wave: Int
    /// The node, or the GPU where it has none.
    public var node: String
    /// Indices into the wave's steps; none where the node is only told what it has.
    public var steps: [Int]
    /// Whether the node has no part after this one.
    public var isLast: Bool
  }

  public enum Progress: Hashable, Sendable {
    case waiting, running, done, failed
  }

  /// In order of wave; a node's own parts are in its order.
  public let parts: [Part]
  public private(set) var progress: [Progress]
  /// Whether nothing begins until ``resume()``.
  public private(set) var isPaused = false
  /// Whether nothing begins any more.
  public private(set) var isAborted = false

  /// Of each part, the workloads of which other parts wait for what it makes.
  public let awaited: [Set<String>]
  /// Parts, and behind them gates: one for each workload and wave in which some of it goes.
  private var unmet: [Int]
  private var dependents: [[Int]]
  /// Parts that wait for nobody and have not begun.
  private var ready: [Int] = []
  private var running = 0

  /// - Parameter settled: nodes that are told what they are to have even if no wave touches them.
  /// - Complexity: O(steps x log steps).
  public init(_ transition: Transition, of input: TransitionInput, settling settled: [String] = []) {
    var parts: [Part] = []
    var newest: [String: Int] = [:]
    var previous: [Int?] = []
    func add(_ wave: Int, _ node: String, _ steps: [Int]) {
      previous.append(newest[node])
      if let before = newest[node] { parts[before].isLast = false }
      newest[node] = parts.count
      parts.append(Part(wave: wave, node: node, steps: steps, isLast: true))
    }
    for (number, wave) in transition.waves.enumerated() {
      let byNode = Dictionary(grouping: wave.steps.indices) { index in
        let gpu = input.gpus[wave.steps[index].gpu]
        return gpu.node ?? gpu.name
      }
      for (node, steps) in byNode.sorted(by: { $0.key < $1.key }) { add(number, node, steps) }
    }
    for node in settled where newest[node] == nil { add(0, node, []) }
    self.parts = parts
    progress = Array(repeating: .waiting, count: parts.count)
    var graph = Graph(parts.count)
    for (part, before) in previous.enumerated() { if let before { graph.wait(part, for: before) } }
    // By workload, what each part makes and ends of it, in order of wave.
    var byWorkload: [String: [(part: Int, makes: Bool)]] = [:]
    for (index, part) in parts.enumerated() {
      var seen: [String: (makes: Bool, ends: Bool)] = [:]
      for step in part.steps.map({ transition.waves[part.wave].steps[$0] }) {
        if step.action == .create { seen[step.segment.workload, default: (false, false)].makes = true }
        if step.action == .destroy { seen[step.segment.workload, default: (false, false)].ends = true }
      }
      for (workload, what) in seen {
        if what.ends { byWorkload[workload, default: []].append((index, false)) }
        if what.makes { byWorkload[workload, default: []].append((index, true)) }
      }
    }
    var awaited = Array(repeating: Set<String>(), count: parts.count)
    for (workload, list) in byWorkload.sorted(by: { $0.key < $1.key }) {
      var gate: Int?
      // Parts that make some of it in waves since the newest gate.
      var makers: [Int] = []
      var next = list.startIndex
      for entry in list where !entry.makes {
        let wave = parts[entry.part].wave
        while next < list.endIndex, parts[list[next].part].wave < wave {
          if list[next].makes { makers.append(list[next].part) }
          next += 1
        }
        if !makers.isEmpty {
          let new = graph.add()
          for maker in makers { awaited[maker].insert(workload) }
          for maker in makers + (gate.map { [$0] } ?? []) { graph.wait(new, for: maker) }
          (gate, makers) = (new, [])
        }
        if let gate { graph.wait(entry.part, for: gate) }
      }
    }
    self.awaited = awaited
    unmet = graph.unmet
    dependents = graph.dependents
    ready = parts.indices.filter { graph.unmet[$0] == 0 }
  }

  /// Who waits for whom, while it is put together.
  private struct Graph {
    var unmet: [Int]
    var dependents: [[Int]]

    init(_ count: Int) {
      unmet = Array(repeating: 0, count: count)
      dependents = Array(repeating: [], count: count)
    }

    mutating func add() -> Int {
      unmet.append(0)
      dependents.append([])
      return unmet.count - 1
    }

    mutating func wait(_ one: Int, for other: Int) {
      guard one != other else { return }
      unmet[one] += 1
      dependents[other].append(one)
    }
  }

  // MARK: - What happens

  /// The parts to begin, by index; they run from here on. Nothing while paused or after an abort.
  public mutating func begin() -> [Int] {
    guard !isPaused, !isAborted else { return [] }
    defer { ready = [] }
    for part in ready { progress[part] = .running }
    running += ready.count
    return ready
  }

  /// A part that was begun has ended: all that it makes is up, or it has failed and its node has what it had before.
  public mutating func ended(_ part: Int, well: Bool) {
    guard progress[part] == .running else { return }
    running -= 1
    progress[part] = well ? .done : .failed
    guard well else { return }
    var done = [part]
    while let next = done.popLast() {
      for dependent in dependents[next] {
        unmet[dependent] -= 1
        guard unmet[dependent] == 0 else { continue }
        if dependent < parts.count { ready.append(dependent) } else { done.append(dependent) }
      }
    }
    ready.sort()
  }

  public mutating func pause() { isPaused = true }
  public mutating func resume() { isPaused = false }
  /// What runs goes on to its end; nothing begins any more.
  public mutating func abort() { isAborted = true }

  // MARK: - What is asked

  /// Of each part that waits, the first part that it waits for: one that is not done, or that has failed. O(edges).
  public var blockers: [Int: Int] {
    var blockers: [Int: Int] = [:]
    var seen: Set<Int> = []
    for part in parts.indices where progress[part] != .done {
      var next = dependents[part]
      while let one = next.popLast() {
        guard seen.insert(one).inserted else { continue }
        if one < parts.count { blockers[one] = part } else { next += dependents[one] }
      }
    }
    return blockers
  }

  /// Whether everything was done.
  public var isComplete: Bool { progress.allSatisfy { $0 == .done } }

  /// Whether nothing runs and nothing will begin any more, except after ``resume()``.
  public var isOver: Bool { running == 0 && (ready.isEmpty || isAborted) }

  /// Parts that wait, and will for ever once ``isOver``.
  public var waiting: [Int] { parts.indices.filter { progress[$0] == .waiting } }
}
