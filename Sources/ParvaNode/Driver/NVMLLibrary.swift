import CNVML
import Foundation
import ParvaWire

/// The loaded NVML with Swift values in and out; throws NVML's codes by name.
///
/// `@unchecked Sendable`: the C table is written once when it is opened and NVML itself is thread safe.
final class NVMLLibrary: @unchecked Sendable {
  let raw: OpaquePointer

  /// Loads and initialises the library at `path`, or the system's.
  init(path: String?) throws(DriverError) {
    var message = [CChar](repeating: 0, count: 512)
    guard let opened = cnvml_open(path, &message, message.count) else {
      throw DriverError(
        code: "driver_library_missing", call: "dlopen",
        detail: "\(path ?? "libnvidia-ml.so.1") cannot be loaded: \(Self.text(message))")
    }
    raw = opened
    // What was opened is closed by deinit, which follows a failure from here on.
    try initialise()
  }

  deinit {
    shutdown()
    cnvml_close(raw)
  }

  func initialise() throws(DriverError) {
    try check(cnvml_init(raw), "nvmlInit", "the driver does not answer; is its kernel module loaded?")
  }

  /// Ends every handle.
  func shutdown() { _ = cnvml_shutdown(raw) }

  static func error(_ code: Int32, _ call: String, _ detail: String) -> DriverError {
    DriverError(code: String(cString: cnvml_code_name(code)), call: call, detail: "\(detail) (NVML code \(code))")
  }

