import ArgumentParser
import ParvaEngine
import ParvaFormats

/// What happens during a simulation: from a file, and as short options for the usual cases.
struct SimulationEventArguments: ParsableArguments {
  /// An event with the words by which a person knows it.
  struct Named {
    var event: SimulationEvent
    var name: String
  }

  @Option(
    name: .long,
    help: "Events as YAML or JSON: events: [{at, rate, over?, workload?}, {at, fail: {gpu or segment}, duration?}].")
  var events: String?

  @Option(
    name: .long,
    help: """
      [WORKLOAD@]T=FACTOR: from T seconds on requests come at FACTOR times the rate; [WORKLOAD@]T1-T2=FACTOR: the rate \
      goes there evenly from T1 to T2. May be given several times.
      """)
  var rate: [String] = []

  @Option(
    name: .long,
    help: """
      GPU@T[+S] or WORKLOAD/N@T[+S]: the GPU of that number, or the segment, fails at T seconds, for S seconds or for \
      good. May be given several times.
      """)
  var fail: [String] = []

  @Option(
    name: .customLong("then"),
    help: """
      PLAN@T: this plan takes over at T seconds. Segments that it keeps go on; those that go work off their queues \
      until the new ones are up, after --downtime. May be given several times.
      """)
  var plans: [String] = []

  @Option(name: .long, help: "Seconds until segments that a new plan changes are up.")
  var downtime = 10.0

  func validate() throws {
    guard (0...InputLimits.simulatedSeconds.upperBound).contains(downtime) else {
      throw ValidationError("--downtime must be 0 to \(InputLimits.simulatedSeconds.upperBound) seconds.")
    }
    for text in rate { _ = try Self.rateChange(text) }
    for text in fail { _ = try Self.failure(text) }
    for text in plans { _ = try Self.replacement(text) }
  }

  /// All events, and the documents of the plans behind the one that `plans` begins with, in order of time.
  func read(duration: Double, plans sources: inout [InputSource]) throws -> [Named] {
    var named: [Named] = []
    if let events {
      let read = try SimulationEventReader.read(try InputSource.load(events), duration: duration)
      named += read.enumerated().map { Named(event: $1, name: "\(events)#/events/\($0)") }
    }
    named += try rate.map { Named(event: try Self.rateChange($0), name: "--rate \($0)") }
    named += try fail.map { Named(event: try Self.failure($0), name: "--fail \($0)") }
    let replacements = try plans.map { (try Self.replacement($0), $0) }.sorted { $0.0.time < $1.0.time }
    for ((file, time), text) in replacements {
      let source = try InputSource.load(file, limit: InputLimits.planBytes)
      sources.append(source)
      named.append(
        Named(
          event: .replan(time: time, plan: try PlanReader.read(source), downtime: downtime), name: "--then \(text)"))
    }
    for item in named where item.event.time > duration {
      throw ValidationError("'\(item.name)' comes after the end of the simulation at \(duration) seconds.")
    }
    return named
  }

  private static func rateChange(_ text: String) throws -> SimulationEvent {
    let wrong = ValidationError("--rate must be [WORKLOAD@]T=FACTOR or [WORKLOAD@]T1-T2=FACTOR, not '\(text)'.")
    let sides = text.split(separator: "=", omittingEmptySubsequences: false)
    guard sides.count == 2, let factor = Double(sides[1]), InputLimits.rateFactor.contains(factor) else { throw wrong }
    let place = sides[0].split(separator: "@", omittingEmptySubsequences: false)
    guard place.count <= 2, let when = place.last else { throw wrong }
    let times = when.split(separator: "-", omittingEmptySubsequences: false).map { seconds($0) }
    guard (1...2).contains(times.count), let start = times[0], let end = times[times.count - 1], end >= start else {
      throw wrong
    }
    return .rate(
      time: start, factor: factor, over: end - start, workload: place.count == 2 ? String(place[0]) : nil)
  }

  private static func failure(_ text: String) throws -> SimulationEvent {
    let wrong = ValidationError("--fail must be GPU@T[+S] or WORKLOAD/N@T[+S], not '\(text)'.")
    let sides = text.split(separator: "@", omittingEmptySubsequences: false)
    guard sides.count == 2, !sides[0].isEmpty else { throw wrong }
    let times = sides[1].split(separator: "+", omittingEmptySubsequences: false).map { seconds($0) }
    guard (1...2).contains(times.count), let start = times[0] else { throw wrong }
    let duration = times.count == 2 ? times[1] : nil
    if times.count == 2 { guard let duration, duration > 0 else { throw wrong } }
    let target = Int(sides[0]).map { SimulationEvent.Target.gpu($0) } ?? .segment(String(sides[0]))
    return .failure(time: start, target: target, duration: duration)
  }

  private static func replacement(_ text: String) throws -> (file: String, time: Double) {
    guard let at = text.lastIndex(of: "@"), at > text.startIndex, let time = seconds(text[text.index(after: at)...])
    else { throw ValidationError("--then must be PLAN@T, not '\(text)'.") }
    return (String(text[..<at]), time)
  }

  private static func seconds(_ text: Substring) -> Double? {
    Double(text).flatMap { (0...InputLimits.simulatedSeconds.upperBound).contains($0) ? $0 : nil }
  }
}
