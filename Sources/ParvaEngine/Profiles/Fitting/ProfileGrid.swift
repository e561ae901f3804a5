/// The places for which a profile is wanted.
public struct ProfileGrid: Hashable, Sendable {
  /// Greatest batch; batches are powers of two.
  public var maxBatch: Int
  /// Greatest number of processes; all from 1 on are wanted.
  public var maxProcesses: Int

  public init(maxBatch: Int = 256, maxProcesses: Int = 5) {
    self.maxBatch = maxBatch
    self.maxProcesses = maxProcesses
  }

  /// Every place on a product: for each number of compute slices the plain profile of least memory, and the profiles
  /// that are named besides, in order.
  func places(on product: GPUProduct, besides profiles: Set<Int> = []) -> [ProfilePlace] {
    var kinds = profiles
    for slices in Set(product.plannedProfiles.map({ product.profiles[$0].computeSlices })) {
      if let plain = product.plainProfileIndex(computeSlices: slices) { kinds.insert(plain) }
    }
    var batches: [Int] = []
    var batch = 1
    while batch <= maxBatch {
      batches.append(batch)
      batch *= 2
    }
    return kinds.sorted().flatMap { kind in
      batches.flatMap { batch in
        (1...max(1, maxProcesses)).map { ProfilePlace(profile: kind, batch: batch, processes: $0) }
      }
    }
  }

  /// Distinct numbers of compute slices of a product's profiles, ascending.
  static func sizes(of product: GPUProduct) -> [Int] { Set(product.profiles.map(\.computeSlices)).sorted() }
}