  static func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The text in a fixed-size C array of a struct.
  private static func text<Array>(ofArray array: Array) -> String {
    withUnsafeBytes(of: array) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private func check(_ code: Int32, _ call: String, _ detail: @autoclosure () -> String) throws(DriverError) {
    if code != 0 { throw Self.error(code, call, detail()) }
  }

  private func string(
    _ call: String, _ read: (OpaquePointer, UnsafeMutablePointer<CChar>, UInt32) -> Int32
  ) throws(DriverError) -> String {
    var buffer = [CChar](repeating: 0, count: Int(CNVML_UUID_SIZE))
    let code = buffer.withUnsafeMutableBufferPointer { read(raw, $0.baseAddress!, UInt32($0.count)) }
    try check(code, call, "the driver gives no text")
    return Self.text(buffer)
  }

  func driverVersion() throws(DriverError) -> String {
    try string("nvmlSystemGetDriverVersion") { cnvml_driver_version($0, $1, min($2, UInt32(CNVML_VERSION_SIZE))) }
  }

  func cudaVersion() -> String? {
    var version: Int32 = 0
    return cnvml_cuda_version(raw, &version) == 0 ? "\(version / 1000).\(version % 1000 / 10)" : nil
  }

  func deviceCount() throws(DriverError) -> Int {
    var count: UInt32 = 0
    try check(cnvml_device_count(raw, &count), "nvmlDeviceGetCount", "the GPUs cannot be counted")
    return Int(count)
  }

  func device(index: Int) throws(DriverError) -> cnvml_device {
    var device: cnvml_device?
    try check(
      cnvml_device_by_index(raw, UInt32(index), &device), "nvmlDeviceGetHandleByIndex", "GPU \(index) does not answer")
    return try present(device, "nvmlDeviceGetHandleByIndex")
  }

  func device(uuid: String) throws(DriverError) -> cnvml_device {
    var device: cnvml_device?
    try check(cnvml_device_by_uuid(raw, uuid, &device), "nvmlDeviceGetHandleByUUID", "\(uuid) does not answer")
    return try present(device, "nvmlDeviceGetHandleByUUID")
  }

  private func present<Handle>(_ handle: Handle?, _ call: String) throws(DriverError) -> Handle {
    guard let handle else { throw DriverError(code: "unknown", call: call, detail: "success without a handle") }
    return handle
  }

  func uuid(_ device: cnvml_device) throws(DriverError) -> String {
    try string("nvmlDeviceGetUUID") { cnvml_device_uuid($0, device, $1, $2) }
  }

  func name(_ device: cnvml_device) throws(DriverError) -> String {
    try string("nvmlDeviceGetName") { cnvml_device_name($0, device, $1, $2) }
  }

  func pciBusID(_ device: cnvml_device) -> String? {
    var pci = cnvml_pci()
    guard cnvml_device_pci(raw, device, &pci) == 0 else { return nil }
    return Self.text(ofArray: pci.bus_id)
  }

  func minor(_ device: cnvml_device) -> Int? {
    var minor: UInt32 = 0
    return cnvml_device_minor(raw, device, &minor) == 0 ? Int(minor) : nil
  }

  func memoryMiB(_ device: cnvml_device) -> Int? {
    var total: UInt64 = 0
    var used: UInt64 = 0
    return cnvml_device_memory(raw, device, &total, &used) == 0 ? Int(total >> 20) : nil
  }

  /// Nil on a GPU without MIG, or with a library that knows nothing of it.
  func migMode(_ device: cnvml_device) throws(DriverError) -> ObservedMIGMode? {
    var current: UInt32 = 0
    var pending: UInt32 = 0
    let code = cnvml_mig_mode(raw, device, &current, &pending)
    if code == CNVML_NOT_SUPPORTED.rawValue || code == CNVML_FUNCTION_NOT_FOUND.rawValue { return nil }
    try check(code, "nvmlDeviceGetMigMode", "the MIG mode cannot be read")
    return ObservedMIGMode(current: current == 1, pending: pending == 1)
  }

  /// The name of the activation's code: why the mode waits, or `success`.
  func setMIGMode(_ device: cnvml_device, enabled: Bool) throws(DriverError) -> String {
    var activation: Int32 = 0
    try check(
      cnvml_set_mig_mode(raw, device, enabled, &activation), "nvmlDeviceSetMigMode",
      "the MIG mode cannot be changed; it takes CAP_SYS_ADMIN, and a virtual machine may not be allowed to")
    return String(cString: cnvml_code_name(activation))
  }
}

/// GPU instances.
extension NVMLLibrary {
  /// All profiles of the GPU with their placements, by id.
  func profiles(_ device: cnvml_device) throws(DriverError) -> [ObservedProfile] {
    var found: [ObservedProfile] = []
    var enumeration: UInt32 = 0
    while enumeration < 256 {
      var info = cnvml_gi_profile()
      let code = cnvml_gi_profile_by_enum(raw, device, enumeration, &info)
      enumeration += 1
      if code == CNVML_INVALID_ARGUMENT.rawValue || code == CNVML_FUNCTION_NOT_FOUND.rawValue { break }
      if code == CNVML_NOT_SUPPORTED.rawValue { continue }
      try check(code, "nvmlDeviceGetGpuInstanceProfileInfo", "profile \(enumeration - 1) cannot be read")
      let places = try placements(device, profileID: info.id)
      guard let size = places.first?.size else { continue }
      let told = Self.text(ofArray: info.name)
      // Newer libraries put `MIG ` before it.
      let name = told.hasPrefix("MIG ") ? String(told.dropFirst(4)) : told
      found.append(
        ObservedProfile(
          id: Int(info.id), name: name.isEmpty ? "\(info.slice_count)g (id \(info.id))" : name,
          computeSlices: Int(info.slice_count), size: Int(size), starts: places.map { Int($0.start) }.sorted(),
          maxInstances: Int(info.instance_count), memoryMiB: Int(info.memory_mb),
          smCount: Int(info.multiprocessor_count)))
    }
    return found.sorted { $0.id < $1.id }
  }

  private func placements(_ device: cnvml_device, profileID: UInt32) throws(DriverError) -> [cnvml_placement] {
    let call = "nvmlDeviceGetGpuInstancePossiblePlacements"
    var count: UInt32 = 0
    var code = cnvml_gi_placements(raw, device, profileID, nil, &count)
    if code == CNVML_INSUFFICIENT_SIZE.rawValue { code = 0 }
    try check(code, call, "placements of profile \(profileID) cannot be read")
    var places = [cnvml_placement](repeating: cnvml_placement(), count: Int(count))
    guard count > 0 else { return [] }
    try check(
      cnvml_gi_placements(raw, device, profileID, &places, &count), call,
      "placements of profile \(profileID) cannot be read")
    return Array(places.prefix(Int(count)))
  }

