import ParvaFormats
import ParvaWire

extension NodeServices {
  /// Gives a server that is about to start another port where somebody else listens on its own, who came there while it was
  /// away, or began to listen in the moment that it was chosen. Its health would be asked of them.
  func leaveTakenPort(_ unit: inout ServiceUnit, in state: State) {
    let spec = unit.spec
    guard spec.kind == .server, let port = spec.port, !LaunchPlan.isFree(port),
      let instance = state.target?.wanted.instance(gpu: spec.gpu, place: spec.place), let launch = instance.launch,
      let base = launch.port,
      let other = LaunchPlan.freePort(from: base, beside: Set(state.units.values.compactMap { $0.spec.port })),
      var moved = try? processes.launches.server(
        spec.ordinal, of: instance, launch: launch, gpu: spec.gpu, uuid: spec.uuid, port: other)
    else { return }
    moved.user = spec.user
    unit.spec = moved
  }
}
