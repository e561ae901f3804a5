import CNVML
package import ParvaWire
import Synchronization

/// The GPU driver through NVML: the sole user of CNVML. One call at a time: readings race with destroys inside the driver
/// and fail where the two are not kept apart.
package final class NVMLDriver: GPUDriver {
  /// What is known until a mode changes or a GPU is reset: handles and profiles die with either.
  ///
  /// `@unchecked Sendable`: handles are NVML's, which is thread safe.
  private struct Session: @unchecked Sendable {
    var isInitialised = true
    /// By UUID; a look-up that nothing remembers can take seconds.
    var devices: [String: cnvml_device] = [:]
    var profiles: [String: [ObservedProfile]] = [:]
    var computeProfiles: [String: [Int: [NVMLLibrary.ComputeProfile]]] = [:]
    /// UUIDs by index as last read, so that a lost GPU keeps its name.
    var uuids: [Int: String] = [:]

    mutating func forget() {
      devices = [:]
      profiles = [:]
      computeProfiles = [:]
    }
  }

  private let library: NVMLLibrary
  private let resetter: @Sendable (String) throws(DriverError) -> Void
  private let proc: String?
  private let session = Mutex(Session())
  private let gate = EventGate()

  /// Loads NVML at `path`, or the system's for nil. `resetter` resets one GPU by UUID, since NVML has no call for it; the
  /// library is shut down meanwhile. `proc` is where holders are looked for; nil where there are none to be found.
  package init(
    path: String?, proc: String? = "/proc",
    resetter: @escaping @Sendable (String) throws(DriverError) -> Void = SMICommand.reset
  ) throws(DriverError) {
    library = try NVMLLibrary(path: path)
    self.resetter = resetter
    self.proc = proc
  }

  private func exclusively<Value: Sendable>(
    _ body: (inout Session) throws(DriverError) -> Value
  ) throws(DriverError) -> Value {
    try session.withLock { (session) throws(DriverError) in
      // After a reset the library may have needed longer to come back than that call waited.
      if !session.isInitialised {
        try library.initialise()
        session.isInitialised = true
      }
      return try body(&session)
    }
  }

  package func observe() throws(DriverError) -> ObservedNode {
    try exclusively { (session) throws(DriverError) in
      let version = try library.driverVersion()
      var gpus: [ObservedGPU] = []
      for index in 0..<(try library.deviceCount()) {
        do throws(DriverError) {
          gpus.append(
            try twice { () throws(DriverError) in
              let device = try library.device(index: index)
              return try read(device, index: index, &session)
            })
        } catch {
          let uuid = session.uuids[index] ?? "unknown-\(index)"
          gpus.append(ObservedGPU(index: index, uuid: uuid, board: "unknown", fault: error.code))
        }
      }
      return ObservedNode(
        simulated: version.contains("SIMULATED"), source: "nvml", driverVersion: version,
        cudaVersion: library.cudaVersion(), gpus: gpus)
    }
  }

  package func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU {
    try exclusively { (session) throws(DriverError) in
      let index = session.uuids.first { $0.value == uuid }?.key
      return try twice { () throws(DriverError) in
        try read(try device(uuid, &session), index: index ?? -1, &session)
      }
    }
  }

  /// A reading that fails once is no fault: instances come and go while it lasts.
  private func twice<Value>(_ read: () throws(DriverError) -> Value) throws(DriverError) -> Value {
    do throws(DriverError) {
      return try read()
    } catch {
      if ["gpu_is_lost", "no_permission", DriverError.notFound].contains(error.code) { throw error }
      return try read()
    }
  }

  /// The handle of a GPU: the one that is remembered while it still names this GPU.
  private func device(_ uuid: String, _ session: inout Session) throws(DriverError) -> cnvml_device {
    if let known = session.devices[uuid] {
      do throws(DriverError) {
        if try library.uuid(known) == uuid { return known }
      } catch {
        if error.code == "gpu_is_lost" { throw error }
      }
      session.devices[uuid] = nil
    }
    let found = try library.device(uuid: uuid)
    session.devices[uuid] = found
    return found
  }

  private func read(_ device: cnvml_device, index: Int, _ session: inout Session) throws(DriverError) -> ObservedGPU {
    let uuid = try library.uuid(device)
    if index >= 0 { session.uuids[index] = uuid }
    session.devices[uuid] = device
    let mode = try library.migMode(device)
    var gpu = ObservedGPU(
      index: index, uuid: uuid, board: try library.name(device), pciBusID: library.pciBusID(device),
      minor: library.minor(device), memoryMiB: library.memoryMiB(device), mig: mode)
    if mode != nil { gpu.profiles = try profiles(device, uuid: uuid, &session) }
    if mode?.current == true {
      for profile in gpu.profiles {
        for handle in try library.instances(device, profileID: profile.id, limit: profile.maxInstances) {
          do throws(DriverError) {
            gpu.instances.append(try read(handle, profile: profile, gpu: uuid, &session))
          } catch {
            // Gone between the list and the look.
            if error.code != DriverError.notFound { throw error }
          }
        }
      }
      gpu.instances.sort { ($0.profileID, $0.start) < ($1.profileID, $1.start) }
    }
    let onInstances = Set(gpu.instances.flatMap(\.computes).flatMap(\.processes).map(\.pid))
    let (processes, unknown) = library.processes(device)
    if unknown == "gpu_is_lost" {
      throw DriverError(code: "gpu_is_lost", call: "nvmlDeviceGetComputeRunningProcesses", detail: "\(uuid) is lost")
    }
    gpu.processes = processes.filter { !onInstances.contains($0.pid) }
    gpu.processesUnknown = unknown
    return gpu
  }

  private func read(
    _ handle: cnvml_gi, profile: ObservedProfile, gpu: String, _ session: inout Session
  ) throws(DriverError) -> ObservedInstance {
    let info = try library.instanceInfo(handle)
    var instance = ObservedInstance(
      id: Int(info.id), profileID: Int(info.profile_id), start: Int(info.placement.start),
      size: Int(info.placement.size))
    do throws(DriverError) {
      instance.computes = try computes(handle, profile: profile, gpu: gpu, &session)
    } catch {
      // A user without the instance's capability sees that it is there and nothing of what is in it.
      if error.code != "no_permission" { throw error }
      instance.unreadable = error.code
    }
    return instance
  }

  private func computes(
    _ handle: cnvml_gi, profile: ObservedProfile, gpu: String, _ session: inout Session
  ) throws(DriverError) -> [ObservedCompute] {
    var found: [ObservedCompute] = []
    let kinds = try computeProfiles(handle, profileID: profile.id, gpu: gpu, &session)
    let widest = kinds.map(\.smCount).max() ?? 0
    for kind in kinds {
      for compute in try library.computes(handle, profile: kind) {
        let info = try library.computeInfo(compute)
        guard let mig = info.device.map({ cnvml_device($0) }) else { continue }
        let (processes, unknown) = library.processes(mig)
        found.append(
          ObservedCompute(
            id: Int(info.id), profileID: Int(info.profile_id), smCount: kind.smCount, full: kind.smCount == widest,
            uuid: try library.uuid(mig), processes: processes, processesUnknown: unknown))
      }
    }
    return found.sorted { $0.id < $1.id }
  }

  private func profiles(
    _ device: cnvml_device, uuid: String, _ session: inout Session
  ) throws(DriverError) -> [ObservedProfile] {
    if let profiles = session.profiles[uuid], !profiles.isEmpty { return profiles }
    let profiles = try library.profiles(device)
    session.profiles[uuid] = profiles
    return profiles
  }

  private func computeProfiles(
    _ handle: cnvml_gi, profileID: Int, gpu: String, _ session: inout Session
  ) throws(DriverError) -> [NVMLLibrary.ComputeProfile] {
    if let found = session.computeProfiles[gpu]?[profileID] { return found }
    let found = try library.computeProfiles(handle)
    session.computeProfiles[gpu, default: [:]][profileID] = found
    return found
  }
}

