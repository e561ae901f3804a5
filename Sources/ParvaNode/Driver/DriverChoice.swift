/// Picks the driver of this machine.
package enum DriverChoice {
  /// NVML at `nvmlPath` or the system's; without it nvidia-smi, read only; without either a refusal that names both.
  package static func open(
    nvmlPath: String? = nil, smiPath: String = "nvidia-smi"
  ) throws(DriverError) -> any GPUDriver {
    let first: DriverError
    do {
      return try NVMLDriver(path: nvmlPath)
    } catch {
      // A path that the user gave is meant: nothing else stands in for it.
      if nvmlPath != nil || error.code != "driver_library_missing" { throw error }
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
