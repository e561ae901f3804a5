import Foundation
package import Logging
package import ParvaControl
package import ParvaHTTP
import Synchronization

/// One of several controllers on a shared store: has the right controller answer, by what the store says this replica is.
///
/// Whenever it begins or ceases to lead, a fresh controller takes the place of the one before, as after a restart, while the
/// server goes on: what was begun there ends, streams among it, and clients come back. One that begins to lead has what the one
/// before it knows.
package final class ReplicaHost: Sendable {
  package struct Settings: Sendable {
    /// How old a follower's copy may be before the replica is not ready any more.
    package var mostStaleness = Duration.seconds(15)
    /// How long requests that are open may keep leadership at a replica that ends.
    package var handOver = Duration.seconds(2)

    package init() {}
  }

  /// Makes a controller for a part, over what it is to store in.
  package typealias Build =
    @Sendable (
      _ role: Controller.Role, _ store: any Store, _ leadership: Leadership
    ) async throws(StoreError) -> Controller
  package typealias Routing = @Sendable (_ controller: Controller, _ part: ReplicaPart) -> Router

  private enum Event: Sendable {
    case standing(ReplicaStanding)
    /// The copy of the controller of this number was read anew.
    case reset(Int)
    /// A node has heard of a later term.
    case deposed(term: Int)
  }

  private struct Serving: Sendable {
    var controller: Controller
    /// In which it leads; nil where it follows.
    var term: Int?
    var number = 0
    var mirroring: Task<Void, Never>?
    /// Whether it was told that a node knows of a later term.
    var isDeposedTold = false
    /// Nothing takes its place any more.
    var isLast = false
  }

  package let slot: RouterSlot
  private let store: any ReplicatedStore
  private let link: PeerLink
  private let settings: Settings
  private let build: Build
  private let routing: Routing
  private let logger: Logger
  private let tally = ReplicaTally()
  let census: ReplicaCensus
  private let events: (stream: AsyncStream<Event>, continuation: AsyncStream<Event>.Continuation)
  private let serving: Mutex<Serving>
  /// Whether a term has gone by since this replica began: what was planned in it is not planned anew.
  private let hasFollowed = Mutex(false)
  private let ending = Mutex<[Task<Void, Never>]>([])

  /// Begins as a follower, from the store's copy as it is.
  ///
  /// - Parameters:
  ///   - member: what the others are told of this one; without, its address alone.
  ///   - slot: has a router from then on.
  /// - Throws: what reading the copy throws.
  package init(
    store: any ReplicatedStore, link: PeerLink, member: ReplicaMember? = nil, settings: Settings = Settings(),
    slot: RouterSlot? = nil, logger: Logger,
    build: @escaping Build, routing: @escaping Routing
  ) async throws(StoreError) {
    (self.store, self.link, self.settings, self.logger) = (store, link, settings, logger)
    (self.build, self.routing) = (build, routing)
    census = ReplicaCensus(member ?? ReplicaMember(address: link.address), store, link, logger: logger)
    let events = AsyncStream.makeStream(of: Event.self)
    self.events = events
    let controller = try await build(.follows(store), store, Leadership())
    let part = Self.part(
      of: controller, term: nil, store, link, settings, tally, census)
    tally.follower = controller.follower
    let router = routing(controller, part)
    self.slot = slot ?? RouterSlot(router)
    self.slot.replace(with: router)
    serving = Mutex(Serving(controller: controller))
    follow(controller, number: 0)
  }

  private static func part(
    of controller: Controller, term: Int?, _ store: any ReplicatedStore, _ link: PeerLink, _ settings: Settings,
    _ tally: ReplicaTally, _ census: ReplicaCensus
  ) -> ReplicaPart {
    let role = controller.follower.map { ReplicaPart.Role.follows($0) } ?? .leads(term: term ?? 0, controller)
    return ReplicaPart(
      role: role, link: link, store: store, epoch: controller.epoch, mostStaleness: settings.mostStaleness,
      tally: tally,
      census: census)
  }

  /// The controller that answers now.
  package var controller: Controller { serving.withLock { $0.controller } }

  private func follow(_ controller: Controller, number: Int) {
    controller.follow { [events] in events.continuation.yield(.reset(number)) }
    let (store, link, tally) = (store, link, tally)
    let mirroring = Task {
      await PeerExchange.follow(
        {
          if case .follower(let leader) = store.standing { return leader }
          return nil
        }, link, for: controller, tally)
    }
    serving.withLock { $0.mirroring = mirroring }
  }

  // MARK: - Running

  /// Takes part in the election and plays the part that comes of it, until the task is cancelled or the store closed. The
  /// server listens already.
  package func run() async {
    await store.campaign(as: census.own)
    let looking = Task { [census] in await census.run() }
    defer { looking.cancel() }
    let pumping = Task { [store, events] in
      for await standing in store.standings() { events.continuation.yield(.standing(standing)) }
    }
    for await event in events.stream {
      switch event {
      case .standing(let standing): await become(standing)
      case .reset(let number): await begin(anew: number)
      case .deposed(let term): await deposed(term)
      }
    }
    pumping.cancel()
  }

  private func become(_ standing: ReplicaStanding) async {
    switch standing {
    case .leader(let term):
      guard serving.withLock({ $0.term }) != term else { return }
      // A term before it is over.
      stepDown()
      await lead(in: term)
    case .follower(let leader):
      if let leader, leader.address != link.address { hasFollowed.withLock { $0 = true } }
      guard serving.withLock({ $0.term }) != nil else { return }
      // What it has planned itself is not planned anew either.
      hasFollowed.withLock { $0 = true }
      stepDown()
      logger.notice("another replica leads, or none does", metadata: ["leader": "\(leader?.address ?? "")"])
      await takePlace(term: nil) { () throws(StoreError) in
        try await self.build(.follows(self.store), self.store, Leadership())
      }
    }
  }

  /// A controller that leads begins nothing from now on.
  private func stepDown() { serving.withLock { $0.term == nil ? nil : $0.controller }?.halt() }

  private func lead(in term: Int) async {
    let takesOver = hasFollowed.withLock { $0 }
    let began = ContinuousClock.now
    let leadership = Leadership(
      isSure: { [store] in store.isSurelyLeader(in: term) },
      onDeposed: { [events] in events.continuation.yield(.deposed(term: term)) })
    await takePlace(term: term) { () throws(StoreError) in
      try await self.build(
        .leads(term: term, takesOver: takesOver, from: self.controller), self.store.writer(term: term), leadership)
    }
    guard serving.withLock({ $0.term }) == term else { return }
    tally.tookOver()
    logger.notice(
      "leading", metadata: ["term": "\(term)", "seconds": "\(began.duration(to: .now) / .seconds(1))"])
  }

  /// The copy was read anew as a whole.
  private func begin(anew number: Int) async {
    guard serving.withLock({ $0.term == nil && $0.number == number }) else { return }
    await takePlace(term: nil) { () throws(StoreError) in
      try await self.build(.follows(self.store), self.store, Leadership())
    }
  }

  /// A node may be wrong about who leads; the store is not.
  private func deposed(_ term: Int) async {
    guard serving.withLock({ $0.term }) == term else { return }
    if store.isSurelyLeader(in: term) {
      let isTold = serving.withLock { serving in
        defer { serving.isDeposedTold = true }
        return serving.isDeposedTold
      }
      if isTold { return }
      logger.error(
        "a node has heard of a later term than that of this controller, which leads: it was another fleet's",
        metadata: ["term": "\(term)"])
      return
    }
    stepDown()
    await store.resign()
  }

  /// Puts another controller in the place of the one that answers, as soon as it can be made. Given up where the store says
  /// something else of this replica meanwhile.
  private func takePlace(term: Int?, _ make: () async throws(StoreError) -> Controller) async {
    var told: StoreError?
    while !Task.isCancelled, isStill(term), !serving.withLock(\.isLast) {
      let made: Controller
      do throws(StoreError) {
        made = try await make()
      } catch {
        if error != told {
          logger.error(
            "what is stored cannot be read; it is tried again",
            metadata: ["code": "\(error.code.rawValue)", "error": "\(error)"])
        }
        told = error
        try? await Task.sleep(for: .milliseconds(200))
        continue
      }
      let part = Self.part(of: made, term: term, store, link, settings, tally, census)
      // Nobody is told that this replica leads when it does not.
      let replaced = serving.withLock { serving -> (old: Controller, mirroring: Task<Void, Never>?, number: Int)? in
        guard !serving.isLast, isStill(term) else { return nil }
        defer {
          serving = Serving(controller: made, term: term, number: serving.number + 1, mirroring: nil)
        }
        return (serving.controller, serving.mirroring, serving.number + 1)
      }
      guard let (old, mirroring, number) = replaced else {
        Task { try? await made.stop() }
        return
      }
      // Until it knows better, endpoints are as they were.
      made.traffic.inherit(old.traffic.shown(old.traffic.view))
      if term == nil { follow(made, number: number) } else { made.start() }
      tally.follower = made.follower
      slot.replace(with: routing(made, part))
      mirroring?.cancel()
      end(old)
      return
    }
  }

  private func isStill(_ term: Int?) -> Bool {
    if case .leader(let now) = store.standing { return now == term }
    return term == nil
  }

  private func end(_ controller: Controller) {
    controller.releaseWaiters()
    let task = Task { [logger] in
      do throws(StoreError) {
        try await controller.stop()
      } catch {
        logger.warning("what a controller kept last is not stored", metadata: ["error": "\(error)"])
      }
    }
    ending.withLock { $0 = $0.suffix(7) + [task] }
  }

  // MARK: - Ending

  /// Answers those who wait, so that open requests can end.
  package func releaseWaiters() { controller.releaseWaiters() }

  /// Is elected no more, gives leadership up, and closes the store. One request that is slow does not keep others from leading for
  /// longer than ``Settings/handOver``: from then on changes are refused, and reads go on.
  ///
  /// - Parameter drain: returns when no request is open any more, and none follows.
  package func stop(draining drain: @escaping @Sendable () async -> Void = {}) async throws(StoreError) {
    let quiet = WaitingBoard(false)
    let draining = Task {
      await drain()
      quiet.change { $0 = true }
    }
    let leads = serving.withLock { $0.term != nil }
    if leads { _ = await quiet.wait(for: settings.handOver) { ((), $0) } }
    events.continuation.finish()
    let (controller, mirroring) = serving.withLock { serving in
      serving.isLast = true
      return (serving.controller, serving.mirroring)
    }
    if !leads {
      await store.withdraw()
      await draining.value
    }
    mirroring?.cancel()
    for task in ending.withLock({ $0 }) { await task.value }
    try await controller.stop()
    await store.withdraw()
    await draining.value
    link.shutdown()
    try await store.close()
  }
}
