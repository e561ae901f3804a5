import ParvaWire

/// Turns MIG mode on, with a reset of the GPU where its product needs one. A mode that does not come into force is taken
/// back, so that no later reset of somebody else's brings it.
struct MIGModeSwitch {
  let driver: any GPUDriver

  func enable(_ gpu: String) throws(DriverError) {
    let change = try driver.setMIGMode(gpu: gpu, enabled: true)
    if change.mode.current { return }
    do throws(DriverError) {
      if change.activation == DriverError.inUse {
        throw DriverError(
          code: DriverError.inUse, call: "nvmlDeviceSetMigMode", detail: "the mode is pending, since the GPU is in use")
      }
      try driver.reset(gpu: gpu)
      if try driver.observe(gpu: gpu).mig?.current == true { return }
      throw DriverError(
        code: "reset_required", call: "nvidia-smi -r",
        detail:
          "MIG mode is still off after a reset (activation: \(change.activation)); where a virtual machine may not "
          + "reset its GPUs, turn the mode on with nvidia-smi -mig 1 and reboot")
    } catch {
      _ = try? driver.setMIGMode(gpu: gpu, enabled: false)
      throw error
    }
  }
}
