/// One instance on a GPU: a kind of instance and where it stands.
public struct Placement: Hashable, Sendable {
  /// Index into ``GPUProduct/profiles``.
  public var profile: Int
  public var start: Int

  public init(profile: Int, start: Int) {
    self.profile = profile
    self.start = start
  }
}

extension GPUProduct {
  /// Whether one more instance has room beside others: axis units, compute slices and the profile's own limit.
  /// O(others).
  public func hasRoom(for placement: Placement, beside others: some Sequence<Placement>) -> Bool {
    let profile = profiles[placement.profile]
    let mask = profile.mask(at: placement.start)
    var slices = profile.computeSlices
    var alike = 1
    for other in others {
      if profiles[other.profile].mask(at: other.start) & mask != 0 { return false }
      slices += profiles[other.profile].computeSlices
      if other.profile == placement.profile { alike += 1 }
    }
    return slices <= computeSlices && alike <= profile.maxInstances
  }
}
