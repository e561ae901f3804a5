import Foundation
import ParvaEngine
package import ParvaWire
import Synchronization

/// The endpoints as they are now, those who wait for others, and what is being drained.
///
/// The table is made anew by one run at a time, however often something changes meanwhile, and never faster than it can be
/// made twice over: a large fleet costs at most half a core.
package final class TrafficBoard: Sendable {
  package struct View: Sendable {
    package var table = EndpointTable.empty
    /// Another where anything of the table is another, its times included.
    package var edition = 0
    /// Whether every node that is there has spoken since the start, or has had the time to: before that the table holds
    /// what was true when the controller ended, and nobody is to route by it.
    package var isSettled: Bool { settledAt != nil }
    /// Since when proxies are told of the table.
    var settledAt: Date?
    /// When places ceased to have a server that may get requests, of the last hour: a drain is no longer than that.
    var lastReady: [SegmentPlace: Date] = [:]

    /// When proxies were last told, or may have been, to send to these places; nil where they were not. O(endpoints).
    func lastServed(_ places: Set<SegmentPlace>) -> Date? {
      let last = (places.compactMap { lastReady[$0] } + [table.lastDrained(places)].compactMap(\.self)).max()
      // What proxies had from a controller before this one is what they have until they are told anything.
      return last.map { max($0, settledAt ?? $0) }
    }

    /// Takes over a newer table.
    mutating func take(_ newer: EndpointTable, isSettled: Bool, at time: Date) {
      let ready = Set(newer.endpoints.lazy.filter { $0.state == .ready }.map(\.key.place))
      lastReady = lastReady.filter { time.timeIntervalSince($0.value) < 3600 && !ready.contains($0.key) }
      for endpoint in table.endpoints where endpoint.state == .ready && !ready.contains(endpoint.key.place) {
        lastReady[endpoint.key.place] = time
      }
      if table != newer { edition += 1 }
      table = newer
      if isSettled && settledAt == nil { settledAt = time }
    }
  }

  /// Why servers are not taken for a segment's.
  package enum Refusal: Error, Hashable, Sendable {
    /// No node has verified a segment of that name.
    case unknownSegment
    /// The workload says how its servers are started: they are told by the node.
    case launched
    /// So many servers were told already.
    case full
    case storeFailed(StoreError)
  }

  /// What the nodes look like at one moment.
  package struct Nodes: Sendable {
    var records: [NodeRecord]
    var isCutOff: Bool
    /// Whether each has spoken since the start, or has had the time to.
    var hasHeardAll: Bool
    /// Grows with every change that endpoints may follow from.
    var edition: Int
  }

  fileprivate struct State {
    var drains: [SegmentPlace: Int] = [:]
    var told: [String: ToldSegment]
    /// Since when what was told is of a segment that stands nowhere and is not planned where it stood.
    var absent: [String: Date] = [:]
    /// Grows with every change of what is here.
    var edition = 0
    /// What the newest table was made from.
    var made: (nodes: Int, own: Int, plan: Int)?
    var loads: (plan: Int, loads: PlannedLoads)?
  }

  /// Most servers that are told.
  package static let mostTold = 100_000
  /// Seconds for which what was told of a segment is kept after it stands nowhere: a roll-back may bring it back.
  static let patience = 600.0

  private let store: any Store
  private let nodes: @Sendable () -> Nodes
  private let edition: @Sendable () -> Int
  private let plan: @Sendable () -> PublishedPlan?
  private let now: @Sendable () -> Date
  /// Whether the table is that of another board; see ``mirror(_:)``.
  private let isMirror: Bool
  private let state: Mutex<State>
  private let board = WaitingBoard(View())
  /// What a board before this one has shown.
  private let inherited = Mutex<View?>(nil)
  private let making = SharedRun<Never>()
  private let telling = RequestLimit(1)

  /// - Parameter isMirror: whether the table is that of another controller's board.
  init(
    told: [String: ToldSegment], store: any Store, nodes: NodeRegistry, plan: @escaping @Sendable () -> PublishedPlan?,
    isMirror: Bool = false, now: @escaping @Sendable () -> Date
  ) {
    self.store = store
    self.isMirror = isMirror
    self.nodes = { nodes.traffic }
    edition = { nodes.edition }
    self.plan = plan
    self.now = now
    state = Mutex(State(told: told))
    make()
  }

  // MARK: - Looking

  package var view: View { board.read { copy $0 } }

  /// Takes over what another board of this process has shown, whose place this one takes.
  package func inherit(_ view: View) {
    if view.isSettled { inherited.withLock { $0 = view } }
  }

  /// What those who ask are shown: until this board is settled, what another one has shown before. Proxies have that, and
  /// keep it as long as they are told nothing else.
  package func shown(_ view: View) -> View { view.isSettled ? view : inherited.withLock { $0 } ?? view }

  package var isClosed: Bool { board.isClosed }

  /// Whether the view tells of everything that was changed before this call.
  package var isCurrent: Bool {
    if isMirror { return true }
    let seen = (nodes: edition(), plan: plan()?.record.revision ?? 0)
    return state.withLock { state in
      state.made.map { ($0.nodes, $0.own, $0.plan) == (seen.nodes, state.edition, seen.plan) } ?? false
    }
  }

  /// Returns once the view tells of everything that was changed before this call.
  package func refresh() async { await making.run { await self.run() } }

  /// The view as soon as it answers the question, or as it is after `duration`.
  package func wait(for duration: Duration, until isAnswered: @escaping @Sendable (View) -> Bool) async -> View {
    await board.wait(for: duration) { ($0, isAnswered($0)) }
  }

  /// Answers everybody who waits, now and from now on.
  package func close() { board.close() }

  /// Has the table made anew: something has changed that it follows from.
  package func changed() { making.request { await self.run() } }

  private func run() async -> Never? {
    let began = ContinuousClock.now
    make()
    let rest = began.duration(to: .now)
    if rest > .milliseconds(5) { try? await Task.sleep(for: rest) }
    return nil
  }

  /// Takes over the table of the board that this one mirrors, of which nobody is to hear while it is not settled there.
  package func mirror(_ table: EndpointTable) {
    let time = now()
    if isMirror { board.change { $0.take(table, isSettled: true, at: time) } }
  }

  /// Takes over what another controller has stored.
  func follow(_ batch: StoreBatch) {
    guard !batch.toldSegments.isEmpty else { return }
    state.withLock { state in for (segment, told) in batch.toldSegments { state.told[segment] = told } }
  }

  private func make() {
    if isMirror { return }
    let (nodes, plan) = (self.nodes(), self.plan())
    let revision = plan?.record.revision ?? 0
    var terms = EndpointTable.Terms()
    terms.isCutOff = nodes.isCutOff
    let own = state.withLock { state in
      if state.loads?.plan != revision { state.loads = (revision, plan?.loads ?? PlannedLoads()) }
      terms.loads = state.loads?.loads ?? PlannedLoads()
      terms.drains = Set(state.drains.keys)
      terms.told = state.told
      return state.edition
    }
    let (time, isSettled) = (now(), nodes.hasHeardAll)
    // Whoever looks or waits is not held up meanwhile: nobody else makes tables.
    let table = EndpointTable(nodes: nodes.records, terms, after: view.table, at: time)
    board.change { $0.take(table, isSettled: isSettled, at: time) }
    state.withLock { $0.made = (nodes.edition, own, revision) }
  }

  // MARK: - Draining

  /// Gives the servers of these places no new requests, until as many calls of ``release(_:)`` as of this.
  ///
  /// Returns once the table says so; answers for how long proxies know that none of them gets any, nil where none has had
  /// any.
  func drain(_ places: Set<SegmentPlace>) async -> Duration? {
    state.withLock { state in
      state.edition += 1
      for place in places { state.drains[place, default: 0] += 1 }
    }
    await refresh()
    return view.lastServed(places).map { .seconds(max(0, now().timeIntervalSince($0))) }
  }

  func release(_ places: Set<SegmentPlace>) {
    state.withLock { state in
      state.edition += 1
      for place in places {
        let left = state.drains[place, default: 0] - 1
        state.drains[place] = left > 0 ? left : nil
      }
    }
    changed()
  }

  // MARK: - Servers that somebody else has started

  /// What was told of a segment, nil where nothing was.
  package func told(_ segment: String) -> ToldSegment? { state.withLock { $0.told[segment] } }

  /// Takes over where a segment's servers are; none takes away what was told. On disk when it returns.
  package func tell(_ segment: String, _ servers: [ToldEndpoints.Server]) async throws(Refusal) {
    try await telling.run { () async throws(Refusal) in try await self.take(segment, servers) }
    await refresh()
  }

  private func take(_ segment: String, _ servers: [ToldEndpoints.Server]) async throws(Refusal) {
    var told: ToldSegment?
    // What was told of a segment that stands nowhere any more can be taken back all the same.
    if !servers.isEmpty || self.told(segment) == nil {
      guard let stands = Self.find(segment, nodes().records) else { throw .unknownSegment }
      guard stands.launch == nil else { throw .launched }
      if servers.isEmpty { return }
      told = ToldSegment(node: stands.node, place: stands.place, workload: stands.workload, servers: servers)
      let others = state.withLock { state in
        state.told.reduce(0) { $0 + ($1.key == segment ? 0 : $1.value.servers.count) }
      }
      guard others + servers.count <= Self.mostTold else { throw .full }
    }
    try await keep(segment, told)
  }

  private func keep(_ segment: String, _ told: ToldSegment?) async throws(Refusal) {
    var batch = StoreBatch()
    batch.toldSegments[segment] = .some(told)
    let before = self.told(segment)
    do throws(StoreError) {
      try await store.commit(batch, for: AuditDraft.open) {
        $0.change(200, "segments/\(segment)", before: Self.tag(before), after: Self.tag(told))
      }
    } catch {
      throw .storeFailed(error)
    }
    state.withLock { state in
      state.edition += 1
      state.told[segment] = told
      state.absent[segment] = nil
    }
  }

  private static func tag(_ told: ToldSegment?) -> String? {
    told.flatMap { try? NodeCodec.data(told: $0) }.map { EntityTag.forRecords(0, $0) }
  }

  /// Lets go of what was told of segments that have stood nowhere for ``patience``: their workload is gone, or they are. O(nodes
  /// + told). What cannot be stored is tried again with the next call.
  func forgetTold() async throws(Refusal) {
    guard view.isSettled, state.withLock({ !$0.told.isEmpty }) else { return }
    let records = Dictionary(nodes().records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let time = now()
    let gone = state.withLock { $0.absentTold(records, at: time) }
    for (segment, told) in gone {
      try await telling.run { () async throws(Refusal) in
        // It may have been told anew meanwhile.
        if self.told(segment) == told { try await self.keep(segment, nil) }
      }
    }
    if !gone.isEmpty { await refresh() }
  }

  private static func find(
    _ segment: String, _ nodes: [NodeRecord]
  ) -> (node: String, place: SegmentPlace, workload: String, launch: LaunchSpec?)? {
    for node in nodes.sorted(by: { $0.name < $1.name }) {
      for gpu in node.applied?.gpus ?? [] {
        guard let instance = gpu.instances.first(where: { $0.segment == segment }), let workload = instance.workload
        else { continue }
        return (node.name, SegmentPlace(gpu: gpu.uuid, place: instance.place), workload, instance.launch)
      }
    }
    return nil
  }
}

extension TrafficBoard.State {
  /// What has stood nowhere for long enough, by segment.
  fileprivate mutating func absentTold(
    _ nodes: [String: NodeRecord], at time: Date
  ) -> [(segment: String, told: ToldSegment)] {
    var gone: [(segment: String, told: ToldSegment)] = []
    for (segment, one) in told {
      let isPlanned = loads?.loads.places[one.place]?.workload == one.workload
      if isPlanned || nodes[one.node]?.instance(at: one.place, of: one.workload) != nil {
        absent[segment] = nil
        continue
      }
      let since = absent[segment] ?? time
      absent[segment] = since
      if time.timeIntervalSince(since) >= TrafficBoard.patience { gone.append((segment, one)) }
    }
    return gone.sorted { $0.segment < $1.segment }
  }
}

extension PublishedPlan {
  /// What the plan gives to each place of a GPU that it is bound to.
  fileprivate var loads: PlannedLoads {
    PlannedLoads(
      plan.gpus.flatMap { gpu in
        gpu.segments.compactMap { segment in
          gpu.uuid.map { uuid in
            let place = InstancePlace(
              profileID: gpu.product.profiles[segment.profile].driverProfileID, start: segment.start)
            return (SegmentPlace(gpu: uuid, place: place), segment.workload, segment.load)
          }
        }
      })
  }
}

extension NodeRegistry {
  fileprivate var traffic: TrafficBoard.Nodes {
    let (records, isCutOff, hasHeardAll, edition) = trafficState
    return TrafficBoard.Nodes(records: records, isCutOff: isCutOff, hasHeardAll: hasHeardAll, edition: edition)
  }
}
