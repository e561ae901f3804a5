/// How long one member is waited for: as TCP waits for what it has sent, longer where members are slow, so that a slow machine or
/// network does not have every request given up and begun anew.
struct EtcdPatience: Sendable {
  /// Where members answer quickly, one that hangs is left for another after this.
  let least: Duration
  let most: Duration
  private(set) var now: Duration

  init(_ least: Duration, most: Duration = .seconds(3)) {
    (self.least, self.most, now) = (least, max(least, most), least)
  }

  /// An answer came: what is longer than four such is more than is needed, and is given up little by little.
  mutating func answered(after time: Duration) { now = min(most, max(least, time * 4, now * 3 / 4)) }

  /// None came in time.
  mutating func waitedInVain() { now = min(most, now * 2) }
}
