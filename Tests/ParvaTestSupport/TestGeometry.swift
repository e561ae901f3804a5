package import ParvaEngine

/// Products that do not exist, to show that nothing is made for those that do.
package enum TestGeometry {
  /// 12 units; sizes 2, 3, 4, 6 and 12, of which the whole GPU and the six may not stand beside a three at 9.
  package static let twelve = GPUProduct(
    name: "TEST-12", architecture: "none", computeSlices: 12, axisLength: 12, migModeChangeNeedsReset: false,
    boards: [],
    profiles: [
      profile("2g", 1, 2, 2, [0, 2, 4, 6, 8, 10], 4), profile("3g", 2, 3, 3, [0, 3, 9], 3),
      profile("4g", 3, 4, 4, [0, 4, 8], 3), profile("6g", 4, 6, 6, [0, 6], 2), profile("12g", 5, 12, 12, [0], 1),
    ], sources: [])

  /// 4 units, of which the largest instance takes three and a half of the slices.
  package static let four = GPUProduct(
    name: "TEST-4", architecture: "none", computeSlices: 4, axisLength: 5, migModeChangeNeedsReset: false, boards: [],
    profiles: [
      profile("1g", 1, 1, 1, [0, 1, 2, 4], 4), profile("2g", 2, 2, 2, [0, 3], 2), profile("4g", 3, 4, 5, [0], 1),
    ], sources: [])

  private static func profile(
    _ name: String, _ id: Int, _ slices: Int, _ size: Int, _ starts: [Int], _ most: Int
  ) -> InstanceProfile {
    InstanceProfile(
      name: name, driverProfileID: id, nvmlProfile: nil, computeSlices: slices, placementSize: size, starts: starts,
      maxInstances: most, memoryMiB: nil)
  }
}