  /// Handles of all instances of one profile. `limit` is the profile's instance count, which sizes the buffer.
  func instances(_ device: cnvml_device, profileID: Int, limit: Int) throws(DriverError) -> [cnvml_gi] {
    var handles = [cnvml_gi?](repeating: nil, count: max(limit, 16))
    var count = UInt32(handles.count)
    let code = cnvml_gi_list(raw, device, UInt32(profileID), &handles, &count)
    if code == CNVML_NOT_SUPPORTED.rawValue { return [] }
    try check(code, "nvmlDeviceGetGpuInstances", "instances of profile \(profileID) cannot be listed")
    return handles.prefix(Int(count)).compactMap { $0 }
  }

  func instanceInfo(_ instance: cnvml_gi) throws(DriverError) -> cnvml_gi_info {
    var info = cnvml_gi_info()
    try check(cnvml_gi_get_info(raw, instance, &info), "nvmlGpuInstanceGetInfo", "a GPU instance cannot be read")
    return info
  }

  func instance(_ device: cnvml_device, id: Int) throws(DriverError) -> cnvml_gi {
    var handle: cnvml_gi?
    try check(
      cnvml_gi_by_id(raw, device, UInt32(id), &handle), "nvmlDeviceGetGpuInstanceById", "GPU instance \(id)")
    return try present(handle, "nvmlDeviceGetGpuInstanceById")
  }

  func createInstance(_ device: cnvml_device, profileID: Int, start: Int, size: Int) throws(DriverError) -> cnvml_gi {
    var handle: cnvml_gi?
    try check(
      cnvml_gi_create(
        raw, device, UInt32(profileID), cnvml_placement(start: UInt32(start), size: UInt32(size)), &handle),
      "nvmlDeviceCreateGpuInstanceWithPlacement", "profile \(profileID) at \(start), \(size) memory slices")
    return try present(handle, "nvmlDeviceCreateGpuInstanceWithPlacement")
  }

  func destroyInstance(_ instance: cnvml_gi) throws(DriverError) {
    try check(
      cnvml_gi_destroy(raw, instance), "nvmlGpuInstanceDestroy", "a compute instance or a process is still in it")
  }
}

/// Compute instances and what runs on them.
extension NVMLLibrary {
  struct ComputeProfile: Sendable {
    var id: Int
    var limit: Int
    var smCount: Int
  }

  /// Compute instance profiles of a GPU instance with the shared engine profile, in the enumeration's order.
  func computeProfiles(_ instance: cnvml_gi) throws(DriverError) -> [ComputeProfile] {
    var found: [ComputeProfile] = []
    for enumeration in 0..<UInt32(64) {
      var info = cnvml_ci_profile()
      let code = cnvml_ci_profile_by_enum(raw, instance, enumeration, &info)
      if code == CNVML_INVALID_ARGUMENT.rawValue || code == CNVML_FUNCTION_NOT_FOUND.rawValue { break }
      if code == CNVML_NOT_SUPPORTED.rawValue { continue }
      try check(code, "nvmlGpuInstanceGetComputeInstanceProfileInfo", "profile \(enumeration) cannot be read")
      found.append(
        ComputeProfile(
          id: Int(info.id), limit: Int(info.instance_count), smCount: Int(info.multiprocessor_count)))
    }
    return found
  }

  func computes(_ instance: cnvml_gi, profile: ComputeProfile) throws(DriverError) -> [cnvml_ci] {
    var handles = [cnvml_ci?](repeating: nil, count: max(profile.limit, 16))
    var count = UInt32(handles.count)
    let code = cnvml_ci_list(raw, instance, UInt32(profile.id), &handles, &count)
    if code == CNVML_NOT_SUPPORTED.rawValue { return [] }
    try check(code, "nvmlGpuInstanceGetComputeInstances", "compute instances cannot be listed")
    return handles.prefix(Int(count)).compactMap { $0 }
  }

