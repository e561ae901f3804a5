import ParvaEngine
import ParvaWire

/// The GPUs of a fleet in a few figures, by product.
package struct GPUCount: Hashable, Sendable {
  /// Compute slices of GPUs that plans may use.
  package struct Slices: Hashable, Sendable {
    /// Of instances that Parva made.
    package var allocated = 0
    /// Of GPUs with such an instance, those that none holds: nothing larger than what is free on one GPU fits there.
    package var stranded = 0
    /// Of GPUs without any.
    package var free = 0
  }

  /// What the states are, beside the reasons why plans leave a GPU out.
  package static let usable = ["used", "free", "cordoned", "silent"]
  package static var states: [String] { usable + FleetGPU.Exclusion.allCases.map(\.rawValue) }

  /// GPUs by product and state.
  package private(set) var gpus: [String: [String: Int]] = [:]
  package private(set) var slices: [String: Slices] = [:]

  /// O(GPUs).
  package init(_ inventory: FleetInventory) {
    for gpu in inventory.gpus {
      let product = gpu.product?.name ?? "unknown"
      gpus[product, default: [:]][Self.state(of: gpu), default: 0] += 1
      guard gpu.exclusion == nil, let geometry = gpu.product else { continue }
      let allocated = gpu.holds.reduce(0) { sum, place in
        sum + (geometry.profileIndex(driverID: place.profileID).map { geometry.profiles[$0].computeSlices } ?? 0)
      }
      let rest = max(0, geometry.computeSlices - allocated)
      slices[product, default: Slices()].allocated += allocated
      if gpu.holds.isEmpty {
        slices[product, default: Slices()].free += rest
      } else {
        slices[product, default: Slices()].stranded += rest
      }
    }
  }

  private static func state(of gpu: FleetGPU) -> String {
    if let exclusion = gpu.exclusion { return exclusion.rawValue }
    if gpu.isCordoned { return "cordoned" }
    if gpu.isSilent { return "silent" }
    return gpu.holds.isEmpty ? "free" : "used"
  }
}
