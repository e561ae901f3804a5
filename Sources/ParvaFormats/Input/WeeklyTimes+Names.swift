package import ParvaEngine

extension WeeklyTimes {
  /// Monday first.
  package static let dayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

  /// Names of its days, Monday first.
  var dayNames: [String] { days.sorted().map { Self.dayNames[$0] } }
}
