/// One GPU product's MIG geometry: its compute slices, its placement axis and its instance profiles.
public struct GPUProduct: Hashable, Sendable {
  /// Parva's name of the product, for example `A100-80GB`.
  public let name: String
  public let architecture: String
  /// Compute slices of the whole GPU: 7 on most parts, 4 on A30 and RTX PRO 6000.
  public let computeSlices: Int
  /// Length of the placement axis in memory slices, 1...64.
  public let axisLength: Int
  /// Whether switching MIG mode needs a GPU reset (Ampere) or takes effect at once (Hopper and later).
  public let migModeChangeNeedsReset: Bool
  /// NVML names of the boards that carry this product.
  public let boards: [String]
  public let profiles: [InstanceProfile]
  /// Keys into ``ProductCatalogue/sources``: where the figures were read.
  public let sources: [String]

  public init(
    name: String, architecture: String, computeSlices: Int, axisLength: Int, migModeChangeNeedsReset: Bool,
    boards: [String], profiles: [InstanceProfile], sources: [String]
  ) {
    self.name = name
    self.architecture = architecture
    self.computeSlices = computeSlices
    self.axisLength = axisLength
    self.migModeChangeNeedsReset = migModeChangeNeedsReset
    self.boards = boards
    self.profiles = profiles
    self.sources = sources
  }

  /// What the one profile of a product without MIG is called.
  public static let wholeName = "whole"

  /// Whether a GPU of the product is cut into instances; one without MIG is one place, its only profile.
  public var hasMIG: Bool { profiles.count != 1 || profiles[0].name != Self.wholeName }

  /// Index of the profile with this driver id. O(profiles).
  public func profileIndex(driverID: Int) -> Int? { profiles.firstIndex { $0.driverProfileID == driverID } }

  /// Index of the profile with this name. O(profiles).
  public func profileIndex(named name: String) -> Int? { profiles.firstIndex { $0.name == name } }

  /// The plain profile that stands for "size `slices`" in published measurements: the one with least memory.
  public func plainProfileIndex(computeSlices slices: Int) -> Int? {
    plannedProfiles.first { profiles[$0].computeSlices == slices }
  }

  /// Indices of the plain profiles, by compute slices and then by placement size, smallest first.
  public var plannedProfiles: [Int] {
    profiles.indices.filter { profiles[$0].isPlain }.sorted {
      let (a, b) = (profiles[$0], profiles[$1])
      return (a.computeSlices, a.placementSize, $0) < (b.computeSlices, b.placementSize, $1)
    }
  }
}