/// Changes. Every one names the GPU by UUID: indices and minor numbers move when a mode changes.
extension NVMLDriver {
  package func createInstance(gpu uuid: String, profileID: Int, start: Int) throws(DriverError) -> Int {
    try exclusively { (session) throws(DriverError) in
      let device = try device(uuid, &session)
      guard let profile = try profiles(device, uuid: uuid, &session).first(where: { $0.id == profileID }) else {
        throw DriverError(
          code: "profile_unknown", call: "nvmlDeviceGetGpuInstanceProfileInfo",
          detail: "\(uuid) offers no GPU instance profile \(profileID)")
      }
      let handle = try library.createInstance(device, profileID: profileID, start: start, size: profile.size)
      return Int(try library.instanceInfo(handle).id)
    }
  }

  package func createCompute(gpu uuid: String, instance id: Int) throws(DriverError) {
    try exclusively { (session) throws(DriverError) in
      let handle = try library.instance(try device(uuid, &session), id: id)
      let profileID = Int(try library.instanceInfo(handle).profile_id)
      let kinds = try computeProfiles(handle, profileID: profileID, gpu: uuid, &session)
      // By SM count and not by slices: the double-memory 1g of Hopper is whole only with another one-slice profile.
      guard let widest = kinds.map(\.smCount).max(), let kind = kinds.first(where: { $0.smCount == widest }) else {
        throw DriverError(
          code: "profile_unknown", call: "nvmlGpuInstanceGetComputeInstanceProfileInfo",
          detail: "GPU instance \(id) offers no compute instance profile")
      }
      try library.createCompute(handle, profileID: kind.id)
    }
  }

