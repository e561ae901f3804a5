/// A profile as every product of a scheme has it.
private struct ProfileShape {
  var slices: Int
  /// Axis units of a placement.
  var size: Int
  /// What the profile's name ends with.
  var suffix = ""
  var driverID: Int
  var nvml: Int
  var starts: [Int]
  var most: Int
  /// Names of facts worked out for this profile beyond those that are for the whole product.
  var inferred: [String] = []
}

/// The profiles that several products share, with what differs from product to product left out.
struct ProfileScheme {
  let computeSlices: Int
  let axisLength: Int
  fileprivate let shapes: [ProfileShape]
}

extension ProductCatalogue {
  /// Seven compute slices on eight memory slices: A100 and all its successors for data centres.
  static let sevenSlices = ProfileScheme(
    computeSlices: 7, axisLength: 8,
    shapes: [
      ProfileShape(slices: 1, size: 1, driverID: 19, nvml: 0, starts: Array(0...6), most: 7),
      ProfileShape(slices: 1, size: 1, suffix: "+me", driverID: 20, nvml: 7, starts: Array(0...6), most: 1),
      ProfileShape(slices: 1, size: 2, driverID: 15, nvml: 9, starts: [0, 2, 4, 6], most: 4),
      ProfileShape(slices: 2, size: 2, driverID: 14, nvml: 1, starts: [0, 2, 4], most: 3),
      ProfileShape(slices: 3, size: 4, driverID: 9, nvml: 2, starts: [0, 4], most: 2),
      ProfileShape(slices: 4, size: 4, driverID: 5, nvml: 3, starts: [0], most: 1),
      ProfileShape(slices: 7, size: 8, driverID: 0, nvml: 4, starts: [0], most: 1),
    ])

  /// Four compute slices on four memory slices: A30.
  static let fourSlices = ProfileScheme(
    computeSlices: 4, axisLength: 4,
    shapes: [
      ProfileShape(slices: 1, size: 1, driverID: 14, nvml: 0, starts: [0, 1, 2, 3], most: 4),
      ProfileShape(slices: 1, size: 1, suffix: "+me", driverID: 21, nvml: 7, starts: [0, 1, 2, 3], most: 1),
      ProfileShape(slices: 2, size: 2, driverID: 5, nvml: 1, starts: [0, 2], most: 2),
      ProfileShape(slices: 2, size: 2, suffix: "+me", driverID: 6, nvml: 8, starts: [0, 2], most: 1),
      ProfileShape(slices: 4, size: 4, driverID: 0, nvml: 3, starts: [0], most: 1),
    ])

  /// Four compute slices on twelve memory slices, with variants for graphics: RTX PRO 6000.
  static let fourSlicesWithGraphics: ProfileScheme = {
    let (shown, graphics) = (["memory_gib_shown", "sm_count"], ["engines", "memory_gib_shown", "sm_count"])
    let (quarters, halves) = ([0, 3, 6, 9], [0, 6])
    return ProfileScheme(
      computeSlices: 4, axisLength: 12,
      shapes: [
        ProfileShape(slices: 1, size: 3, driverID: 14, nvml: 0, starts: quarters, most: 4),
        ProfileShape(slices: 1, size: 3, suffix: "+me", driverID: 21, nvml: 7, starts: quarters, most: 1),
        ProfileShape(
          slices: 1, size: 3, suffix: "+gfx", driverID: 47, nvml: 10, starts: quarters, most: 4, inferred: graphics),
        ProfileShape(
          slices: 1, size: 3, suffix: "+me.all", driverID: 65, nvml: 15, starts: quarters, most: 1, inferred: shown),
        ProfileShape(
          slices: 1, size: 3, suffix: "-me", driverID: 67, nvml: 13, starts: quarters, most: 4, inferred: shown),
        ProfileShape(slices: 2, size: 6, driverID: 5, nvml: 1, starts: halves, most: 2),
        ProfileShape(
          slices: 2, size: 6, suffix: "+gfx", driverID: 35, nvml: 11, starts: halves, most: 2, inferred: graphics),
        ProfileShape(
          slices: 2, size: 6, suffix: "+me.all", driverID: 64, nvml: 16, starts: halves, most: 1, inferred: shown),
        ProfileShape(
          slices: 2, size: 6, suffix: "-me", driverID: 66, nvml: 14, starts: halves, most: 2, inferred: shown),
        ProfileShape(slices: 4, size: 12, driverID: 0, nvml: 3, starts: [0], most: 1),
        ProfileShape(
          slices: 4, size: 12, suffix: "+gfx", driverID: 32, nvml: 12, starts: [0], most: 1, inferred: graphics),
      ])
  }()

  /// A product without MIG: one place, which is the whole GPU.
  static func whole(_ name: String, _ architecture: String, boards: [String]) -> GPUProduct {
    GPUProduct(
      name: name, architecture: architecture, computeSlices: 1, axisLength: 1, migModeChangeNeedsReset: false,
      boards: boards,
      profiles: [
        InstanceProfile(
          name: GPUProduct.wholeName, driverProfileID: 0, nvmlProfile: nil, computeSlices: 1, placementSize: 1,
          starts: [0],
          maxInstances: 1, memoryMiB: nil)
      ], sources: ["doc-supported"])
  }

  /// A product of a scheme.
  ///
  /// - Parameters:
  ///   - needsReset: whether switching MIG mode needs a GPU reset.
  ///   - gigabytes: in the names of profiles, by size of placement, smallest first.
  ///   - mebibytes: the same read or worked out, as far as they are known.
  ///   - multiprocessors: by compute slices and then size of placement, smallest first, as far as they are known.
  ///   - inferred: facts worked out rather than read, beside memory in MiB, which always is.
  ///   - guessesIDs: whether driver ids are taken from the scheme where the memory is not known.
  static func product(
    _ name: String, _ architecture: String, _ scheme: ProfileScheme, needsReset: Bool = false, gigabytes: [Int],
    mebibytes: [Int] = [], multiprocessors: [Int] = [], inferred: [String] = [], guessesIDs: Bool = false,
    boards: [String], sources: [String]
  ) -> GPUProduct {
    let sizes = Set(scheme.shapes.map(\.size)).sorted()
    let kinds = Set(scheme.shapes.map { [$0.slices, $0.size] }).sorted { $0.lexicographicallyPrecedes($1) }
    let profiles = scheme.shapes.map { shape in
      let size = sizes.firstIndex(of: shape.size) ?? 0
      let kind = kinds.firstIndex(of: [shape.slices, shape.size]) ?? 0
      let memory = size < mebibytes.count ? mebibytes[size] : nil
      let worked = memory != nil ? ["memory_mib"] : guessesIDs ? ["driver_profile_id"] : []
      return InstanceProfile(
        name: "\(shape.slices)g.\(gigabytes[size])gb\(shape.suffix)", driverProfileID: shape.driverID,
        nvmlProfile: shape.nvml, computeSlices: shape.slices, placementSize: shape.size, starts: shape.starts,
        maxInstances: shape.most, memoryMiB: memory,
        smCount: kind < multiprocessors.count ? multiprocessors[kind] : nil,
        inferred: (worked + inferred + shape.inferred).sorted())
    }
    return GPUProduct(
      name: name, architecture: architecture, computeSlices: scheme.computeSlices, axisLength: scheme.axisLength,
      migModeChangeNeedsReset: needsReset, boards: boards, profiles: profiles, sources: sources)
  }
}
