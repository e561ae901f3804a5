import Foundation
import Logging
import ParvaFormats
import ParvaWire

/// What should run against what does.
extension NodeServices {
  /// The service in the place of `spec` as `wanted` has it: on the same MIG device, with the same number, and on the same
  /// port where that may stay. Nil when there is none.
  func spec(like spec: ServiceSpec, in wanted: WantedNode) -> ServiceSpec? {
    guard let instance = wanted.instance(gpu: spec.gpu, place: spec.place) else { return nil }
    switch spec.kind {
    case .mps: return launches.mps.daemon(of: instance, gpu: spec.gpu, uuid: spec.uuid)
    case .server:
      guard let launch = instance.launch, spec.ordinal < LaunchPlan.count(instance) else { return nil }
      let port = launch.port.flatMap { base in spec.port.flatMap { $0 >= base ? $0 : nil } ?? base }
      return try? launches.server(
        spec.ordinal, of: instance, launch: launch, gpu: spec.gpu, uuid: spec.uuid, port: port)
    }
  }

  /// Retires what the target does not have and adds what is missing.
  func reconcile(_ state: inout State) {
    guard let target = state.target else { return }
    for id in state.units.keys.sorted() {
      guard let unit = state.units[id] else { continue }
      let stands = target.owned.contains {
        $0.gpu == unit.spec.gpu && $0.place == unit.spec.place && $0.uuid == unit.spec.uuid
      }
      let isWanted = stands && spec(like: unit.spec, in: target.wanted) == unit.spec
      if !isWanted {
        state.units[id]?.isRetiring = true
      } else if unit.isRetiring {
        state.units[id]?.isRetiring = false
        state.units[id]?.machine.revive(at: .now)
      }
    }
    for owned in target.owned.sorted(by: { ($0.gpu, $0.place) < ($1.gpu, $1.place) }) {
      guard let uuid = owned.uuid, let instance = target.wanted.instance(gpu: owned.gpu, place: owned.place) else {
        continue
      }
      if let daemon = launches.mps.daemon(of: instance, gpu: owned.gpu, uuid: uuid) { add(daemon, to: &state) }
      guard let launch = instance.launch else { continue }
      for ordinal in 0..<LaunchPlan.count(instance) {
        addServer(ordinal, of: instance, launch: launch, gpu: owned.gpu, uuid: uuid, to: &state)
      }
    }
  }

  /// A unit with this id that is still there is another's to end; what is missing then comes with the next look.
  private func add(_ spec: ServiceSpec, to state: inout State) {
    if state.units[spec.id] != nil { return }
    state.units[spec.id] = ServiceUnit(
      spec: spec, machine: ServiceMachine(timing: configuration.timing, now: .now))
  }

  private func addServer(
    _ ordinal: Int, of instance: WantedInstance, launch: LaunchSpec, gpu: String, uuid: String,
    to state: inout State
  ) {
    if state.units["server-\(uuid)-\(ordinal)"] != nil { return }
    var port: Int?
    if let base = launch.port {
      port = LaunchPlan.freePort(from: base, beside: Set(state.units.values.compactMap { $0.spec.port }))
      if port == nil {
        logger.error("no port is free", metadata: ["from": "\(base)", "workload": "\(instance.workload ?? "")"])
        return
      }
    }
    do throws(LaunchTemplate.Refusal) {
      add(
        try launches.server(ordinal, of: instance, launch: launch, gpu: gpu, uuid: uuid, port: port), to: &state)
    } catch {
      logger.error("a launch cannot be read", metadata: ["reason": "\(error)"])
    }
  }
}
