package import ParvaWire

/// What the node asks of a GPU driver. Calls block and may be made from any thread, also at once.
package protocol GPUDriver: Sendable {
  /// Reads everything. A GPU that does not answer is listed with its ``ObservedGPU/fault``; it never fails the rest.
  func observe() throws(DriverError) -> ObservedNode
  /// Reads one GPU again.
  func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU
  /// Makes a GPU instance at exactly this start and answers its id.
  func createInstance(gpu uuid: String, profileID: Int, start: Int) throws(DriverError) -> Int
  /// Makes the compute instance that takes all SMs of the GPU instance.
  func createCompute(gpu uuid: String, instance: Int) throws(DriverError)
  /// Success also when it is gone already.
  func destroyCompute(gpu uuid: String, instance: Int, compute: Int) throws(DriverError)
  /// Success also when it is gone already. Its compute instances must be gone.
  func destroyInstance(gpu uuid: String, instance: Int) throws(DriverError)
  /// Asks for a MIG mode. The one that is in force afterwards may be the old one.
  func setMIGMode(gpu uuid: String, enabled: Bool) throws(DriverError) -> MIGModeChange
  /// Resets one GPU so that its pending MIG mode comes into force. Nothing may use it; the driver lets go of it itself.
  func reset(gpu uuid: String) throws(DriverError)
  /// Errors that the GPUs report from now on; nil where the driver tells of none.
  func faults() throws(DriverError) -> (any GPUFaultFeed)?
  /// Other processes that have the GPU's device open, or the capability of one of its instances, whether or not the
  /// driver lists them; nil where nothing can be said of them.
  func holders(gpu uuid: String, instance: Int?) -> [ObservedProcess]?
}

extension GPUDriver {
  package func faults() throws(DriverError) -> (any GPUFaultFeed)? { nil }
  package func holders(gpu uuid: String, instance: Int?) -> [ObservedProcess]? { nil }
}

/// What came of asking for a MIG mode.
package struct MIGModeChange: Hashable, Sendable {
  package var mode: ObservedMIGMode
  /// `success`, or the code of what the change waits for: `reset_required`, `in_use`.
  package var activation: String

  package init(mode: ObservedMIGMode, activation: String) {
    self.mode = mode
    self.activation = activation
  }
}

/// Errors as they come, for one reader.
package protocol GPUFaultFeed: Sendable {
  /// The next error; nil when none came within the time.
  func next(within milliseconds: Int) throws(DriverError) -> GPUFault?
}

/// An error that a GPU reported: its XID, which NVIDIA documents, and the instance that it struck.
package struct GPUFault: Hashable, Sendable {
  package var gpu: String
  package var xid: Int
  /// Nil outside MIG.
  package var instance: Int?
}

/// What a driver answered instead of doing what it was asked.
package struct DriverError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Stable code: NVML's name of its return code, or one of ours such as `driver_library_missing`.
  package var code: String
  /// The call that failed, for example `nvmlGpuInstanceDestroy`.
  package var call: String
  /// What it was called for and what to do, one sentence.
  package var detail: String

  package init(code: String, call: String, detail: String) {
    self.code = code
    self.call = call
    self.detail = detail
  }

  package var description: String { "\(call): \(code): \(detail)" }

  package static let inUse = "in_use"
  package static let notFound = "not_found"
}
