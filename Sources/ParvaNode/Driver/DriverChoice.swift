/// Which way a machine's driver is spoken to.
package enum DriverKind: String, Sendable, CaseIterable {
  case nvml
  case nvidiaSMI = "nvidia-smi"
}

/// Picks the driver of this machine.
package enum DriverChoice {
  /// The kind that is asked for; else NVML at `nvmlPath` or the system's, without it nvidia-smi, and without either a
  /// refusal that names both.
  package static func open(
    _ kind: DriverKind? = nil, nvmlPath: String? = nil, smiPath: String = "nvidia-smi"
  ) throws(DriverError) -> any GPUDriver {
    if kind == .nvidiaSMI { return try SMIDriver(path: smiPath) }
    let first: DriverError
    do {
      return try NVMLDriver(path: nvmlPath)
    } catch {
      // What the user named is meant: nothing else stands in for it.
      if kind != nil || nvmlPath != nil || error.code != "driver_library_missing" { throw error }
      first = error
    }
    do {
      return try SMIDriver(path: smiPath)
    } catch {
      throw DriverError(
        code: "no_driver", call: "dlopen, nvidia-smi",
        detail: "this machine has no NVIDIA driver to speak to: \(first.detail); "
          + "and \(smiPath) cannot be used: \(error.detail). --simulate MACHINE runs without one")
    }
  }
}
