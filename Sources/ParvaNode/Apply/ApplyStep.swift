package import ParvaWire

/// One change on one GPU. Steps of a GPU destroy first and create after, each group by (profile id, start).
package enum ApplyStep: Codable, Hashable, Sendable {
  /// Turns MIG mode on, with a reset of the GPU where its product needs one.
  case enableMIG(gpu: String)
  case destroyCompute(gpu: String, place: InstancePlace, instance: Int, compute: Int)
  case destroyInstance(gpu: String, place: InstancePlace, instance: Int)
  case createInstance(gpu: String, place: InstancePlace)
  /// Makes the compute instance with all SMs in the GPU instance at `place`.
  case createCompute(gpu: String, place: InstancePlace)

  package var gpu: String {
    switch self {
    case .enableMIG(let gpu), .destroyCompute(let gpu, _, _, _), .destroyInstance(let gpu, _, _),
      .createInstance(let gpu, _), .createCompute(let gpu, _):
      gpu
    }
  }

  package var place: InstancePlace? {
    switch self {
    case .enableMIG: nil
    case .destroyCompute(_, let place, _, _), .destroyInstance(_, let place, _), .createInstance(_, let place),
      .createCompute(_, let place):
      place
    }
  }
}

extension ApplyStep: CustomStringConvertible {
  package var description: String {
    switch self {
    case .enableMIG(let gpu): "\(gpu): enable MIG mode"
    case .destroyCompute(let gpu, let place, let instance, let compute):
      "\(gpu): destroy compute instance \(compute) of GPU instance \(instance), \(place)"
    case .destroyInstance(let gpu, let place, let instance): "\(gpu): destroy GPU instance \(instance), \(place)"
    case .createInstance(let gpu, let place): "\(gpu): create GPU instance, \(place)"
    case .createCompute(let gpu, let place): "\(gpu): create compute instance, \(place)"
    }
  }
}

/// A GPU instance that Parva made: what it may destroy. Everything else on the GPU is foreign.
package struct OwnedInstance: Codable, Hashable, Sendable {
  package var gpu: String
  package var place: InstancePlace
  /// The driver's id of the GPU instance.
  package var instance: Int
  /// UUID of its MIG device; nil until the compute instance is there.
  package var uuid: String?

  package init(gpu: String, place: InstancePlace, instance: Int, uuid: String? = nil) {
    self.gpu = gpu
    self.place = place
    self.instance = instance
    self.uuid = uuid
  }

  /// Whether an instance that the driver shows now is this one and not another at the same place.
  ///
  /// A compute instance that somebody else put into it does not make it foreign: only a different MIG device does.
  package func matches(_ observed: ObservedInstance, on gpu: String) -> Bool {
    self.gpu == gpu && place == observed.place && instance == observed.id
      && (uuid == nil || observed.computes.isEmpty || observed.computes.contains { $0.uuid == uuid })
  }
}

extension OwnedInstance {
  /// Whether a GPU that answers no longer shows it. One that says to have no MIG mode at all could not have had it: its mode
  /// cannot be read now.
  func isGone(from observed: ObservedGPU) -> Bool {
    observed.uuid == gpu && observed.fault == nil && (observed.mig != nil || observed.isWhole)
      && !observed.instances.contains { matches($0, on: gpu) }
  }
}

extension ObservedInstance {
  package var place: InstancePlace { InstancePlace(profileID: profileID, start: start) }
}

extension ObservedGPU {
  /// The instances of the GPU that Parva made.
  package func owned(_ owned: [OwnedInstance]) -> [ObservedInstance] {
    instances.filter { instance in owned.contains { $0.matches(instance, on: uuid) } }
  }
}
