import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaHTTP
import ParvaWire
import Testing

/// What every store of the table promises.
@Suite struct StoreContractTests {
  /// A kind of store, opened and reopened over the same place.
  struct Kind: Sendable, CustomTestStringConvertible {
    let name: String
    /// Whether several may have it open.
    var isShared = false
    let open: @Sendable (TemporaryFolder) async throws -> any Store

    var testDescription: String { name }
  }

  static let stores =
    Stores.all.map { kind in
      Kind(name: kind.scheme) { folder in try Stores.open("\(kind.scheme):\(folder.file("store"))") }
    } + shared

  /// Those that replicas share, where what keeps them is installed.
  private static var shared: [Kind] {
    guard let member = EtcdMember.shared else { return [] }
    return Stores.replicated.map { kind in
      Kind(name: kind.scheme, isShared: true) { folder in
        var access = StoreAccess()
        access.lease = .seconds(2)
        let prefix = URL(filePath: folder.path).lastPathComponent
        return await LeadingStore(try await kind.open("//\(member.endpoint)/\(prefix)", access, nil))
      }
    }
  }

  /// What the store holds after it was closed and opened again.
  private func reopened(_ kind: Kind, _ folder: TemporaryFolder, _ store: any Store) async throws -> any Store {
    try await store.close()
    return try await kind.open(folder)
  }

  @Test(
    "an address of no kind that there is does not become the name of a file",
    arguments: ["etcds://a:1/p", "ETCD://a:1/p", "redis://a", "http://a:2379/p", "://", "x:///tmp/a"])
  func unknownKind(_ address: String) {
    let refusal = #expect(throws: StoreError.self) { _ = try Stores.open(address) }
    #expect(refusal?.code == .cannotOpen && refusal?.message.contains("etcd://") == true)
  }

  @Test(arguments: stores) func aNewStoreIsEmpty(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    let contents = try await store.load()
    #expect(contents.demand.revision == 0)
    #expect(contents.demand.registrations.rows.isEmpty)
    #expect(contents.demand.profiles.isEmpty)
    #expect(contents.plan == nil)
    #expect(try await store.plans(before: nil, limit: 10).isEmpty)
  }

