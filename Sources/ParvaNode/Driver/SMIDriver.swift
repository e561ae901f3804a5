package import ParvaWire

/// A read-only driver over nvidia-smi, for a machine whose NVML cannot be loaded.
///
/// Every change is refused: nvidia-smi has no verified way to give a GPU instance its placement, and an instance at the
/// wrong start is worse than none.
package struct SMIDriver: GPUDriver {
  private let run: @Sendable ([String]) throws(DriverError) -> String

  /// `run` answers the standard output of nvidia-smi with these arguments.
  package init(run: @escaping @Sendable ([String]) throws(DriverError) -> String) { self.run = run }

  /// Over the nvidia-smi at `path`; throws `nvidia_smi_missing` when there is none.
  package init(path: String = "nvidia-smi") throws(DriverError) {
    run = { (arguments: [String]) throws(DriverError) in try SMICommand.run(arguments, path: path) }
    _ = try run(["-L"])
  }

  package func observe() throws(DriverError) -> ObservedNode {
    let listed = SMIParser.list(try run(["-L"]))
    let query = try run([
      "--query-gpu=index,driver_version,pci.bus_id,memory.total,mig.mode.current,mig.mode.pending",
      "--format=csv,noheader,nounits",
    ])
    let profiles = SMIParser.profiles(try listing("-lgip"))
    let places = SMIParser.placements(try listing("-lgipp"))
    let instances = SMIParser.instances(try listing("-lgi"))
    let computes = SMIParser.computes(try listing("-lci"))
    var version = "unknown"
    var gpus: [ObservedGPU] = []
    for case .gpu(let index, let board, let uuid) in listed {
      var gpu = ObservedGPU(index: index, uuid: uuid, board: board)
      for line in query.split(whereSeparator: \.isNewline) {
        let cells = line.split(separator: ",", omittingEmptySubsequences: false).map { Self.trim($0) }
        guard cells.count == 6, Int(cells[0]) == index else { continue }
        version = cells[1]
        gpu.pciBusID = cells[2]
        gpu.memoryMiB = Int(cells[3])
        if cells[4] == "Enabled" || cells[4] == "Disabled" {
          gpu.mig = ObservedMIGMode(current: cells[4] == "Enabled", pending: cells[5] == "Enabled")
        }
      }
      gpu.profiles = Self.profiles(of: index, rows: profiles, places: places)
      gpu.instances = Self.instances(of: index, rows: instances, computes: computes, listed: listed)
      gpus.append(gpu)
    }
    return ObservedNode(simulated: false, source: "nvidia-smi", driverVersion: version, gpus: gpus)
  }

  /// Without MIG on any GPU, and without instances, the `mig` listings fail: that is an empty list. What the user may not
  /// see is none: instances that are not shown are there all the same.
  private func listing(_ option: String) throws(DriverError) -> String {
    do {
      return try run(["mig", option])
    } catch {
      if ["not_found", "not_supported"].contains(error.code) { return "" }
      throw error
    }
  }

  private static func trim(_ text: Substring) -> String {
    String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }

  private static func profiles(
    of gpu: Int, rows: [SMIParser.ProfileRow], places: [SMIParser.PlacementRow]
  ) -> [ObservedProfile] {
    rows.filter { $0.gpu == gpu }.compactMap { row in
      guard let place = places.first(where: { $0.gpu == gpu && $0.profileID == row.id }) else { return nil }
      return ObservedProfile(
        id: row.id, name: row.name, computeSlices: Int(row.name.prefix { $0 != "g" }) ?? 0, size: place.size,
        starts: place.starts, maxInstances: row.total, memoryMiB: Int(row.memoryGiB * 1024), smCount: row.smCount)
    }.sorted { $0.id < $1.id }
  }

  /// nvidia-smi lists MIG devices in the order of its GPU and compute instance tables, which is how UUIDs are joined.
  private static func instances(
    of gpu: Int, rows: [SMIParser.InstanceRow], computes: [SMIParser.ComputeRow], listed: [SMIParser.ListRow]
  ) -> [ObservedInstance] {
    var uuids: [(name: String, uuid: String)] = []
    for case .mig(gpu, let name, _, let uuid) in listed { uuids.append((name, uuid)) }
    return rows.filter { $0.gpu == gpu }.map { row in
      var instance = ObservedInstance(id: row.instanceID, profileID: row.profileID, start: row.start, size: row.size)
      for compute in computes where compute.gpu == gpu && compute.instanceID == row.instanceID {
        // Drivers up to R460 end the UUID with both ids.
        let at =
          uuids.firstIndex { $0.uuid.hasSuffix("/\(row.instanceID)/\(compute.computeID)") }
          ?? uuids.firstIndex { $0.name == compute.name && !$0.uuid.contains("/") }
        let uuid = at.map { uuids.remove(at: $0).uuid } ?? ""
        instance.computes.append(
          ObservedCompute(
            id: compute.computeID, profileID: compute.profileID, smCount: 0,
            full: compute.name == row.name, uuid: uuid))
      }
      return instance
    }.sorted { ($0.profileID, $0.start) < ($1.profileID, $1.start) }
  }

  package func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU {
    guard let gpu = try observe().gpus.first(where: { $0.uuid == uuid }) else {
      throw DriverError(code: DriverError.notFound, call: "nvidia-smi -L", detail: "no GPU \(uuid)")
    }
    return gpu
  }

  package var isReadOnly: Bool { true }

  private static let readOnly = DriverError(
    code: "nvml_required", call: "nvidia-smi",
    detail: "only NVML can place an instance: install libnvidia-ml.so.1 or name it with --nvml")

  package func createInstance(gpu: String, profileID: Int, start: Int) throws(DriverError) -> Int {
    throw Self.readOnly
  }
  package func createCompute(gpu: String, instance: Int) throws(DriverError) { throw Self.readOnly }
  package func destroyCompute(gpu: String, instance: Int, compute: Int) throws(DriverError) { throw Self.readOnly }
  package func destroyInstance(gpu: String, instance: Int) throws(DriverError) { throw Self.readOnly }
  package func setMIGMode(gpu: String, enabled: Bool) throws(DriverError) -> MIGModeChange { throw Self.readOnly }
  package func reset(gpu: String) throws(DriverError) { throw Self.readOnly }
}
