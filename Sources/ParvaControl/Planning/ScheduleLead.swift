import Foundation
import ParvaWire
import Synchronization

/// How long plans are ahead of rates that go by schedules: as long as was said, or as roll-outs have taken of late.
package final class ScheduleLead: Sendable {
  /// Seconds where nothing was said and no roll-out was seen.
  package static let usual = 300.0
  /// Seconds between which what is learnt stays.
  package static let range = 30.0...3_600.0
  /// Roll-outs that are remembered.
  static let remembered = 20

  private let said: Double?
  /// Seconds that the newest roll-outs have taken, oldest first.
  private let durations = Mutex<[Double]>([])

  package init(_ said: Double?) { self.said = said }

  package var isLearnt: Bool { said == nil && durations.withLock { !$0.isEmpty } }

  /// The longest of those that are remembered, a tenth more, in whole tens of seconds: plans do not change with each roll-out.
  package var seconds: Double {
    if let said { return said }
    guard let longest = durations.withLock({ $0.max() }) else { return Self.usual }
    return min(max((longest * 1.1 / 10).rounded(.up) * 10, Self.range.lowerBound), Self.range.upperBound)
  }

  /// What roll-outs of earlier processes have taken, the newest first.
  func note(_ stored: [StoredOperation]) {
    for operation in stored.reversed() {
      if let document = FleetOperationDocument(operation) { note(document) }
    }
  }

  /// A roll-out has ended; counts where all of it has come to its end, and something was changed by it.
  ///
  /// - Returns: whether ``seconds`` is another now.
  @discardableResult
  func note(_ operation: FleetOperationDocument) -> Bool {
    guard operation.status == .verified, operation.nodes.contains(where: { $0.unchanged != true }),
      let duration = operation.seconds
    else { return false }
    let before = seconds
    durations.withLock { durations in
      durations.append(duration)
      if durations.count > Self.remembered { durations.removeFirst() }
    }
    return seconds != before
  }
}

extension FleetOperationDocument {
  /// From its beginning to its end; nil where a restart of the controller lies between.
  fileprivate var seconds: Double? {
    guard resumed == 0, let begun = Timestamp.date(createdAt), let ended = Timestamp.date(updatedAt) else { return nil }
    return max(0, ended.timeIntervalSince(begun))
  }
}