  package func destroyCompute(gpu uuid: String, instance: Int, compute: Int) throws(DriverError) {
    try exclusively { (session) throws(DriverError) in
      do throws(DriverError) {
        let handle = try library.instance(try device(uuid, &session), id: instance)
        try library.destroyCompute(try library.compute(handle, id: compute))
      } catch {
        if error.code != DriverError.notFound { throw error }
      }
    }
  }

  package func destroyInstance(gpu uuid: String, instance: Int) throws(DriverError) {
    try exclusively { (session) throws(DriverError) in
      do throws(DriverError) {
        try library.destroyInstance(try library.instance(try device(uuid, &session), id: instance))
      } catch {
        if error.code != DriverError.notFound { throw error }
      }
    }
  }

  package func setMIGMode(gpu uuid: String, enabled: Bool) throws(DriverError) -> MIGModeChange {
    try exclusively { (session) throws(DriverError) in
      // The change may unbind the device: whatever was known of it is looked up afresh.
      let activation = try gate.closed(freeing: library.freeEvents) { () throws(DriverError) in
        defer { session.forget() }
        return try library.setMIGMode(try device(uuid, &session), enabled: enabled)
      }
      guard let mode = try library.migMode(try device(uuid, &session)) else {
        throw DriverError(code: "not_supported", call: "nvmlDeviceGetMigMode", detail: "\(uuid) has no MIG mode")
      }
      return MIGModeChange(mode: mode, activation: activation)
    }
  }

  /// Lets go of everything first: an open handle keeps a GPU from being reset, this process's own too.
  package func reset(gpu uuid: String) throws(DriverError) {
    try exclusively { (session) throws(DriverError) in
      try gate.closed(freeing: library.freeEvents) { () throws(DriverError) in
        session.forget()
        library.shutdown()
        session.isInitialised = false
        let outcome = Result { () throws(DriverError) in try resetter(uuid) }
        try library.initialise()
        session.isInitialised = true
        try outcome.get()
      }
    }
  }

  package func holders(gpu uuid: String, instance: Int?) -> [ObservedProcess]? {
    guard let proc else { return nil }
    let minor = try? exclusively { (session) throws(DriverError) in library.minor(try device(uuid, &session)) }
    guard let minor = minor ?? nil else { return nil }
    return DeviceHolders.processes(minor: minor, instance: instance, proc: proc)
  }

  package func faults() throws(DriverError) -> (any GPUFaultFeed)? { try NVMLFaultFeed(library, gate) }
}
