import Foundation
package import ParvaWire
import Synchronization

/// The driver over nvidia-smi, for a machine whose NVML cannot be loaded. One command at a time.
///
/// Instances are made with their placement, `-cgi PROFILE:START`, and what was made is what the listings show afterwards,
/// whatever the command said. A listing with lines that cannot be read is an error and never an empty one.
package final class SMIDriver: GPUDriver {
  private struct Session: Sendable {
    /// UUIDs by index as last listed, so that a lost GPU keeps its name.
    var uuids: [Int: String] = [:]
    /// By index; they die with a change of mode.
    var profiles: [Int: [ObservedProfile]] = [:]
  }

  private let run: @Sendable ([String]) throws(DriverError) -> String
  private let proc: String
  private let session = Mutex(Session())

  /// `run` answers the standard output of nvidia-smi with these arguments. `proc` is where holders are looked for.
  package init(proc: String = "/proc", run: @escaping @Sendable ([String]) throws(DriverError) -> String) {
    self.run = run
    self.proc = proc
  }

  /// Over the nvidia-smi at `path`; throws `nvidia_smi_missing` when there is none.
  package init(path: String = "nvidia-smi", proc: String = "/proc") throws(DriverError) {
    run = { (arguments: [String]) throws(DriverError) in try SMICommand.run(arguments, path: path) }
    self.proc = proc
    _ = try run(["-L"])
  }

  private func exclusively<Value: Sendable>(
    _ body: (inout Session) throws(DriverError) -> Value
  ) throws(DriverError) -> Value {
    try session.withLock { (session) throws(DriverError) in try body(&session) }
  }

  package func observe() throws(DriverError) -> ObservedNode {
    try exclusively { (session) throws(DriverError) in try observe(&session) }
  }

  package func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU {
    guard let gpu = try observe().gpus.first(where: { $0.uuid == uuid }) else {
      throw DriverError(code: DriverError.notFound, call: "nvidia-smi -L", detail: "no GPU \(uuid)")
    }
    if let fault = gpu.fault {
      throw DriverError(code: fault, call: "nvidia-smi -L", detail: "\(uuid) does not answer")
    }
    return gpu
  }

  private func observe(_ session: inout Session) throws(DriverError) -> ObservedNode {
    guard let listed = SMIParser.list(try run(["-L"])) else {
      throw DriverError(
        code: "unknown_text", call: "nvidia-smi -L", detail: "a line about a GPU is in no known form; use NVML")
    }
    let fields = "index,driver_version,pci.bus_id,memory.total,mig.mode.current,mig.mode.pending"
    let query = SMIParser.query(try run(["--query-gpu=\(fields)", "--format=csv,noheader,nounits"]))
    var gpus: [ObservedGPU] = []
    var lost: [Int: String] = [:]
    for case .lost(let index) in listed { lost[index] = Self.lost }
    for case .gpu(let index, let board, let uuid) in listed {
      session.uuids[index] = uuid
      var gpu = ObservedGPU(index: index, uuid: uuid, board: board)
      guard let row = query.first(where: { $0.count == 6 && Int($0[0]) == index }) else {
        lost[index] = Self.lost
        continue
      }
      gpu.pciBusID = row[2]
      gpu.memoryMiB = Int(row[3])
      switch Self.mode(current: row[4], pending: row[5]) {
      case .success(let mode):
        gpu.mig = mode
        gpus.append(gpu)
      case .failure(let error): lost[index] = error.code
      }
    }
    // What was seen before and is in no listing any more.
    for index in session.uuids.keys where !gpus.contains(where: { $0.index == index }) {
      lost[index] = lost[index] ?? Self.lost
    }
    if gpus.contains(where: { $0.mig?.current == true }) {
      try readInstances(&gpus, listed, isWhole: lost.isEmpty, &session)
    }
    readProcesses(&gpus, isWhole: lost.isEmpty)
    gpus += lost.map { index, code in
      ObservedGPU(index: index, uuid: session.uuids[index] ?? "unknown-\(index)", board: "unknown", fault: code)
    }
    let version = query.first { $0.count == 6 }?[1] ?? "unknown"
    return ObservedNode(
      simulated: version.contains("SIMULATED"), source: "nvidia-smi", driverVersion: version,
      gpus: gpus.sorted { $0.index < $1.index })
  }

  private static let lost = "gpu_is_lost"

  /// The MIG mode by two cells of a query, nil on a GPU without; a failure where the GPU does not answer for it.
  private static func mode(current: String, pending: String) -> Result<ObservedMIGMode?, DriverError> {
    let words = ["Enabled": true, "Disabled": false]
    if let current = words[current], let pending = words[pending] {
      return .success(ObservedMIGMode(current: current, pending: pending))
    }
    if ["N/A", "[N/A]", "Not Supported", "[Not Supported]"].contains(current) { return .success(nil) }
    return .failure(
      DriverError(code: SMIParser.code(of: current), call: "nvidia-smi --query-gpu", detail: "mig.mode: \(current)"))
  }

  // MARK: - Listings

  /// Rows of a `mig` listing. Without MIG on any GPU, and without instances, the command fails: that is an empty list.
  /// What the user may not see, and what cannot be read, is not.
  ///
  /// - Parameter gpu: the one to be listed; nil for all, which fails while one is lost.
  private func listing<Row>(
    _ option: String, of gpu: String?, mark: String = "MIG", _ parse: (String) -> [Row]
  ) throws(DriverError) -> [Row] {
    let text: String
    do {
      text = try run(["mig"] + (gpu.map { ["-i", $0] } ?? []) + [option])
    } catch {
      // It is asked only where the query says of a GPU that its MIG mode is on.
      if error.detail.contains("MIG-enabled") { throw Self.contradiction(option, "no GPU has MIG mode on") }
      if SMIParser.saysNothingIsThere(error.detail) { return [] }
      throw error
    }
    let rows = parse(text)
    let lines = text.split(whereSeparator: \.isNewline).count {
      SMIParser.words($0).contains { $0.contains(mark) } && !$0.contains("MIG-enabled")
    }
    guard rows.count == lines, lines > 0 || text.contains("No ") else {
      throw DriverError(
        code: "unknown_text", call: "nvidia-smi mig \(option)",
        detail: "lines of the listing are in no known form (\(lines) of them, \(rows.count) read); use NVML")
    }
    return rows
  }

  private static func contradiction(_ option: String, _ said: String) -> DriverError {
    DriverError(
      code: "unknown_text", call: "nvidia-smi mig \(option)",
      detail: "it says that \(said), and another listing says the opposite; use NVML")
  }

  private func readInstances(
    _ gpus: inout [ObservedGPU], _ listed: [SMIParser.ListRow], isWhole: Bool, _ session: inout Session
  ) throws(DriverError) {
    let enabled = gpus.filter { $0.mig?.current == true }
    let asked: [String?] = isWhole ? [nil] : enabled.map(\.uuid)
    if enabled.contains(where: { session.profiles[$0.index] == nil }) {
      var rows: [SMIParser.ProfileRow] = []
      var places: [SMIParser.PlacementRow] = []
      for gpu in asked {
        rows += try listing("-lgip", of: gpu, SMIParser.profiles)
        places += try listing("-lgipp", of: gpu, mark: "{", SMIParser.placements)
      }
      for gpu in enabled where !rows.contains(where: { $0.gpu == gpu.index }) {
        throw Self.contradiction("-lgip", "GPU \(gpu.index) has no profiles")
      }
      for gpu in enabled { session.profiles[gpu.index] = Self.profiles(of: gpu.index, rows: rows, places: places) }
    }
    var instances: [SMIParser.InstanceRow] = []
    var computes: [SMIParser.ComputeRow] = []
    for gpu in asked {
      instances += try listing("-lgi", of: gpu, SMIParser.instances)
      computes += try listing("-lci", of: gpu, SMIParser.computes)
    }
    // UUIDs are joined by order: what was made or destroyed between the listings would shift them.
    var named = listed
    if !Self.agree(named, computes, enabled) { named = SMIParser.list(try run(["-L"])) ?? [] }
    guard Self.agree(named, computes, enabled) else {
      throw DriverError(
        code: "unknown_text", call: "nvidia-smi -L",
        detail: "it names another number of MIG devices than nvidia-smi mig -lci lists; use NVML")
    }
    for at in gpus.indices where gpus[at].mig?.current == true {
      gpus[at].profiles = session.profiles[gpus[at].index] ?? []
      gpus[at].instances = Self.instances(of: gpus[at].index, rows: instances, computes: computes, listed: named)
    }
  }

  private static func agree(
    _ listed: [SMIParser.ListRow], _ computes: [SMIParser.ComputeRow], _ gpus: [ObservedGPU]
  ) -> Bool {
    gpus.allSatisfy { gpu in
      let named = listed.count { if case .mig(gpu.index, _, _, _) = $0 { true } else { false } }
      return named == computes.count { $0.gpu == gpu.index }
    }
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

  /// nvidia-smi lists MIG devices by the ids of their GPU and compute instances, which is how UUIDs are joined.
  private static func instances(
    of gpu: Int, rows: [SMIParser.InstanceRow], computes: [SMIParser.ComputeRow], listed: [SMIParser.ListRow]
  ) -> [ObservedInstance] {
    var uuids: [(name: String, uuid: String)] = []
    for case .mig(gpu, let name, _, let uuid) in listed { uuids.append((name, uuid)) }
    return rows.filter { $0.gpu == gpu }.sorted { $0.instanceID < $1.instanceID }.map { row in
      var instance = ObservedInstance(id: row.instanceID, profileID: row.profileID, start: row.start, size: row.size)
      for compute in computes.filter({ $0.gpu == gpu && $0.instanceID == row.instanceID })
        .sorted(by: { $0.computeID < $1.computeID })
      {
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

  /// One table for all GPUs, or one for each where some GPU is lost: of all it says then nothing but that.
  private func readProcesses(_ gpus: inout [ObservedGPU], isWhole: Bool) {
    let all = isWhole ? table([]) : nil
    for at in gpus.indices {
      let (rows, unknown) = all ?? table(["-i", gpus[at].uuid])
      func processes(_ instance: Int?, _ compute: Int?) -> [ObservedProcess] {
        let found = rows.filter {
          $0.gpu == gpus[at].index && $0.instanceID == instance && $0.computeID == compute
        }
        let once = Dictionary(found.map { ($0.pid, $0) }) { first, _ in first }.values
        return once.sorted { $0.pid < $1.pid }.map {
          ObservedProcess(pid: $0.pid, name: $0.name, memoryMiB: $0.memoryMiB)
        }
      }
      gpus[at].processes = processes(nil, nil)
      gpus[at].processesUnknown = unknown
      for (i, instance) in gpus[at].instances.enumerated() {
        for (c, compute) in instance.computes.enumerated() {
          gpus[at].instances[i].computes[c].processes = processes(instance.id, compute.id)
          gpus[at].instances[i].computes[c].processesUnknown = unknown
        }
      }
    }
  }

  /// The table of processes that nvidia-smi prints with these arguments, or the code for which there is none.
  private func table(_ arguments: [String]) -> (rows: [SMIParser.ProcessRow], unknown: String?) {
    do throws(DriverError) {
      guard let rows = SMIParser.processes(try run(arguments)) else { return ([], "unknown_text") }
      return (rows, nil)
    } catch {
      return ([], error.code)
    }
  }
}

/// Changes. Every one names the GPU by UUID.
extension SMIDriver {
  package func createInstance(gpu uuid: String, profileID: Int, start: Int) throws(DriverError) -> Int {
    try exclusively { (_) throws(DriverError) in
      _ = try run(["mig", "-i", uuid, "-cgi", "\(profileID):\(start)"])
    }
    guard let made = try observe(gpu: uuid).instance(profileID: profileID, start: start) else {
      throw DriverError(
        code: "read_back_differs", call: "nvidia-smi mig -cgi \(profileID):\(start)",
        detail: "the command went through and no such instance is listed")
    }
    return made.id
  }

  package func createCompute(gpu uuid: String, instance: Int) throws(DriverError) {
    try exclusively { (_) throws(DriverError) in
      // Without a profile named it is the one with all multiprocessors.
      _ = try run(["mig", "-i", uuid, "-cci", "-gi", "\(instance)"])
    }
  }

  package func destroyCompute(gpu uuid: String, instance: Int, compute: Int) throws(DriverError) {
    try destroy(["mig", "-i", uuid, "-dci", "-gi", "\(instance)", "-ci", "\(compute)"])
  }

  package func destroyInstance(gpu uuid: String, instance: Int) throws(DriverError) {
    try destroy(["mig", "-i", uuid, "-dgi", "-gi", "\(instance)"])
  }

  private func destroy(_ arguments: [String]) throws(DriverError) {
    try exclusively { (_) throws(DriverError) in
      do throws(DriverError) {
        _ = try run(arguments)
      } catch {
        if error.code != DriverError.notFound { throw error }
      }
    }
  }

  package func setMIGMode(gpu uuid: String, enabled: Bool) throws(DriverError) -> MIGModeChange {
    let said = try exclusively { (session) throws(DriverError) in
      session.profiles = [:]
      return try run(["-i", uuid, "-mig", enabled ? "1" : "0"])
    }
    guard let mode = try observe(gpu: uuid).mig else {
      throw DriverError(code: "not_supported", call: "nvidia-smi -mig", detail: "\(uuid) has no MIG mode")
    }
    let isPending = mode.current != mode.pending
    let activation =
      !isPending ? "success" : SMIParser.code(of: said) == DriverError.inUse ? "in_use" : "reset_required"
    return MIGModeChange(mode: mode, activation: activation)
  }

  package func reset(gpu uuid: String) throws(DriverError) {
    try exclusively { (session) throws(DriverError) in
      session.profiles = [:]
      _ = try run(["-r", "-i", uuid])
    }
  }

  package func holders(gpu uuid: String, instance: Int?) -> [ObservedProcess]? {
    // nvidia-smi has no query for the number of a device's node.
    guard let bus = (try? observe(gpu: uuid))?.pciBusID,
      let minor = DeviceHolders.minor(bus: bus, proc: proc)
    else { return nil }
    return DeviceHolders.processes(minor: minor, instance: instance, proc: proc)
  }
}
