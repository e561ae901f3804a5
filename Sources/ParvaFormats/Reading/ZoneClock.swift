import Foundation
import ParvaEngine
import Synchronization

/// The clock of a time zone by its rules.
package struct ZoneClock: WallClock, Hashable {
  /// Its name, as `Europe/Berlin`.
  package let name: String
  private let zone: TimeZone

  /// - Parameter name: of the IANA database; abbreviations, which mean several things, are none.
  package init?(_ name: String) {
    guard name == "UTC" || name.contains("/"), name.utf8.count <= 64, let zone = TimeZone(identifier: name) else {
      return nil
    }
    self.name = name
    self.zone = zone
  }

  /// The clock of a zone that was read before, of which each is looked up once; UTC for what is none.
  package static func known(_ name: String) -> ZoneClock {
    clocks.withLock { clocks in
      if let clock = clocks[name] { return clock }
      guard let clock = ZoneClock(name) else { return utc }
      clocks[name] = clock
      return clock
    }
  }

  /// At most as many as there are zones.
  private static let clocks = Mutex<[String: ZoneClock]>([:])
  private static let utc = ZoneClock(name: "UTC", zone: .gmt)

  private init(name: String, zone: TimeZone) { (self.name, self.zone) = (name, zone) }

  package func offset(at time: Int) -> Int {
    zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(time)))
  }

  package func nextShift(after time: Int) -> Int? {
    zone.nextDaylightSavingTimeTransition(after: Date(timeIntervalSince1970: TimeInterval(time)))
      .map { Int($0.timeIntervalSince1970.rounded()) }
  }
}
