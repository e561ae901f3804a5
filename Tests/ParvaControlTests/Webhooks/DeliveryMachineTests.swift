import Foundation
import ParvaControlTestSupport
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct DeliveryMachineTests {
  private static let start = Samples.time

  private static func record(
    _ types: [WebhookEventType] = WebhookEventType.allCases, selector: String? = nil, enabled: Bool = true
  ) -> WebhookRecord {
    WebhookRecord(
      id: "a",
      wish: WebhookRecord.Wish(
        name: "a", url: "https://a.example/", types: types, selector: selector, isEnabled: enabled),
      secret: NodeSecret("whsec_"), revision: 1, createdAt: start, updatedAt: start, createdBy: "anonymous")
  }

  private static func event(
    _ number: Int, _ type: WebhookEventType = .planPublished, at seconds: TimeInterval = 0,
    labels: [String: String] = [:]
  ) -> WebhookEvent {
    var event = WebhookEvent(time: start + seconds, type: type, labels: labels, data: Data("{}".utf8))
    event.number = number
    return event
  }

  private static func machine(
    _ record: WebhookRecord = record(), position: Int = 0, _ policy: DeliveryMachine.Policy = DeliveryMachine.Policy()
  ) -> DeliveryMachine {
    var machine = DeliveryMachine(record, WebhookProgress(position: position), policy)
    machine.take(due: [])
    return machine
  }

  @Test("messages go out one after the other in the order of their events, and what nobody wants is passed over")
  func order() {
    var machine = Self.machine(Self.record([.planPublished, .nodeChanged], selector: "team=vision"))
    #expect(machine.next(at: Self.start) == .read(after: 0))
    let events = [
      Self.event(1), Self.event(2, .rolloutChanged), Self.event(3, .nodeChanged, labels: ["team": "audio"]),
      Self.event(4, .nodeChanged, labels: ["team": "vision"]),
    ]
    machine.take(WebhookEventPage(events: events, oldest: 1, newest: 4), after: 0, at: Self.start)
    #expect(machine.next(at: Self.start) == .send(.event(events[0]), attempt: 1))
    #expect(machine.finished(.event(events[0]), .delivered, at: Self.start, draw: 0) == .none)
    #expect(machine.next(at: Self.start) == .send(.event(events[3]), attempt: 1))
    #expect(machine.progress.position == 3)
    #expect(machine.finished(.event(events[3]), .delivered, at: Self.start, draw: 0) == .none)
    #expect(machine.next(at: Self.start) == .read(after: 4))
    machine.take(WebhookEventPage(events: [], oldest: 1, newest: 4), after: 4, at: Self.start)
    #expect(machine.next(at: Self.start) == .rest(until: nil))
    machine.ring()
    #expect(machine.next(at: Self.start) == .read(after: 4))
  }

  @Test(
    "pauses double up to an hour, are drawn between a half and all of that, and a receiver's wish makes them longer")
  func pauses() {
    let policy = DeliveryMachine.Policy()
    #expect((1...5).map { policy.pause(after: $0, draw: 1) } == [5, 10, 20, 40, 80])
    #expect(policy.pause(after: 1, draw: 0) == 2.5 && policy.pause(after: 500, draw: 1) == 3600)
    var machine = Self.machine()
    machine.take(WebhookEventPage(events: [Self.event(1)], oldest: 1, newest: 1), after: 0, at: Self.start)
    _ = machine.finished(.event(Self.event(1)), .failed(code: "status_503", wish: 60), at: Self.start, draw: 1)
    #expect(machine.next(at: Self.start + 59) == .rest(until: Self.start + 60))
    #expect(machine.next(at: Self.start + 60) == .send(.event(Self.event(1)), attempt: 2))
    _ = machine.finished(.event(Self.event(1)), .failed(code: "status_503", wish: 1), at: Self.start + 60, draw: 1)
    #expect(machine.next(at: Self.start + 60) == .rest(until: Self.start + 70))
  }

  @Test("a message is given up after a day of tries, and those as old as it at once while the failures go on")
  func givingUp() {
    var machine = Self.machine()
    let events = [Self.event(1), Self.event(2, at: 10), Self.event(3, at: 86_000)]
    machine.take(WebhookEventPage(events: events, oldest: 1, newest: 3), after: 0, at: Self.start)
    var now = Self.start
    var tries = 0
    while case .send = machine.next(at: now) {
      tries += 1
      let effect = machine.finished(.event(events[0]), .failed(code: "timeout"), at: now, draw: 1)
      if case .bury(let letter) = effect {
        #expect(letter.event == events[0] && letter.attempts == tries && letter.code == "timeout")
        break
      }
      guard case .rest(let until?) = machine.next(at: now) else { break }
      now = until
    }
    #expect(now == Self.start + 86_400)
    // 5 s doubled to an hour and then each hour.
    #expect((30...40).contains(tries))
    guard case .bury(let second) = machine.next(at: now + 3600) else { return #expect(Bool(false)) }
    #expect(second.event == events[1] && second.code == "expired" && second.attempts == 0)
    #expect(machine.next(at: now + 3600) == .send(.event(events[2]), attempt: 1))
  }

  @Test("410 ends all, and one that is switched off does nothing")
  func gone() {
    var machine = Self.machine()
    machine.take(WebhookEventPage(events: [Self.event(1)], oldest: 1, newest: 1), after: 0, at: Self.start)
    #expect(machine.finished(.event(Self.event(1)), .gone, at: Self.start, draw: 0) == .none)
    #expect(machine.progress.isGone && machine.next(at: Self.start + 1e6) == .rest(until: nil))
    var off = Self.machine(Self.record(enabled: false))
    #expect(off.next(at: Self.start) == .rest(until: nil))
  }

  @Test("whoever falls behind what is kept is told of the gap first, and then goes on with what is there")
  func gap() {
    var machine = Self.machine(position: 5)
    machine.take(WebhookEventPage(events: [Self.event(9)], oldest: 9, newest: 9), after: 5, at: Self.start)
    #expect(machine.next(at: Self.start) == .send(.gap(.overflow, at: Self.start), attempt: 1))
    #expect(machine.finished(.gap(.overflow, at: Self.start), .delivered, at: Self.start, draw: 0) == .none)
    #expect(machine.next(at: Self.start) == .send(.event(Self.event(9)), attempt: 1))
    // Another store, in which fewer have happened.
    var other = Self.machine(position: 50)
    other.take(WebhookEventPage(events: [], oldest: 1, newest: 3), after: 50, at: Self.start)
    #expect(other.progress.position == 3 && other.progress.gap == .overflow)
  }

  @Test("a replay goes before all else, once; one that fails takes those behind it back")
  func replays() {
    var machine = Self.machine()
    machine.take(WebhookEventPage(events: [Self.event(9)], oldest: 9, newest: 9), after: 0, at: Self.start)
    var letters = (1...3).map {
      DeadLetter(
        webhook: "a", message: "m\($0)", event: Self.event($0), attempts: 7, code: "timeout", at: Self.start,
        isDue: true)
    }
    for index in letters.indices { letters[index].number = index + 1 }
    machine.ringForDue()
    #expect(machine.next(at: Self.start) == .readDue)
    machine.take(due: letters)
    #expect(machine.next(at: Self.start) == .send(.replay(letters[0]), attempt: 8))
    #expect(machine.finished(.replay(letters[0]), .delivered, at: Self.start, draw: 0) == .forget(letters[0]))
    #expect(machine.next(at: Self.start) == .send(.replay(letters[1]), attempt: 8))
    #expect(
      machine.finished(.replay(letters[1]), .failed(code: "timeout"), at: Self.start, draw: 0)
        == .retire(letters[1], code: "timeout", others: [letters[2]]))
    // The failure of a replay holds up nothing.
    guard case .send(.gap, _) = machine.next(at: Self.start) else { return #expect(Bool(false)) }
  }

  /// A receiver, a store and a controller that crashes, by chance.
  private struct World {
    var random: SeededGenerator
    var log: [WebhookEvent] = []
    let kept = 12
    var now = DeliveryMachineTests.start
    var stored = WebhookProgress(position: 0)
    var machine = DeliveryMachineTests.machine(
      DeliveryMachineTests.record([.planPublished, .nodeChanged]), DeliveryMachine.Policy(retryFor: 600))
    /// Numbers in the order in which they arrived, and those that were given up.
    var arrived: [Int] = []
    var buried: Set<Int> = []
    var gaps = 0
    var lost: Set<Int> = []

    mutating func happen() {
      let type = WebhookEventType.allCases.randomElement(using: &random)!
      log.append(DeliveryMachineTests.event(log.count + 1, type, at: now.timeIntervalSince(DeliveryMachineTests.start)))
      machine.ring()
    }

    func page(after number: Int) -> WebhookEventPage {
      let oldest = max(1, log.count - kept + 1)
      return WebhookEventPage(
        events: Array(log.filter { $0.number > number && $0.number >= oldest }.prefix(3)), oldest: oldest,
        newest: log.count)
    }

    mutating func crash() {
      machine = DeliveryMachine(
        DeliveryMachineTests.record([.planPublished, .nodeChanged]), stored, DeliveryMachine.Policy(retryFor: 600))
    }

    mutating func step(isUp: Bool) {
      switch machine.next(at: now) {
      case .read(let after): machine.take(page(after: after), after: after, at: now)
      case .readDue: machine.take(due: [])
      case .bury(let letter):
        buried.insert(letter.event.number)
        stored = machine.progress
      case .rest(let until):
        if let until { #expect(until > now) }
        now += Double.random(in: 0...120, using: &random)
      case .send(let message, _):
        if isUp {
          if case .event(let event) = message { arrived.append(event.number) } else { gaps += 1 }
          // It may be at the receiver though nobody hears of it.
          if Int.random(in: 0..<8, using: &random) == 0 { return crash() }
        }
        let outcome: DeliveryMachine.Outcome = isUp ? .delivered : .failed(code: "timeout")
        let effect = machine.finished(message, outcome, at: now, draw: Double.random(in: 0...1, using: &random))
        if case .bury(let letter) = effect {
          buried.insert(letter.event.number)
          stored = machine.progress
        } else if Bool.random(using: &random) {
          stored = machine.progress
        }
      }
    }
  }

  @Test(
    "whatever fails and whenever it crashes: each wanted event arrives, is given up, or is covered by a gap; none arrives before an older one that it had not",
    arguments: 0..<24)
  func faults(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var world = World(random: SeededGenerator(seed: seed))
    var isUp = true
    for _ in 0..<1_500 {
      switch Int.random(in: 0..<20, using: &world.random) {
      case 0...2: world.happen()
      case 3: world.crash()
      case 4 where Int.random(in: 0..<4, using: &world.random) == 0: isUp.toggle()
      default: world.step(isUp: isUp)
      }
    }
    for _ in 0..<3_000 { world.step(isUp: true) }
    #expect(world.machine.next(at: world.now) == .rest(until: nil), "seed \(seed)")
    let wanted = world.log.filter { [.planPublished, .nodeChanged].contains($0.type) }.map(\.number)
    let missing = Set(wanted).subtracting(world.arrived).subtracting(world.buried)
    #expect(missing.isEmpty || world.gaps > 0, "seed \(seed): \(missing)")
    #expect(Set(world.arrived).isSubset(of: wanted), "seed \(seed)")
    // A repetition begins at what was stored: the first arrivals are in order.
    var seen: Set<Int> = []
    let firsts = world.arrived.filter { seen.insert($0).inserted }
    #expect(firsts == firsts.sorted(), "seed \(seed)")
    #expect(world.machine.progress.position == world.log.count, "seed \(seed)")
  }

  @Test("Retry-After is read as seconds and as a date, and nothing else is")
  func retryAfter() {
    #expect(WebhookSender.pause("120", at: Self.start) == 120)
    #expect(WebhookSender.pause("-1", at: Self.start) == nil)
    #expect(WebhookSender.pause("soon", at: Self.start) == nil)
    // 1,800,000,000 s is this date.
    #expect(WebhookSender.pause("Fri, 15 Jan 2027 08:00:30 GMT", at: Self.start) == 30)
    #expect(WebhookSender.pause("Fri, 15 Jan 2027 07:00:00 GMT", at: Self.start) == 0)
  }
}