  @Test(arguments: stores) func whatWasCommittedIsThereAfterReopening(_ kind: Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    let rows = [
      Samples.registration(Samples.workload("b"), revision: 4), Samples.registration(Samples.fullWorkload),
      Samples.registration(
        Workload(id: "c", model: "m", rate: 0.1 + 0.2, sloLatencyMs: 1, arrivals: .deterministic), revision: 7),
    ]
    var batch = StoreBatch()
    batch.demandRevision = 7
    batch.registrations = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0) })
    let profile = StoredProfile(Samples.profile(), revision: 5)
    batch.profiles[profile.key] = profile
    var own = StoredProfile(Samples.profile(throughput: 7), revision: 4)
    own.profile.namespace = "vision"
    batch.profiles[own.key] = own
    batch.plan = Samples.plan(3, demand: 7, document: #"{"gpus":[]}"#)
    var cause = PlanCause([.demand, .fleet], after: 2)
    cause.changed.count = 21
    cause.changed.first = ["a", "b"]
    cause.who = [PlanCause.Author(id: "token:t", name: "ci")]
    batch.plan?.record.cause = cause
    batch.plan?.record.fleet = .max - 1
    let pin = PlanPin(revision: 3, reason: "why", since: Samples.time)
    batch.pin = .some(pin)
    try await store.commit(batch)

    store = try await reopened(kind, folder, store)
    let contents = try await store.load()
    #expect(contents.demand.revision == 7)
    #expect(contents.demand.registrations.rows == rows.sorted { $0.id < $1.id })
    #expect(contents.demand.profiles == [profile.key: profile, own.key: own])
    #expect(contents.plan == batch.plan)
    #expect(contents.pin == pin)
    #expect(try await store.plans(before: nil, limit: 1).first?.cause == cause)
    var released = StoreBatch()
    released.pin = .some(nil)
    try await store.commit(released)
    #expect(try await store.load().pin == nil)
  }

  @Test(arguments: stores) func aLaterBatchReplacesAndRemoves(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    let profile = StoredProfile(Samples.profile(), revision: 1)
    var first = StoreBatch()
    first.demandRevision = 1
    first.registrations = [
      "a": Samples.registration(Samples.workload("a")), "b": Samples.registration(Samples.workload("b")),
    ]
    first.profiles[profile.key] = profile
    var own = profile
    own.profile.namespace = "vision"
    first.profiles[own.key] = own
    try await store.commit(first)
    var second = StoreBatch()
    second.demandRevision = 2
    let changed = Samples.registration(Samples.workload("a", rate: 7), revision: 2)
    second.registrations = ["a": changed, "b": nil, "never-there": nil]
    second.profiles[profile.key] = .some(nil)
    second.profiles[own.key] = .some(nil)
    try await store.commit(second)
    let contents = try await store.load()
    #expect(contents.demand.revision == 2)
    #expect(contents.demand.registrations.rows == [changed])
    #expect(contents.demand.profiles.isEmpty)
  }

  @Test(arguments: stores) func subscribersAndTheirMessagesOutliveAReopening(_ kind: Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    let wish = WebhookRecord.Wish(
      name: "ci", url: "https://a.example/", types: [.planPublished, .nodeChanged], selector: "a=b", isEnabled: false,
      retrySeconds: 7)
    let older = WebhookRecord.OlderSecret(secret: NodeSecret("old"), until: Samples.time + 60)
    let records = ["a", "b"].map {
      WebhookRecord(
        id: $0, wish: wish, secret: NodeSecret("new"), older: $0 == "a" ? older : nil, revision: 3,
        createdAt: Samples.time, updatedAt: Samples.time + 1, createdBy: "token:t")
    }
    var progress = WebhookProgress(position: 2)
    (progress.failures, progress.failingSince, progress.gap, progress.gapAt) = (4, Samples.time, .restart, Samples.time)
    var event = WebhookEvent(
      time: Samples.time, type: .nodeChanged, labels: ["a": "b"], data: Data(#"{"name":"n"}"#.utf8))
    event.number = 1
    var batch = StoreBatch()
    for record in records {
      batch.webhooks[record.id] = record
      batch.webhookProgress[record.id] = progress
    }
    batch.webhookEvents = [event, event, event]
    batch.deadLetters.added = (1...3).flatMap { index in
      ["a", "b", "never-there"].map {
        DeadLetter(
          webhook: $0, message: "m\(index)", event: event, attempts: index, code: "timeout", at: Samples.time)
      }
    }
    try await store.commit(batch)
    store = try await reopened(kind, folder, store)
    let read = try await store.load().webhooks
    #expect(read.map(\.record) == records && read.allSatisfy { $0.progress == progress })
    let page = try await store.webhookEvents(after: 1, limit: 1)
    var second = event
    second.number = 2
    #expect(page == WebhookEventPage(events: [second], oldest: 1, newest: 3))
    var own = StoreBatch()
    own.webhookEvents = ["vision", nil, "speech", "vision"].map {
      WebhookEvent(time: Samples.time, type: .planPublished, namespace: $0, data: Data("{}".utf8))
    }
    try await store.commit(own)
    #expect(
      try await store.webhookEvents(after: 3, limit: 9).events.map(\.namespace) == ["vision", nil, "speech", "vision"])
    #expect(try await store.webhookEventCount(after: 0, in: "vision") == 2)
    #expect(try await store.webhookEventCount(after: 4, in: "vision") == 1)
    #expect(try await store.webhookEventCount(after: 7, in: "vision") == 0)
    #expect(try await store.webhookEventCount(after: 0, in: "none") == 0)
    let letters = try await store.deadLetters(of: "a", before: nil, limit: 2)
    #expect(letters.map(\.message) == ["m3", "m2"] && letters.map(\.event) == [event, event])
    #expect(try await store.deadLetters(of: "a", before: letters[1].number, limit: 9).map(\.message) == ["m1"])
    #expect(try await store.deadLetters(of: "never-there", before: nil, limit: 9).isEmpty)
    var later = StoreBatch()
    later.deadLetters.due = [letters[0].number: true, letters[1].number: true]
    try await store.commit(later)
    #expect(try await store.dueLetters(of: "a", limit: 9).map(\.message) == ["m2", "m3"])
    later = StoreBatch()
    later.deadLetters.retried = [letters[1].number: "status_500"]
    later.deadLetters.removed = [letters[0].number]
    later.webhooks["b"] = .some(nil)
    later.webhookProgress["b"] = progress
    try await store.commit(later)
    let left = try await store.deadLetters(of: "a", before: nil, limit: 9)
    #expect(left.map(\.message) == ["m2", "m1"] && left[0].attempts == 3 && left[0].code == "status_500")
    #expect(try await store.load().webhooks.map(\.record.id) == ["a"])
    #expect(try await store.deadLetters(of: "b", before: nil, limit: 9).isEmpty)
  }

  @Test(arguments: stores) func ofEventsAndDeadLettersTheNewestStay(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    let event = WebhookEvent(time: Samples.time, type: .planPublished, data: Data("{}".utf8))
    var batch = StoreBatch()
    batch.webhooks["a"] = WebhookRecord(
      id: "a", wish: WebhookRecord.Wish(name: "a", url: "https://a.example/", types: [.planPublished]),
      secret: NodeSecret("s"), revision: 1, createdAt: Samples.time, updatedAt: Samples.time, createdBy: "anonymous")
    batch.webhookProgress["a"] = WebhookProgress(position: 0)
    batch.webhookEvents = Array(repeating: event, count: StoreBatch.mostWebhookEvents + 5)
    batch.deadLetters.added = (0..<DeadLetterChanges.most + 5).map {
      DeadLetter(webhook: "a", message: "m\($0)", event: event, attempts: 1, code: "timeout", at: Samples.time)
    }
    try await store.commit(batch)
    let page = try await store.webhookEvents(after: 0, limit: 1)
    #expect(page.oldest == 6 && page.newest == StoreBatch.mostWebhookEvents + 5 && page.events.map(\.number) == [6])
    let letters = try await store.deadLetters(of: "a", before: nil, limit: 1000)
    #expect(letters.count == DeadLetterChanges.most && letters.last?.message == "m5")
  }

  @Test(arguments: stores) func tokensOutliveAReopening(_ kind: Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    var batch = StoreBatch()
    let kept = [
      try Samples.token("tok-1", role: .node), try Samples.token("tok-2", expiresAt: Samples.time + 60),
      try Samples.token("tok-3"),
    ]
    for token in kept { batch.tokens[token.id] = token }
    try await store.commit(batch)
    var later = StoreBatch()
    later.tokens["tok-3"] = .some(nil)
    later.tokenUses = ["tok-1": Samples.time + 120, "never-there": Samples.time]
    try await store.commit(later)
    store = try await reopened(kind, folder, store)
    let read = try await store.load().tokens
    #expect(read.map(\.id) == ["tok-1", "tok-2"])
    for (a, b) in zip(read, kept) {
      #expect((a.name, a.role, a.node) == (b.name, b.role, b.node))
      #expect((a.createdAt, a.createdBy, a.expiresAt) == (b.createdAt, b.createdBy, b.expiresAt))
      #expect(a.digest.matches(b.digest))
    }
    #expect(read.map(\.lastUsedAt) == [Samples.time + 120, nil])
  }

  @Test("what is known of capacities outlives a reopening, within its bytes, the newest always", arguments: stores)
  func capacities(_ kind: Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    func facts(_ key: UInt64, _ entries: Int) -> CapacityFacts {
      CapacityFacts(key: .init(high: key, low: .max), entries: (0..<UInt64(entries)).map { $0 << 33 | key })
    }
    var batch = StoreBatch()
    batch.capacities.facts = [facts(1, 3), facts(2, 2), facts(3, 1)]
    try await store.commit(batch)
    batch.capacities.facts = [facts(2, 5)]
    try await store.commit(batch)
    store = try await reopened(kind, folder, store)
    #expect(try await store.load().capacities == [facts(1, 3), facts(3, 1), facts(2, 5)])
    // Each a quarter of what is kept, less a little.
    let quarter = CapacityChanges.mostBytes / 8 / 4 - 16
    for key: UInt64 in 11...16 {
      batch.capacities.facts = [facts(key, quarter)]
      try await store.commit(batch)
    }
    #expect(try await store.load().capacities.map(\.key.high) == [13, 14, 15, 16])
    batch.capacities = CapacityChanges(forgetsOthers: true, facts: [facts(20, 4)])
    try await store.commit(batch)
    store = try await reopened(kind, folder, store)
    #expect(try await store.load().capacities == [facts(20, 4)])
  }

  @Test(arguments: stores) func plansAreListedNewestFirstInPages(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    for revision in 1...5 {
      var batch = StoreBatch()
      batch.plan = Samples.plan(revision, document: "plan \(revision)")
      try await store.commit(batch)
    }
    // Whole: what a list has of a plan is what the plan has.
    #expect(try await store.plans(before: nil, limit: 2) == [5, 4].map { Samples.plan($0).record })
    #expect(try await store.plans(before: 4, limit: 10).map(\.revision) == [3, 2, 1])
    #expect(try await store.plan(2)?.document == Data("plan 2".utf8))
    #expect(try await store.plan(9) == nil)
    #expect(try await store.load().plan?.record.revision == 5)
  }

  @Test(arguments: stores) func aPlanThatServesNewerDemandKeepsItsDocument(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    for demand in [1, 9] {
      var batch = StoreBatch()
      batch.plan = Samples.plan(1, demand: demand, document: "same")
      try await store.commit(batch)
    }
    #expect(try await store.plans(before: nil, limit: 10).map(\.demandRevision) == [9])
    #expect(try await store.plan(1)?.document == Data("same".utf8))
  }

  @Test(arguments: stores) func oldPlansAreForgotten(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    for revision in 1...4 {
      var batch = StoreBatch()
      batch.plan = Samples.plan(revision)
      batch.keptPlans = (PlanRetention(count: 2), Samples.time)
      try await store.commit(batch)
    }
    #expect(try await store.plans(before: nil, limit: 10).map(\.revision) == [4, 3])
  }

  /// The JSON of a plan with so many GPUs, of which `changed` differs from plan to plan.
  private static func document(gpus: Int, changed: Int) -> Data {
    let lines = (0..<gpus).map { gpu in
      #"    { "id": "w\#(gpu)/0", "workload": "w\#(gpu)", "capacity": \#(980.1 + Double(gpu)), "load": \#(gpu == changed ? 1 : 0) }"#
    }
    return Data(("{\n  \"gpus\": [\n" + lines.joined(separator: ",\n") + "\n  ]\n}\n").utf8)
  }

  @Test("S2: many plans that differ little take little room, and each is read back byte for byte", arguments: stores)
  func plansThatDifferLittleTakeLittle(_ kind: Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    func plan(_ revision: Int) -> StoredPlan {
      var plan = Samples.plan(revision)
      plan.document = Self.document(gpus: 2_000 + revision, changed: revision * 31)
      plan.assignments = Data("{\"n1\":[{\"workload\":\"w\(revision)\"}]}".utf8)
      return plan
    }
    for revision in 1...20 {
      var batch = StoreBatch()
      batch.plan = plan(revision)
      try await store.commit(batch)
    }
    store = try await reopened(kind, folder, store)
    for revision in 1...20 { #expect(try await store.plan(revision) == plan(revision), "plan \(revision)") }
    #expect(try await store.load().plan == plan(20))
    // All twenty fit into the bytes of one as it is written.
    var batch = StoreBatch()
    batch.keptPlans = (PlanRetention(bytes: plan(20).document.count), Samples.time)
    try await store.commit(batch)
    #expect(try await store.plans(before: nil, limit: 100).count == 20)
    batch.keptPlans = (PlanRetention(count: 3), Samples.time)
    try await store.commit(batch)
    #expect(try await store.plans(before: nil, limit: 100).map(\.revision) == [20, 19, 18])
    #expect(try await store.plan(18) == plan(18))
  }

  @Test(arguments: stores) func aProbeOfASoundStoreSucceedsAndLeavesNothing(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    try await store.probe()
    try await store.probe()
    #expect(try await store.load().demand.revision == 0)
  }

  @Test(arguments: stores) func claimsAreFoundByKeyAndForgottenByAge(_ kind: Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    let old = HonouredClaim(IdempotencyClaim(key: "old", fingerprint: .max), revision: 1, time: Samples.time)
    let new = HonouredClaim(IdempotencyClaim(key: "new", fingerprint: 0), revision: 2, time: Samples.time + 60)
    var batch = StoreBatch()
    batch.claims = [old, new]
    try await store.commit(batch)
    store = try await reopened(kind, folder, store)
    #expect(Set(try await store.claims(["old", "new", "other"])) == [old, new])
    var pruning = StoreBatch()
    pruning.firstClaimKept = Samples.time + 1
    try await store.commit(pruning)
    #expect(try await store.claims(["old", "new"]) == [new])
  }

  @Test("with a namespace go the claims of its requests, and of no other", arguments: stores)
  func claimsGoWithTheirNamespace(_ kind: Kind) async throws {
    let store = try await kind.open(try TemporaryFolder())
    let keys = ["k", "v k", "v k!", "v-a k", "va k", "u k"]
    var batch = StoreBatch()
    batch.claims = keys.map {
      HonouredClaim(IdempotencyClaim(key: $0, fingerprint: 1), revision: 1, time: Samples.time)
    }
    try await store.commit(batch)
    var deletion = StoreBatch()
    deletion.namespaces.updateValue(nil, forKey: "v")
    try await store.commit(deletion)
    let kept = try await store.claims(keys)
    #expect(Set(kept.map(\.claim.key)) == ["k", "v-a k", "va k", "u k"])
    try await store.close()
  }

  @Test(arguments: stores.filter { !$0.isShared }) func aSecondOpeningIsRefusedWhileTheFirstStands(_ kind: Kind)
    async throws
  {
    let folder = try TemporaryFolder()
    let store = try await kind.open(folder)
    let refusal = await #expect(throws: StoreError.self) { _ = try await kind.open(folder) }
    #expect(refusal?.code == .inUse)
    try await store.close()
    try await kind.open(folder).close()
  }

  @Test(arguments: stores) func nodesAndOperationsAreThereAfterReopening(_ kind: Kind) async throws {
    let folder = try TemporaryFolder()
    var store = try await kind.open(folder)
    var node = FleetSamples.record("n1", try FleetSamples.state("n1", gpus: 1), zone: "z")
    node.isUnreachable = true
    node.isLost = true
    node.labels = ["a": "b"]
    node.applied = NodeAssignment(revision: 3, gpus: [WantedGPU(uuid: "u", instances: [])])
    let gone = FleetSamples.record("n2", nil)
    let claim = IdempotencyClaim(key: "k", fingerprint: .max)
    func operation(_ id: String, isOver: Bool, claim: IdempotencyClaim? = nil) -> StoredOperation {
      StoredOperation(
        id: id, planRevision: 3, createdAt: Samples.time, claim: claim, document: Data(id.utf8),
        progress: OperationProgress(isOver: isOver))
    }
    var batch = StoreBatch()
    batch.nodes = ["n1": node, "n2": gone]
    batch.nodeStates = ["n1": try #require(node.settled), "n2": try FleetSamples.state("n2", gpus: 1)]
    batch.assignments = ["n1": try #require(node.applied), "n2": NodeAssignment(revision: 1, gpus: [])]
    batch.operations = [operation("one", isOver: true), operation("two", isOver: false, claim: claim)]
    try await store.commit(batch)
    batch = StoreBatch()
    batch.nodes = ["n2": nil]
    batch.removedNodes = ["n2": true]
    batch.plan = Samples.plan(3)
    batch.plan?.assignments = Data("{}".utf8)
    try await store.commit(batch)

    store = try await reopened(kind, folder, store)
    let contents = try await store.load()
    #expect(contents.nodes == [node])
    #expect(contents.removedNodes == ["n2"])
    #expect(contents.openOperations == [operation("two", isOver: false, claim: claim)])
    #expect(contents.plan?.assignments == Data("{}".utf8))
    #expect(try await store.operation("one") == operation("one", isOver: true))
    #expect(try await store.operation(claimedBy: "k")?.id == "two")
    #expect(try await store.operations(after: nil, limit: 9).map(\.id) == ["two", "one"])
    #expect(try await store.operations(after: "two", limit: 9).map(\.id) == ["one"])
    #expect(try await store.operations(after: "never", limit: 9).isEmpty)
    batch = StoreBatch()
    batch.operations = [operation("three", isOver: false)]
    batch.progress["two"] = OperationProgress(isOver: true, head: Data("head".utf8), nodes: ["n1": Data("1".utf8)])
    batch.keptOperations = 2
    batch.removedNodes = ["n2": false]
    try await store.commit(batch)
    #expect(try await store.operations(after: nil, limit: 9).map(\.id) == ["three", "two"])
    #expect(try await store.load().removedNodes.isEmpty)
    // A node that was removed takes all that belongs to it along.
    batch = StoreBatch()
    batch.nodes = ["n2": gone]
    batch.progress["two"] = OperationProgress(isOver: true, head: Data("head 2".utf8), nodes: ["n2": Data("2".utf8)])
    try await store.commit(batch)
    #expect(try await store.load().nodes == [node, gone])
    #expect(
      try await store.operation(claimedBy: "k")?.progress
        == OperationProgress(
          isOver: true, head: Data("head 2".utf8), nodes: ["n1": Data("1".utf8), "n2": Data("2".utf8)]))
    try await store.close()
  }
}
