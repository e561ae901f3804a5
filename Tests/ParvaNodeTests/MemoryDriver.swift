import ParvaEngine
import ParvaWire
import Synchronization

@testable import ParvaNode

/// A driver over values in memory, with faults by number of the changing call and a record of what was done.
final class MemoryDriver: GPUDriver {
  enum Fault: Hashable, Sendable {
    /// Nothing happens and the call fails.
    case before
    /// The call's effect happens and the call fails all the same.
    case after
    /// The process dies: nothing happens, and no later call does anything.
    case dieBefore
    case dieAfter
    /// The GPU stops answering for good.
    case lose
  }

  struct State: Sendable {
    var gpus: [ObservedGPU]
    var calls = 0
    var faults: [Int: Fault] = [:]
    var dead = false
    var lost: Set<String> = []
    var holders: [ObservedProcess] = []
    /// A handle that nobody lists keeps every compute instance.
    var leaksOnDestroy = false
    var destroyed: [OwnedInstance] = []
    /// Anything a real driver would have refused or a user would have lost service by.
    var violations: [String] = []
  }

  let state: Mutex<State>

  init(_ gpus: [ObservedGPU]) { state = Mutex(State(gpus: gpus)) }

  var gpus: [ObservedGPU] { state.withLock { $0.gpus } }
  var isDead: Bool { state.withLock { $0.dead } }

  func observe() throws(DriverError) -> ObservedNode {
    let gpus = state.withLock { state in
      state.gpus.map { state.lost.contains($0.uuid) ? ObservedGPU.lost($0.uuid, "gpu_is_lost") : $0 }
    }
    return ObservedNode(simulated: true, source: "memory", driverVersion: "SIMULATED", gpus: gpus)
  }

  func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU {
    let (found, lost, dead) = state.withLock { state in
      (state.gpus.first { $0.uuid == uuid }, state.lost.contains(uuid), state.dead)
    }
    if dead || lost { throw Self.error("gpu_is_lost") }
    guard let found else { throw Self.error("not_found") }
    return found
  }

  static func error(_ code: String) -> DriverError { DriverError(code: code, call: "memory", detail: "injected") }

  /// Runs one change under the faults that are due.
  private func change<Value: Sendable>(
    _ uuid: String, _ body: (inout State, Int) throws(DriverError) -> Value
  ) throws(DriverError) -> Value {
    let result: Result<Value, DriverError> = state.withLock { state in
      guard !state.dead, !state.lost.contains(uuid) else { return .failure(Self.error("gpu_is_lost")) }
      guard let gpu = state.gpus.firstIndex(where: { $0.uuid == uuid }) else {
        return .failure(Self.error("not_found"))
      }
      state.calls += 1
      switch state.faults[state.calls] {
      case .before: return .failure(Self.error("unknown"))
      case .dieBefore:
        state.dead = true
        return .failure(Self.error("gpu_is_lost"))
      case .lose:
        state.lost.insert(uuid)
        return .failure(Self.error("gpu_is_lost"))
      case .after, .dieAfter, nil: break
      }
      do throws(DriverError) {
        let value = try body(&state, gpu)
        if state.faults[state.calls] == .after { return .failure(Self.error("timeout")) }
        if state.faults[state.calls] == .dieAfter {
          state.dead = true
          return .failure(Self.error("gpu_is_lost"))
        }
        return .success(value)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  func createInstance(gpu uuid: String, profileID: Int, start: Int) throws(DriverError) -> Int {
    try change(uuid) { (state, at) throws(DriverError) in
      guard let profile = state.gpus[at].profile(id: profileID), profile.starts.contains(start) else {
        state.violations.append("illegal placement \(profileID):\(start)")
        throw Self.error("invalid_argument")
      }
      if state.gpus[at].instances.contains(where: { $0.mask & profile.mask(at: start) != 0 }) {
        state.violations.append("overlap at \(profileID):\(start)")
        throw Self.error("insufficient_resources")
      }
      // Bound to the place, as a driver's are: the same again when it is made again.
      let id = 100 + start
      state.gpus[at].instances.append(
        ObservedInstance(id: id, profileID: profileID, start: start, size: profile.size))
      return id
    }
  }

  func createCompute(gpu uuid: String, instance: Int) throws(DriverError) {
    try change(uuid) { (state, at) throws(DriverError) in
      guard let index = state.gpus[at].instances.firstIndex(where: { $0.id == instance }) else {
        throw Self.error("not_found")
      }
      guard state.gpus[at].instances[index].computes.isEmpty else { throw Self.error("insufficient_resources") }
      let place = state.gpus[at].instances[index].place
      state.gpus[at].instances[index].computes = [
        ObservedCompute(
          id: 0, profileID: 0, smCount: 1, full: true, uuid: "MIG-\(uuid)-\(place.profileID)-\(place.start)")
      ]
    }
  }

  func destroyCompute(gpu uuid: String, instance: Int, compute: Int) throws(DriverError) {
    try change(uuid) { (state, at) throws(DriverError) in
      guard let index = state.gpus[at].instances.firstIndex(where: { $0.id == instance }) else { return }
      let there = state.gpus[at].instances[index]
      if state.leaksOnDestroy { throw Self.error("in_use") }
      if there.computes.contains(where: { $0.id == compute && !$0.processes.isEmpty }) { throw Self.error("in_use") }
      state.gpus[at].instances[index].computes.removeAll { $0.id == compute }
      state.destroyed.append(
        OwnedInstance(gpu: uuid, place: there.place, instance: there.id, uuid: there.uuid))
    }
  }

  func destroyInstance(gpu uuid: String, instance: Int) throws(DriverError) {
    try change(uuid) { (state, at) throws(DriverError) in
      guard let index = state.gpus[at].instances.firstIndex(where: { $0.id == instance }) else { return }
      if !state.gpus[at].instances[index].computes.isEmpty { throw Self.error("in_use") }
      state.gpus[at].instances.remove(at: index)
    }
  }

  func setMIGMode(gpu uuid: String, enabled: Bool) throws(DriverError) -> MIGModeChange {
    try change(uuid) { (state, at) throws(DriverError) in
      if !state.holders.isEmpty && enabled {
        let mode = ObservedMIGMode(current: false, pending: true)
        state.gpus[at].mig = mode
        return MIGModeChange(mode: mode, activation: "in_use")
      }
      let mode = ObservedMIGMode(current: enabled, pending: enabled)
      state.gpus[at].mig = mode
      return MIGModeChange(mode: mode, activation: "success")
    }
  }

  func reset(gpu: String) throws(DriverError) {}

  func holders(gpu: String, instance: Int?) -> [ObservedProcess]? { state.withLock { $0.holders } }
}

extension ObservedGPU {
  /// An empty GPU of a product as a driver would show it.
  init(product: GPUProduct, index: Int = 0, uuid: String = "GPU-0") {
    self.init(
      index: index, uuid: uuid, board: product.boards.first ?? product.name,
      mig: ObservedMIGMode(current: true, pending: true),
      profiles: product.profiles.map {
        ObservedProfile(
          id: $0.driverProfileID, name: $0.name, computeSlices: $0.computeSlices, size: $0.placementSize,
          starts: $0.starts, maxInstances: $0.maxInstances, memoryMiB: $0.memoryMiB ?? 0, smCount: $0.smCount ?? 0)
      }.sorted { $0.id < $1.id })
  }
}
