package import ParvaEngine

/// Times at which plans may, or may not, be brought to nodes by themselves.
package struct RolloutWindow: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Where there is one of this kind, plans are brought to nodes at the times of these alone.
    case allow
    /// At its times they are not, whatever else is allowed.
    case freeze
  }

  package enum Times: Hashable, Sendable {
    case weekly(WeeklyTimes, ZoneClock)
    /// Seconds since 1970; the end is not in it.
    case once(Range<Int>)
  }

  package var name: String
  package var kind: Kind
  package var times: Times
  /// Whether capacity that was lost is replaced all the same.
  package var sparesLostCapacity: Bool
  /// Why, for whoever wonders; may be empty.
  package var reason: String

  package init(name: String, kind: Kind, times: Times, sparesLostCapacity: Bool = true, reason: String = "") {
    self.name = name
    self.kind = kind
    self.times = times
    self.sparesLostCapacity = sparesLostCapacity
    self.reason = reason
  }

  package func contains(_ time: Int) -> Bool {
    switch times {
    case .weekly(let times, let clock): times.contains(time, on: clock)
    case .once(let span): span.contains(time)
    }
  }

  /// As ``WeeklyTimes/nextEdge(after:on:)``; nil where nothing comes any more.
  func nextEdge(after time: Int) -> Int? {
    switch times {
    case .weekly(let times, let clock): times.nextEdge(after: time, on: clock)
    case .once(let span): [span.lowerBound, span.upperBound].first { $0 > time }
    }
  }
}

/// What windows together say of a time.
package struct RolloutVerdict: Hashable, Sendable {
  /// Whether plans may be brought to nodes by themselves.
  package var isOpen: Bool
  /// Whether they may where capacity was lost.
  package var isOpenForLostCapacity: Bool
  /// Names of those that keep it shut, in order: the freezes that are, else all that would allow it.
  package var shutBy: [String]

  package static let open = RolloutVerdict(isOpen: true, isOpenForLostCapacity: true, shutBy: [])

  /// Whether a plan may go, and whether that is because capacity was lost.
  package func allows(lostCapacity: Bool) -> Bool { isOpen || lostCapacity && isOpenForLostCapacity }
}

extension Sequence<RolloutWindow> {
  /// A freeze keeps shut; without one, it is open where no window allows, or one does now. O(windows).
  package func verdict(at time: Int) -> RolloutVerdict {
    let freezes = filter { $0.kind == .freeze && $0.contains(time) }
    if !freezes.isEmpty {
      return RolloutVerdict(
        isOpen: false, isOpenForLostCapacity: freezes.allSatisfy(\.sparesLostCapacity),
        shutBy: freezes.map(\.name).sorted())
    }
    let allowing = filter { $0.kind == .allow }
    if allowing.isEmpty || allowing.contains(where: { $0.contains(time) }) { return .open }
    return RolloutVerdict(
      isOpen: false, isOpenForLostCapacity: allowing.contains(where: \.sparesLostCapacity),
      shutBy: allowing.map(\.name).sorted())
  }

  /// When it opens next where it is shut, and shuts next where it is open; nil where it stays so for `horizon` seconds. O(windows * edges within).
  package func nextVerdict(after time: Int, within horizon: Int = 400 * 86_400) -> Int? {
    let now = verdict(at: time)
    var next = time
    while let edge = compactMap({ $0.nextEdge(after: next) }).min(), edge - time <= horizon {
      if verdict(at: edge).isOpen != now.isOpen { return edge }
      next = edge
    }
    return nil
  }
}
