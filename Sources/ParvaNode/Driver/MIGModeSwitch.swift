import ParvaWire

/// Turns MIG mode on, with a reset of the GPU where its product needs one. A mode that does not come into force is taken
/// back, so that no later reset of somebody else's brings it. On a GPU whose MIG mode is on and waits to go off, that change
/// is taken back, which needs no reset.
struct MIGModeSwitch {
  let driver: any GPUDriver

  func enable(_ gpu: String) throws(DriverError) {
    let change = try driver.setMIGMode(gpu: gpu, enabled: true)
    if change.mode.isSettledOn { return }
    if change.mode.current {
      // A reset would end the instances that stand.
      throw DriverError(
        code: "reset_required", call: "nvmlDeviceSetMigMode",
        detail: "MIG mode is on and still goes off with the next reset (activation: \(change.activation))")
    }
    do throws(DriverError) {
      if change.activation == DriverError.inUse {
        throw DriverError(
          code: DriverError.inUse, call: "nvmlDeviceSetMigMode", detail: "the mode is pending, since the GPU is in use")
      }
      let isOn: Bool
      do throws(DriverError) {
        try driver.reset(gpu: gpu)
        isOn = try driver.observe(gpu: gpu).mig?.isSettledOn == true
      } catch {
        throw DriverError(
          code: error.code, call: error.call,
          detail: "\(error.detail); MIG mode waits for this reset (activation: \(change.activation))")
      }
      if isOn { return }
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

extension ObservedMIGMode {
  /// On, and no change of it waits for a reset.
  var isSettledOn: Bool { current && pending }
}
