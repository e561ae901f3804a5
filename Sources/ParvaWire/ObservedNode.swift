/// What a node's driver shows at one moment: every GPU with its MIG mode, profiles, instances and processes.
package struct ObservedNode: Codable, Hashable, Sendable {
  /// True when the driver is the stand-in: no hardware is behind any of it.
  package var simulated: Bool
  /// Where it was read: `nvml` or `nvidia-smi`.
  package var source: String
  package var driverVersion: String
  /// For example `12.4`; nil where the driver does not say.
  package var cudaVersion: String?
  package var gpus: [ObservedGPU]

  package init(
    simulated: Bool, source: String, driverVersion: String, cudaVersion: String? = nil, gpus: [ObservedGPU]
  ) {
    self.simulated = simulated
    self.source = source
    self.driverVersion = driverVersion
    self.cudaVersion = cudaVersion
    self.gpus = gpus
  }
}

/// One GPU as its driver shows it.
package struct ObservedGPU: Codable, Hashable, Sendable {
  package var index: Int
  package var uuid: String
  /// The driver's name of the board, for example `NVIDIA A100-SXM4-80GB`.
  package var board: String
  package var pciBusID: String?
  package var minor: Int?
  package var memoryMiB: Int?
  /// Nil on a GPU without MIG.
  package var mig: ObservedMIGMode?
  package var profiles: [ObservedProfile]
  /// By profile id, then start.
  package var instances: [ObservedInstance]
  /// Processes on the GPU as a whole; those on a MIG device stand with its compute instance.
  package var processes: [ObservedProcess]
  /// Why the driver does not tell the processes, for example `no_permission`; nil where `processes` is all of them.
  package var processesUnknown: String?
  /// Code of the fault that keeps the driver from answering, for example `gpu_is_lost`; the rest is then incomplete.
  package var fault: String?

  package init(
    index: Int, uuid: String, board: String, pciBusID: String? = nil, minor: Int? = nil, memoryMiB: Int? = nil,
    mig: ObservedMIGMode? = nil, profiles: [ObservedProfile] = [], instances: [ObservedInstance] = [],
    processes: [ObservedProcess] = [], fault: String? = nil
  ) {
    self.index = index
    self.uuid = uuid
    self.board = board
    self.pciBusID = pciBusID
    self.minor = minor
    self.memoryMiB = memoryMiB
    self.mig = mig
    self.profiles = profiles
    self.instances = instances
    self.processes = processes
    self.fault = fault
  }

  private enum CodingKeys: String, CodingKey {
    case index, uuid, board, minor, memoryMiB, mig, profiles, instances, processes, processesUnknown, fault
    case pciBusID = "pciBusId"
  }

  /// Whether the GPU has no MIG and is given away as a whole, as its one profile says.
  package var isWhole: Bool { mig == nil && profiles.count == 1 && profiles[0].name == "whole" }

  package func profile(id: Int) -> ObservedProfile? { profiles.first { $0.id == id } }
  package func instance(profileID: Int, start: Int) -> ObservedInstance? {
    instances.first { $0.profileID == profileID && $0.start == start }
  }
}

/// MIG mode now and after the next reset; they differ while a change waits for one.
package struct ObservedMIGMode: Codable, Hashable, Sendable {
  package var current: Bool
  package var pending: Bool

  package init(current: Bool, pending: Bool) {
    self.current = current
    self.pending = pending
  }
}

/// One GPU instance profile with its placements, as the driver reports it.
package struct ObservedProfile: Codable, Hashable, Sendable {
  package var id: Int
  package var name: String
  package var computeSlices: Int
  /// Memory slices of a placement.
  package var size: Int
  package var starts: [Int]
  package var maxInstances: Int
  package var memoryMiB: Int
  package var smCount: Int

  package init(
    id: Int, name: String, computeSlices: Int, size: Int, starts: [Int], maxInstances: Int, memoryMiB: Int,
    smCount: Int
  ) {
    self.id = id
    self.name = name
    self.computeSlices = computeSlices
    self.size = size
    self.starts = starts
    self.maxInstances = maxInstances
    self.memoryMiB = memoryMiB
    self.smCount = smCount
  }
}

/// One GPU instance. Its id says nothing about its placement.
package struct ObservedInstance: Codable, Hashable, Sendable {
  package var id: Int
  package var profileID: Int
  package var start: Int
  package var size: Int
  package var computes: [ObservedCompute]
  /// Why the driver does not tell what is in it, for example `no_permission`; `computes` is then empty.
  package var unreadable: String?

  package init(id: Int, profileID: Int, start: Int, size: Int, computes: [ObservedCompute] = []) {
    self.id = id
    self.profileID = profileID
    self.start = start
    self.size = size
    self.computes = computes
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: WireKey.self)
    id = try object.decode(Int.self, forKey: "id")
    profileID = try object.profileID()
    start = try object.decode(Int.self, forKey: "start")
    size = try object.decode(Int.self, forKey: "size")
    computes = try object.decode([ObservedCompute].self, forKey: "computes")
    unreadable = try object.decodeIfPresent(String.self, forKey: "unreadable")
  }

  private enum CodingKeys: String, CodingKey {
    case profileID = "profileId"
    case id, start, size, computes, unreadable
  }

  /// Whether one compute instance takes all of the instance's SMs: the only form that Parva makes and keeps.
  package var isWhole: Bool { computes.count == 1 && computes[0].full }
  /// UUID of the MIG device when there is exactly one.
  package var uuid: String? { computes.count == 1 ? computes[0].uuid : nil }
  /// Bit mask of the memory slices it stands on.
  package var mask: UInt64 { (size >= 64 ? .max : (1 << UInt64(size)) - 1) << UInt64(start) }
}

/// One compute instance, which is one MIG device.
package struct ObservedCompute: Codable, Hashable, Sendable {
  package var id: Int
  package var profileID: Int
  package var smCount: Int
  /// Whether it has all the SMs of its GPU instance.
  package var full: Bool
  package var uuid: String
  package var processes: [ObservedProcess]
  /// Why the driver does not tell the processes; nil where `processes` is all of them.
  package var processesUnknown: String?

  package init(
    id: Int, profileID: Int, smCount: Int, full: Bool, uuid: String, processes: [ObservedProcess] = [],
    processesUnknown: String? = nil
  ) {
    self.processesUnknown = processesUnknown
    self.id = id
    self.profileID = profileID
    self.smCount = smCount
    self.full = full
    self.uuid = uuid
    self.processes = processes
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: WireKey.self)
    id = try object.decode(Int.self, forKey: "id")
    profileID = try object.profileID()
    smCount = try object.decode(Int.self, forKey: "smCount")
    full = try object.decode(Bool.self, forKey: "full")
    uuid = try object.decode(String.self, forKey: "uuid")
    processes = try object.decode([ObservedProcess].self, forKey: "processes")
    processesUnknown = try object.decodeIfPresent(String.self, forKey: "processesUnknown")
  }

  private enum CodingKeys: String, CodingKey {
    case profileID = "profileId"
    case id, smCount, full, uuid, processes, processesUnknown
  }
}

/// A process that the driver lists on a GPU or a MIG device.
package struct ObservedProcess: Codable, Hashable, Sendable {
  package var pid: Int
  package var name: String
  package var memoryMiB: Int?

  package init(pid: Int, name: String, memoryMiB: Int? = nil) {
    self.pid = pid
    self.name = name
    self.memoryMiB = memoryMiB
  }
}
