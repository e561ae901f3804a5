package import ParvaFormats
package import ParvaWire

/// Between mig-parted's counts by profile name and Parva's places by profile id.
package enum MigPartedMapping {
  package struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable: `config_unknown`, `gpu_unknown`, `profile_unknown`, `profile_ambiguous`, `does_not_fit`, `mig_disable_unsupported`,
    /// `device_filter_unsupported`.
    package var code: String
    package var message: String

    package var description: String { message }
  }

  /// What one named configuration asks of a node. Instances that stand where one may stay do so.
  package static func wanted(
    _ config: MigPartedConfig, named name: String?, on node: ObservedNode, owned: [OwnedInstance], revision: Int,
    adopt: Bool
  ) throws(Refusal) -> NodeAssignment {
    let names = config.configs.map(\.name).joined(separator: ", ")
    guard
      let entries = name == nil && config.configs.count == 1
        ? config.configs[0].entries : config.configs.first(where: { $0.name == name })?.entries
    else {
      throw Refusal(
        code: "config_unknown", message: "no configuration \(name ?? "") in the file; name one of \(names)")
    }
    var wanted = NodeAssignment(revision: revision, gpus: [])
    for entry in entries {
      if !entry.deviceFilter.isEmpty {
        throw Refusal(
          code: "device_filter_unsupported",
          message: "device-filter is not read: select GPUs by their index in devices")
      }
      if !entry.migEnabled {
        throw Refusal(
          code: "mig_disable_unsupported",
          message: "mig-enabled: false is not carried out: Parva never turns MIG mode off")
      }
      for index in entry.devices ?? node.gpus.map(\.index) {
        guard let gpu = node.gpus.first(where: { $0.index == index }) else {
          throw Refusal(code: "gpu_unknown", message: "this node has no GPU \(index)")
        }
        wanted.gpus.removeAll { $0.uuid == gpu.uuid }
        wanted.gpus.append(
          WantedGPU(
            uuid: gpu.uuid,
            instances: try places(entry, on: gpu, owned: owned, adopt: adopt).map {
              WantedInstance(profileID: $0.profileID, start: $0.start)
            }))
      }
    }
    return wanted
  }

  private static func places(
    _ entry: MigPartedConfig.Entry, on gpu: ObservedGPU, owned: [OwnedInstance], adopt: Bool
  ) throws(Refusal) -> [InstancePlace] {
    var counts: [Int: Int] = [:]
    for (name, count) in entry.migDevices {
      // By name because the format has nothing else.
      if let refusal = ambiguous(name, on: gpu) { throw refusal }
      guard let profile = gpu.profiles.first(where: { $0.name == name }) else {
        throw Refusal(
          code: "profile_unknown",
          message: "GPU \(gpu.index) offers no \(name), only \(gpu.profiles.map(\.name).joined(separator: ", "))")
      }
      counts[profile.id, default: 0] += count
    }
    let mine = gpu.owned(owned)
    let stays = adopt ? gpu.instances : mine
    let blocked = adopt ? [] : gpu.instances.filter { !mine.contains($0) }
    guard
      let places = PlacementChooser.choose(
        counts: counts, on: gpu, preferred: Set(stays.map(\.place)), blocked: blocked)
    else {
      let beside = blocked.isEmpty ? "" : " beside the \(blocked.count) that Parva did not make"
      throw Refusal(code: "does_not_fit", message: "the instances do not fit on GPU \(gpu.index)\(beside)")
    }
    return places
  }

  /// Older drivers may give two profiles one name: then the format cannot say which is meant.
  private static func ambiguous(_ name: String, on gpu: ObservedGPU) -> Refusal? {
    let alike = gpu.profiles.filter { $0.name == name }.map { String($0.id) }
    if alike.count < 2 { return nil }
    return Refusal(
      code: "profile_ambiguous",
      message: "GPU \(gpu.index) has the profiles \(alike.joined(separator: " and ")) by the name \(name), which a "
        + "mig-parted file cannot tell apart: use a file of Parva's own, which names profiles by id")
  }

  /// What the node has now, as one named configuration. GPUs that are cut alike share an entry.
  package static func export(
    _ node: ObservedNode, name: String = "current"
  ) throws(Refusal) -> MigPartedConfig {
    var entries: [MigPartedConfig.Entry] = []
    for gpu in node.gpus where gpu.mig != nil && gpu.fault == nil {
      var counts: [String: Int] = [:]
      for instance in gpu.instances {
        guard let name = gpu.profile(id: instance.profileID)?.name else {
          throw Refusal(
            code: "profile_unknown",
            message: "GPU \(gpu.index) does not name profile \(instance.profileID), of which an instance stands there: "
              + "use a file of Parva's own, which names profiles by id")
        }
        if let refusal = ambiguous(name, on: gpu) { throw refusal }
        counts[name, default: 0] += 1
      }
      let devices = counts.sorted { $0.key < $1.key }.map { (name: $0.key, count: $0.value) }
      let enabled = gpu.mig?.current == true
      let alike = entries.firstIndex {
        $0.migEnabled == enabled && $0.migDevices.elementsEqual(devices) { $0 == $1 }
      }
      if let alike {
        entries[alike].devices?.append(gpu.index)
      } else {
        entries.append(MigPartedConfig.Entry(devices: [gpu.index], migEnabled: enabled, migDevices: devices))
      }
    }
    return MigPartedConfig(configs: [(name, entries)])
  }
}
