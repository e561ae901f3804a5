package import ParvaEngine
package import ParvaWire

/// Tells which product a GPU is, from what its driver reports.
package enum ProductRecognition {
  /// The product of the tables that has this board or exactly this geometry; else one made of what is reported.
  ///
  /// A board of the tables whose driver reports another geometry is a product of its own: the driver is right. Nil where
  /// nothing is known, for example a GPU without MIG. O(products x profiles).
  package static func product(of gpu: ObservedGPU) -> GPUProduct? {
    let known = ProductCatalogue.all.first { $0.boards.contains(gpu.board) }
    // With MIG mode off some drivers report no profiles; then the board has to do.
    if gpu.profiles.isEmpty { return known }
    if let known, fits(gpu, known) { return known }
    if known == nil {
      let alike = ProductCatalogue.all.filter { fits(gpu, $0) && sameFigures(gpu, $0) }
      if alike.count == 1 { return alike[0] }
    }
    return reported(gpu)
  }

  /// Whether the driver reports every plain profile of the product with its slices and placements.
  private static func fits(_ gpu: ObservedGPU, _ product: GPUProduct) -> Bool {
    product.plannedProfiles.allSatisfy { index in
      let wanted = product.profiles[index]
      guard let there = gpu.profile(id: wanted.driverProfileID) else { return false }
      return there.computeSlices == wanted.computeSlices && there.size == wanted.placementSize
        && there.starts.sorted() == wanted.starts
    }
  }

  /// Geometry alone does not tell an A100 from an H100: names, memory and SMs must agree, too.
  private static func sameFigures(_ gpu: ObservedGPU, _ product: GPUProduct) -> Bool {
    product.plannedProfiles.allSatisfy { index in
      let wanted = product.profiles[index]
      guard let there = gpu.profile(id: wanted.driverProfileID), let memory = wanted.memoryMiB, let sms = wanted.smCount
      else { return false }
      return there.name == wanted.name && there.smCount == sms
        && abs(Double(there.memoryMiB) - Double(memory)) * 20 <= Double(memory)
    }
  }

  private static func reported(_ gpu: ObservedGPU) -> GPUProduct? {
    let profiles = gpu.profiles.filter { !$0.starts.isEmpty }.sorted { $0.id < $1.id }
    guard !profiles.isEmpty else { return nil }
    var hash = StableHash()
    for profile in profiles {
      hash.add(
        "\(profile.id) \(profile.name) \(profile.computeSlices) \(profile.size) \(profile.starts.sorted());".utf8)
    }
    let board = gpu.board.hasPrefix("NVIDIA ") ? gpu.board.dropFirst(7) : gpu.board[...]
    let slug = String(board.prefix(60).map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    return GPUProduct(
      name: "\(slug)-\(String(hash.value, radix: 16).suffix(6))", architecture: "reported by the driver",
      computeSlices: profiles.map(\.computeSlices).max() ?? 1,
      axisLength: profiles.flatMap { profile in profile.starts.map { $0 + profile.size } }.max() ?? 1,
      migModeChangeNeedsReset: true, boards: [gpu.board],
      profiles: profiles.map { profile in
        InstanceProfile(
          name: profile.name, driverProfileID: profile.id, nvmlProfile: nil, computeSlices: profile.computeSlices,
          placementSize: profile.size, starts: Array(Set(profile.starts)).sorted(),
          maxInstances: profile.maxInstances, memoryMiB: profile.memoryMiB, smCount: profile.smCount)
      },
      sources: [])
  }
}
