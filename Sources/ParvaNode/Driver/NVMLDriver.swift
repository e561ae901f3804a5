import CNVML
package import ParvaWire
import Synchronization

/// The GPU driver through NVML: the sole user of CNVML.
package final class NVMLDriver: GPUDriver {
  /// Static per GPU: profiles with placements, and the compute profiles of each GPU instance profile.
  private struct Known {
    var profiles: [ObservedProfile] = []
    var computeProfiles: [Int: [NVMLLibrary.ComputeProfile]] = [:]
  }

  private let library: NVMLLibrary
  private let resetter: @Sendable (String) throws(DriverError) -> Void
  private let known = Mutex<[String: Known]>([:])
  /// UUIDs by index as last read, so that a lost GPU keeps its name.
  private let lastUUIDs = Mutex<[Int: String]>([:])

  /// Loads NVML at `path`, or the system's for nil. `resetter` resets one GPU by UUID: NVML has no call for it.
  package init(
    path: String?, resetter: @escaping @Sendable (String) throws(DriverError) -> Void = SMICommand.reset
  ) throws(DriverError) {
    library = try NVMLLibrary(path: path)
    self.resetter = resetter
  }

  package func observe() throws(DriverError) -> ObservedNode {
    let version = try library.driverVersion()
    var gpus: [ObservedGPU] = []
    for index in 0..<(try library.deviceCount()) {
      do {
        gpus.append(try read(try library.device(index: index), index: index))
      } catch {
        let uuid = lastUUIDs.withLock { $0[index] } ?? "unknown-\(index)"
        gpus.append(ObservedGPU(index: index, uuid: uuid, board: "unknown", fault: error.code))
      }
    }
    return ObservedNode(
      simulated: version.contains("SIMULATED"), source: "nvml", driverVersion: version,
      cudaVersion: library.cudaVersion(), gpus: gpus)
  }

  package func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU {
    let index = lastUUIDs.withLock { $0.first { $0.value == uuid }?.key }
    return try read(try library.device(uuid: uuid), index: index ?? -1)
  }

  private func read(_ device: cnvml_device, index: Int) throws(DriverError) -> ObservedGPU {
    let uuid = try library.uuid(device)
    if index >= 0 { lastUUIDs.withLock { $0[index] = uuid } }
    let mode = try library.migMode(device)
    var gpu = ObservedGPU(
      index: index, uuid: uuid, board: try library.name(device), pciBusID: library.pciBusID(device),
      minor: library.minor(device), memoryMiB: library.memoryMiB(device), mig: mode)
    if mode != nil { gpu.profiles = try profiles(device, uuid: uuid) }
    if mode?.current == true {
      for profile in gpu.profiles {
        for handle in try library.instances(device, profileID: profile.id, limit: profile.maxInstances) {
          gpu.instances.append(try read(handle, profile: profile, gpu: uuid))
        }
      }
      gpu.instances.sort { ($0.profileID, $0.start) < ($1.profileID, $1.start) }
    }
    let onInstances = Set(gpu.instances.flatMap(\.computes).flatMap(\.processes).map(\.pid))
    gpu.processes = try library.processes(device).filter { !onInstances.contains($0.pid) }
    return gpu
  }

  private func read(_ handle: cnvml_gi, profile: ObservedProfile, gpu: String) throws(DriverError) -> ObservedInstance {
    let info = try library.instanceInfo(handle)
    var instance = ObservedInstance(
      id: Int(info.id), profileID: Int(info.profile_id), start: Int(info.placement.start),
      size: Int(info.placement.size))
    let kinds = try computeProfiles(handle, profileID: profile.id, gpu: gpu)
    let widest = kinds.map(\.smCount).max() ?? 0
    for kind in kinds {
      for compute in try library.computes(handle, profile: kind) {
        let info = try library.computeInfo(compute)
        guard let mig = info.device.map({ cnvml_device($0) }) else { continue }
        instance.computes.append(
          ObservedCompute(
            id: Int(info.id), profileID: Int(info.profile_id), smCount: kind.smCount,
            full: kind.smCount == widest, uuid: try library.uuid(mig), processes: try library.processes(mig)))
      }
    }
    instance.computes.sort { $0.id < $1.id }
    return instance
  }

  private func profiles(_ device: cnvml_device, uuid: String) throws(DriverError) -> [ObservedProfile] {
    if let profiles = known.withLock({ $0[uuid]?.profiles }), !profiles.isEmpty { return profiles }
    let profiles = try library.profiles(device)
    known.withLock { $0[uuid, default: Known()].profiles = profiles }
    return profiles
  }

  private func computeProfiles(
    _ handle: cnvml_gi, profileID: Int, gpu: String
  ) throws(DriverError) -> [NVMLLibrary.ComputeProfile] {
    if let found = known.withLock({ $0[gpu]?.computeProfiles[profileID] }) { return found }
    let found = try library.computeProfiles(handle)
    known.withLock { $0[gpu, default: Known()].computeProfiles[profileID] = found }
    return found
  }
}

