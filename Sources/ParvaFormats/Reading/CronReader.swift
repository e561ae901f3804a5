import ParvaEngine
import ParvaWire

/// Reads entries of schedules whose times are cron expressions.
enum CronReader {
  /// Bytes of an expression.
  private static let longest = 256

  /// - Parameter place: makes the refusal for a path below the entry's own place.
  /// - Returns: nil where something was refused.
  static func read(
    _ spec: WorkloadSpec.ScheduledRate, _ refusals: inout Refusals,
    _ place: (InputError.Code, String, [String], String?) -> InputError
  ) -> ScheduledRate? {
    for (name, isThere) in [("days", spec.days != nil), ("from", spec.from != nil), ("to", spec.to != nil)]
    where isThere {
      refusals.add(place(.contradiction, "cron stands in place of \(name): it says when the rate begins", [name], nil))
    }
    let clock = WeeklyTimesReader.clock(spec.timeZone, &refusals, place)
    let text = spec.cron ?? ""
    guard text.utf8.count <= longest else {
      refusals.add(place(.outOfRange, "cron has at most \(longest) characters", ["cron"], text))
      return nil
    }
    do throws(CronTimes.Fault) {
      let times = try CronTimes(text)
      return clock.map { ScheduledRate(.from(times), zone: $0.name, rate: spec.rate) }
    } catch {
      refusals.add(place(.outOfRange, message(error), ["cron"], text))
      return nil
    }
  }

  private static func message(_ fault: CronTimes.Fault) -> String {
    switch fault {
    case .fields:
      "cron has five fields with a space between each two: \(CronTimes.fieldNames.joined(separator: ", ")), for example "
        + "0 8 * * mon-fri"
    case .field(let name, let text):
      "the \(name) of cron cannot be \(InputError.shortened(text)); it is *, a number, a range or those with a step, as 1,3-5,*/2"
    case .never: "cron names a day that never comes"
    case .tooOften: "cron comes more often than \(CronTimes.mostPerDay) times a day, which no roll-out follows"
    }
  }
}
