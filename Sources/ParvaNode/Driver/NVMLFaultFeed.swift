import CNVML

/// Errors that NVML reports as events, from all GPUs that can be reached when it is made.
///
/// `@unchecked Sendable`: the set's handle is never changed, and NVML is thread safe.
final class NVMLFaultFeed: GPUFaultFeed, @unchecked Sendable {
  private let library: NVMLLibrary
  private let set: UnsafeMutableRawPointer

  /// Nil with a library that knows no events, or where no GPU reports any.
  init?(_ library: NVMLLibrary) throws(DriverError) {
    guard let set = try library.createEvents() else { return nil }
    self.library = library
    self.set = set
    var registered = 0
    for index in 0..<(try library.deviceCount()) {
      // A GPU that does not answer, or reports nothing, does not silence the others.
      guard let device = try? library.device(index: index) else { continue }
      if (try? library.registerFaults(device, in: set)) != nil { registered += 1 }
    }
    if registered == 0 { return nil }
  }

  deinit { library.freeEvents(set) }

  func next(within milliseconds: Int) throws(DriverError) -> GPUFault? {
    guard let event = try library.waitForEvent(set, milliseconds: milliseconds), event.type == xidEventType,
      let device = event.device
    else { return nil }
    let uuid = try library.uuid(cnvml_device(device))
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