/// Changes. Every one names the GPU by UUID: indices and minor numbers move when a mode changes.
extension NVMLDriver {
  package func createInstance(gpu uuid: String, profileID: Int, start: Int) throws(DriverError) -> Int {
    let device = try library.device(uuid: uuid)
    guard let profile = try profiles(device, uuid: uuid).first(where: { $0.id == profileID }) else {
      throw DriverError(
        code: "profile_unknown", call: "nvmlDeviceGetGpuInstanceProfileInfo",
        detail: "\(uuid) offers no GPU instance profile \(profileID)")
    }
    let handle = try library.createInstance(device, profileID: profileID, start: start, size: profile.size)
    return Int(try library.instanceInfo(handle).id)
  }

  package func createCompute(gpu uuid: String, instance id: Int) throws(DriverError) {
    let handle = try library.instance(try library.device(uuid: uuid), id: id)
    let profileID = Int(try library.instanceInfo(handle).profile_id)
    let kinds = try computeProfiles(handle, profileID: profileID, gpu: uuid)
    // By SM count and not by slices: the double-memory 1g of Hopper is whole only with another one-slice profile.
    guard let widest = kinds.map(\.smCount).max(), let kind = kinds.first(where: { $0.smCount == widest }) else {
      throw DriverError(
        code: "profile_unknown", call: "nvmlGpuInstanceGetComputeInstanceProfileInfo",
        detail: "GPU instance \(id) offers no compute instance profile")
    }
    try library.createCompute(handle, profileID: kind.id)
  }

  package func destroyCompute(gpu uuid: String, instance: Int, compute: Int) throws(DriverError) {
    do {
      let handle = try library.instance(try library.device(uuid: uuid), id: instance)
      try library.destroyCompute(try library.compute(handle, id: compute))
    } catch {
      if error.code != DriverError.notFound { throw error }
    }
  }

  package func destroyInstance(gpu uuid: String, instance: Int) throws(DriverError) {
    do {
      try library.destroyInstance(try library.instance(try library.device(uuid: uuid), id: instance))
    } catch {
      if error.code != DriverError.notFound { throw error }
    }
  }

  package func setMIGMode(gpu uuid: String, enabled: Bool) throws(DriverError) -> ObservedMIGMode {
    try library.setMIGMode(try library.device(uuid: uuid), enabled: enabled)
    // The change may have unbound the device: look it up afresh.
    guard let mode = try library.migMode(try library.device(uuid: uuid)) else {
      throw DriverError(code: "not_supported", call: "nvmlDeviceGetMigMode", detail: "\(uuid) has no MIG mode")
    }
    return mode
  }

  package func reset(gpu uuid: String) throws(DriverError) { try resetter(uuid) }

  package func holders(gpu uuid: String) -> [ObservedProcess] {
    // The stand-in's minor numbers are those of no device.
    guard let version = try? library.driverVersion(), !version.contains("SIMULATED"),
      let device = try? library.device(uuid: uuid), let minor = library.minor(device)
    else { return [] }
    return DeviceHolders.processes(minor: minor)
  }

  package func faults() throws(DriverError) -> (any GPUFaultFeed)? { try NVMLFaultFeed(library) }
}