  func compute(_ instance: cnvml_gi, id: Int) throws(DriverError) -> cnvml_ci {
    var handle: cnvml_ci?
    try check(
      cnvml_ci_by_id(raw, instance, UInt32(id), &handle), "nvmlGpuInstanceGetComputeInstanceById",
      "compute instance \(id)")
    return try present(handle, "nvmlGpuInstanceGetComputeInstanceById")
  }

  func computeInfo(_ compute: cnvml_ci) throws(DriverError) -> cnvml_ci_info {
    var info = cnvml_ci_info()
    try check(
      cnvml_ci_get_info(raw, compute, &info), "nvmlComputeInstanceGetInfo", "a compute instance cannot be read")
    return info
  }

  func createCompute(_ instance: cnvml_gi, profileID: Int) throws(DriverError) {
    var handle: cnvml_ci?
    try check(
      cnvml_ci_create(raw, instance, UInt32(profileID), &handle), "nvmlGpuInstanceCreateComputeInstance",
      "compute profile \(profileID)")
  }

  func destroyCompute(_ compute: cnvml_ci) throws(DriverError) {
    try check(cnvml_ci_destroy(raw, compute), "nvmlComputeInstanceDestroy", "a process is still on it")
  }

  /// Processes of all three lists on a GPU or a MIG device, by pid; where a list cannot be had, the code that stands for
  /// it. Lists race with what ends, so one that fails is asked for again.
  func processes(_ device: cnvml_device) -> (processes: [ObservedProcess], unknown: String?) {
    var found: [Int: ObservedProcess] = [:]
    var unknown: String?
    for list in [CNVML_PROCESSES_COMPUTE, CNVML_PROCESSES_GRAPHICS, CNVML_PROCESSES_MPS] {
      do throws(DriverError) {
        for process in try retried({ () throws(DriverError) in try processes(device, list: list) })
        where found[Int(process.pid)] == nil {
          let memory = process.used_memory == .max ? nil : Int(process.used_memory >> 20)
          found[Int(process.pid)] = ObservedProcess(
            pid: Int(process.pid), name: processName(process.pid), memoryMiB: memory)
        }
      } catch {
        unknown = unknown ?? error.code
      }
    }
    return (found.values.sorted { $0.pid < $1.pid }, unknown)
  }

  private func retried<Value>(_ read: () throws(DriverError) -> Value) throws(DriverError) -> Value {
    for _ in 0..<2 {
      do throws(DriverError) {
        return try read()
      } catch {
        if ["no_permission", "gpu_is_lost", "insufficient_size"].contains(error.code) { throw error }
      }
    }
    return try read()
  }

  private func processes(
    _ device: cnvml_device, list: cnvml_process_list
  ) throws(DriverError) -> [cnvml_process] {
    var room = 32
    // The list can grow between two calls; a driver whose answer never fits is a fault, not a loop.
    for _ in 0..<8 {
      var buffer = [cnvml_process](repeating: cnvml_process(), count: room)
      var count = UInt32(room)
      let code = cnvml_processes(raw, device, list, &buffer, &count)
      if code == CNVML_NOT_SUPPORTED.rawValue || code == CNVML_FUNCTION_NOT_FOUND.rawValue { return [] }
      if code == CNVML_INSUFFICIENT_SIZE.rawValue {
        room = max(room * 2, Int(count) + 8)
        continue
      }
      try check(code, "nvmlDeviceGetComputeRunningProcesses", "the processes cannot be listed")
      return Array(buffer.prefix(Int(count)))
    }
    throw Self.error(
      Int32(bitPattern: CNVML_INSUFFICIENT_SIZE.rawValue), "nvmlDeviceGetComputeRunningProcesses",
      "the list of processes keeps growing")
  }

  private func processName(_ pid: UInt32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    if cnvml_process_name(raw, pid, &buffer, UInt32(buffer.count)) == 0 { return Self.text(buffer) }
    let comm = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)
    return comm?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
  }
}
