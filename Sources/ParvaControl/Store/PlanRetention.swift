package import Foundation

/// Which plans a store keeps: the newest always, older ones within all three bounds.
package struct PlanRetention: Hashable, Sendable {
  /// Most plans, at least 1.
  package var count: Int
  /// Most bytes of all kept plans together, as they are stored.
  package var bytes: Int
  /// Plans that were replaced longer ago than this go, in seconds.
  package var age: TimeInterval

  package init(count: Int = 100, bytes: Int = 256 << 20, age: TimeInterval = 30 * 86_400) {
    self.count = count
    self.bytes = bytes
    self.age = age
  }

  /// One kept plan, as far as its keeping goes.
  package struct Entry: Hashable, Sendable {
    package var revision: Int
    package var createdAt: Date
    package var bytes: Int

    package init(revision: Int, createdAt: Date, bytes: Int) {
      self.revision = revision
      self.createdAt = createdAt
      self.bytes = bytes
    }
  }

  /// The lowest revision that stays. Those below it all go, so that what stays has no gaps.
  ///
  /// - Parameter plans: all that there are, newest first.
  package func firstKept(of plans: [Entry], now: Date) -> Int {
    var first = plans.first?.revision ?? 0
    var total = 0
    var replacedAt: Date?
    for (index, plan) in plans.enumerated() {
      total += plan.bytes
      let isOld = replacedAt.map { now.timeIntervalSince($0) > age } ?? false
      if index > 0, index >= count || total > bytes || isOld { break }
      first = plan.revision
      replacedAt = plan.createdAt
    }
    return first
  }
}
