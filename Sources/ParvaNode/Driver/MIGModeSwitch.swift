import ParvaWire

/// Turns MIG mode on, with a reset of the GPU where its product needs one. A mode that does not come into force is taken
/// back, so that no later reset of somebody else's brings it. On a GPU whose MIG mode is on and waits to go off, that change
/// is taken back, which needs no reset.
struct MIGModeSwitch {
  let driver: any GPUDriver

  func enable(_ gpu: String) throws(DriverError) {
    do throws(DriverError) {
      try turnOn(gpu)
    } catch {
      takeBack(gpu)
      throw error
    }
  }

  private func turnOn(_ gpu: String) throws(DriverError) {
    let change = try driver.setMIGMode(gpu: gpu, enabled: true)
    if change.mode.isSettledOn { return }
    if change.mode.current {
      // A reset would end the instances that stand.
      throw DriverError(
        code: "reset_required", call: "nvmlDeviceSetMigMode",
        detail: "MIG mode is on and still goes off with the next reset (activation: \(change.activation))")
    }
    if change.activation == DriverError.inUse {
      throw DriverError(
        code: DriverError.inUse, call: "nvmlDeviceSetMigMode", detail: "the mode is pending, since the GPU is in use")
    }
    let isOn: Bool
    do throws(DriverError) {
      try driver.reset(gpu: gpu)
      isOn = try driver.observe(gpu: gpu).mig?.isSettledOn == true
    } catch {
      let advice = error.code == "not_supported" ? "; \(Self.withoutReset)" : ""
      throw DriverError(
        code: error.code, call: error.call,
        detail: "\(error.detail); MIG mode waits for this reset (activation: \(change.activation))\(advice)")
    }
    if isOn { return }
    throw DriverError(
      code: "reset_required", call: "nvidia-smi -r",
      detail: "MIG mode is still off after a reset (activation: \(change.activation)); \(Self.withoutReset)")
  }

  private static let withoutReset =
    "where a virtual machine may not reset its GPUs, turn the mode on with nvidia-smi -mig 1 and reboot"

  /// Only a mode that is off and waits to go on: one that came into force stays, though what followed failed, and where
  /// nothing can be read nothing is changed.
  private func takeBack(_ gpu: String) {
    guard let mode = try? driver.observe(gpu: gpu).mig, !mode.current, mode.pending else { return }
    _ = try? driver.setMIGMode(gpu: gpu, enabled: false)
  }
}

extension ObservedMIGMode {
  /// On, and no change of it waits for a reset.
  var isSettledOn: Bool { current && pending }
}
