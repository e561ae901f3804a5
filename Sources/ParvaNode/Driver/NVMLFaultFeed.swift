import CNVML

/// Errors that NVML reports as events, from all GPUs that can be reached when it is made. A set dies with a reset of a
/// GPU, a change of its mode and the library's end; the feed then makes another.
///
/// `@unchecked Sendable`: one reader at a time, by the protocol, and NVML is thread safe.
final class NVMLFaultFeed: GPUFaultFeed, @unchecked Sendable {
  private struct Watch {
    var life: Int
    var set: UnsafeMutableRawPointer
    /// UUIDs of the GPUs by their handles: a GPU that is lost does not tell its own.
    var uuids: [cnvml_device: String] = [:]
  }

  private let library: NVMLLibrary
  private let gate: EventGate
  private var watch: Watch

  /// Nil with a library that knows no events, or where no GPU reports any.
  init?(_ library: NVMLLibrary, _ gate: EventGate) throws(DriverError) {
    let life = gate.enter()
    defer { gate.leave() }
    guard let watch = try Self.watch(library, gate, life) else { return nil }
    self.library = library
    self.gate = gate
    self.watch = watch
  }

  private static func watch(_ library: NVMLLibrary, _ gate: EventGate, _ life: Int) throws(DriverError) -> Watch? {
    let count = try library.deviceCount()
    guard let set = try library.createEvents() else { return nil }
    gate.keep(set)
    var watch = Watch(life: life, set: set)
    var failure: DriverError?
    for index in 0..<count {
      // A GPU that does not answer, or reports nothing, does not silence the others.
      do throws(DriverError) {
        let device = try library.device(index: index)
        let uuid = try library.uuid(device)
        try library.registerFaults(device, in: set)
        watch.uuids[device] = uuid
      } catch {
        if !["not_supported", "function_not_found"].contains(error.code) { failure = error }
      }
    }
    if !watch.uuids.isEmpty { return watch }
    gate.drop(set, of: life) { library.freeEvents($0) }
    // That none can be watched now does not say that none reports errors.
    if let failure { throw failure }
    return nil
  }

  deinit { gate.drop(watch.set, of: watch.life) { library.freeEvents($0) } }

  func next(within milliseconds: Int) throws(DriverError) -> GPUFault? {
    let life = gate.enter()
    defer { gate.leave() }
    if life != watch.life {
      guard let fresh = try Self.watch(library, gate, life) else {
        throw DriverError(code: "not_ready", call: "nvmlDeviceRegisterEvents", detail: "no GPU reports errors now")
      }
      watch = fresh
    }
    guard let event = try library.waitForEvent(watch.set, milliseconds: milliseconds), event.type == xidEventType,
      let handle = event.device
    else { return nil }
    let device = cnvml_device(handle)
    // An error of a GPU that can no longer say who it is counts more than any other.
    let uuid = watch.uuids[device] ?? (try? library.uuid(device)) ?? "unknown"
    let instance = event.gpu_instance_id == .max ? nil : Int(event.gpu_instance_id)
    return GPUFault(gpu: uuid, xid: Int(clamping: event.data), instance: instance)
  }
}

/// `CNVML_EVENT_XID_TYPE` of cnvml_abi.h, which a cast keeps from Swift.
private let xidEventType: UInt64 = 8

extension NVMLLibrary {
  /// Nil where the library has no events.
  func createEvents() throws(DriverError) -> UnsafeMutableRawPointer? {
    var set: UnsafeMutableRawPointer?
    let code = cnvml_events_create(raw, &set)
    if code == CNVML_FUNCTION_NOT_FOUND.rawValue || code == CNVML_NOT_SUPPORTED.rawValue { return nil }
    if code != 0 { throw Self.error(code, "nvmlEventSetCreate", "errors of the GPUs cannot be watched") }
    return set
  }

  func registerFaults(_ device: cnvml_device, in set: UnsafeMutableRawPointer) throws(DriverError) {
    let code = cnvml_events_register(raw, device, xidEventType, set)
    if code != 0 { throw Self.error(code, "nvmlDeviceRegisterEvents", "the GPU reports no errors") }
  }

  /// Nil when the time is over.
  func waitForEvent(_ set: UnsafeMutableRawPointer, milliseconds: Int) throws(DriverError) -> cnvml_event? {
    var event = cnvml_event()
    let code = cnvml_events_wait(raw, set, &event, UInt32(clamping: milliseconds))
    if code == CNVML_TIMEOUT.rawValue { return nil }
    if code != 0 { throw Self.error(code, "nvmlEventSetWait", "errors of the GPUs cannot be watched") }
    return event
  }

  func freeEvents(_ set: UnsafeMutableRawPointer) { _ = cnvml_events_free(raw, set) }
}
