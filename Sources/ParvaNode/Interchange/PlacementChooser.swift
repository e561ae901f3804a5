package import ParvaWire

/// Gives starts to instances that are wanted by profile and count alone.
package enum PlacementChooser {
  /// Nodes of the search before it gives up; a GPU's placements are exhausted far below it.
  static let searchLimit = 200_000

  /// Starts for `counts` instances per profile id on a GPU, or nil when they do not fit beside `blocked`.
  ///
  /// `preferred` are instances that stand there now: as many as possible keep their place. Exact, by depth-first search
  /// with the rarest placements first.
  package static func choose(
    counts: [Int: Int], on gpu: ObservedGPU, preferred: Set<InstancePlace>, blocked: [ObservedInstance] = []
  ) -> [InstancePlace]? {
    var wanted: [ObservedProfile] = []
    for (id, count) in counts where count > 0 {
      guard let profile = gpu.profile(id: id) else { return nil }
      let others = blocked.count { $0.profileID == id }
      if count + others > profile.maxInstances { return nil }
      wanted += Array(repeating: profile, count: count)
    }
    wanted.sort { ($0.starts.count, -$0.size, $0.id) < ($1.starts.count, -$1.size, $1.id) }
    var search = Search(wanted: wanted, preferred: preferred)
    search.descend(0, taken: blocked.reduce(0) { $0 | $1.mask }, kept: 0)
    return search.best?.sorted()
  }

  private struct Search {
    let wanted: [ObservedProfile]
    let preferred: Set<InstancePlace>
    var chosen: [InstancePlace] = []
    var best: [InstancePlace]?
    var bestKept = -1
    var visited = 0

    mutating func descend(_ depth: Int, taken: UInt64, kept: Int) {
      visited += 1
      if visited > searchLimit || kept + wanted.count - depth <= bestKept { return }
      if depth == wanted.count {
        best = chosen
        bestKept = kept
        return
      }
      let profile = wanted[depth]
      // Equal instances are interchangeable: each starts after the one before it.
      let after = depth > 0 && wanted[depth - 1].id == profile.id ? chosen[depth - 1].start : -1
      for start in profile.starts where start > after && taken & profile.mask(at: start) == 0 {
        let place = InstancePlace(profileID: profile.id, start: start)
        chosen.append(place)
        descend(depth + 1, taken: taken | profile.mask(at: start), kept: kept + (preferred.contains(place) ? 1 : 0))
        chosen.removeLast()
      }
    }
  }
}
