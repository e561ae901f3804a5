import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// Batches on their way through a log.
@Suite struct BatchCodecTests {
  private typealias Setter = (inout StoreBatch) throws -> Void

  private static func fields(_ batch: StoreBatch) -> [String: String] { FieldTexts.of(batch) }

  private static func through(_ batch: StoreBatch) throws -> StoreBatch {
    try BatchCodec.batch(BatchCodec.data(batch), position: 7)
  }

  /// Each sets a field to what no field has of itself.
  private static func setters() throws -> [Setter] {
    let time = Samples.time + 0.25
    let claim = IdempotencyClaim(key: "k", fingerprint: .max)
    let profile = StoredProfile(Samples.profile(), revision: 5)
    let state = try FleetSamples.state("n1", gpus: 2)
    let tokens = try AccessRole.allCases.map { role in
      var token = try Samples.token("tok-\(role.rawValue)", role: role, expiresAt: time)
      (token.namespace, token.lastUsedAt) = ("team", time)
      return token
    }
    var event = WebhookEvent(time: time, type: .nodeChanged, labels: ["a": "b"], data: Data("{}".utf8))
    event.number = 3
    let letter = DeadLetter(
      webhook: "w", message: "m", event: event, attempts: 4, code: "timeout", at: time, isDue: true)
    let operation = StoredOperation(
      id: "o", planRevision: 3, createdAt: time, claim: claim, document: Data("d".utf8),
      progress: OperationProgress(isOver: true, head: Data("h".utf8), nodes: ["n": Data("x".utf8)]))
    let row = entry(time)
    return demand(time, profile, claim) + [
      { $0.plan = plan() },
      { $0.pin = .some(PlanPin(revision: 3, reason: "why", since: time)) },
      { $0.pin = .some(nil) },
      { $0.keptPlans = (PlanRetention(count: 2, bytes: 3, age: 4.5), time) },
      { $0.nodes = ["n1": node(time), "gone": nil] },
      { $0.nodeStates = ["n1": state] },
      { $0.assignments = ["n1": NodeAssignment(revision: 3, phase: 2, gpus: [WantedGPU(uuid: "u", instances: [])])] },
      { $0.removedNodes = ["n1": false, "gone": true] },
      { $0.operations = [operation] },
      { $0.progress = ["o": operation.progress] },
      { $0.keptOperations = 9 },
      {
        let place = SegmentPlace(gpu: "u", place: InstancePlace(profileID: 9, start: 4))
        let server = ToldEndpoints.Server(address: "10.0.0.1", port: 8000)
        $0.toldSegments = [
          "s": ToldSegment(node: "n1", place: place, workload: "w", servers: [server]), "gone": nil,
        ]
      },
      {
        $0.tokens = Dictionary(uniqueKeysWithValues: tokens.map { ($0.id, $0) })
        $0.tokens["gone"] = .some(nil)
      },
      { $0.tokenUses = ["t": time] },
      {
        $0.windows = [
          "w": RolloutWindow(
            name: "w", kind: .freeze, times: .once(10..<20), sparesLostCapacity: false, reason: "sale"),
          "gone": nil,
        ]
      },
      {
        let wish = WebhookRecord.Wish(
          name: "ci", url: "https://a.example/", types: WebhookEventType.allCases, selector: "a=b", isEnabled: false,
          retrySeconds: 7)
        $0.webhooks = [
          "w": WebhookRecord(
            id: "w", wish: wish, secret: NodeSecret("new"),
            older: WebhookRecord.OlderSecret(secret: NodeSecret("old"), until: time), revision: 3, createdAt: time,
            updatedAt: time + 1, createdBy: "token:t"), "gone": nil,
        ]
      },
      {
        var progress = WebhookProgress(position: 2)
        (progress.attempts, progress.failures, progress.failingSince, progress.gap) = (1, 4, time, .overflow)
        (progress.nextTry, progress.lastSuccess, progress.gapAt) = (time, time, time)
        $0.webhookProgress = ["w": progress]
      },
      { $0.webhookEvents = [event, event] },
      {
        var own = event
        own.namespace = "vision"
        $0.webhookEvents = [event, own]
      },
      {
        $0.deadLetters.added = [letter]
        ($0.deadLetters.removed, $0.deadLetters.due, $0.deadLetters.retried) = ([1], [2: true, 3: false], [4: "gone"])
      },
      { $0.audit = [row] },
      { $0.keptAudit = (AuditRetention(count: 2, age: 4.5), time) },
      {
        let facts = CapacityFacts(key: .init(high: .max, low: 1), entries: [.max, 0])
        $0.capacities = CapacityChanges(forgetsOthers: true, facts: [facts])
      },
    ]
  }

  private static func entry(_ time: Date) -> AuditEntry {
    AuditEntry(
      time: time, who: "token:t", name: "ci", method: "PUT", path: "/v1/a", resource: "a", requestID: "r",
      status: 409, before: "1.a", after: "2.b", isChange: true)
  }

  private static func demand(_ time: Date, _ profile: StoredProfile, _ claim: IdempotencyClaim) -> [Setter] {
    [
      { $0.demandRevision = 7 },
      { $0.registrations = ["full.example": Samples.registration(Samples.fullWorkload), "gone": nil] },
      { $0.profiles = [profile.key: profile, ProfileKey(model: "gone", product: "A100-80GB"): nil] },
      {
        var own = profile
        own.profile.namespace = "vision"
        $0.profiles = [own.key: own, ProfileKey(model: "gone", product: "A100-80GB", namespace: "vision"): nil]
      },
      {
        $0.namespaces = [
          "team": NamespaceRecord(
            name: "team", quota: NamespaceQuota(gpus: 1.5, workloads: 2, rate: 3.5), weight: 2, revision: 4,
            contents: 5,
            createdAt: time, updatedAt: time + 1), "gone": nil,
        ]
      },
      { $0.claims = [HonouredClaim(claim, revision: 7, time: time)] },
      { $0.firstClaimKept = time },
    ]
  }

  private static func plan() -> StoredPlan {
    var plan = Samples.plan(3, demand: 7, document: #"{"gpus":[]}"#)
    var cause = PlanCause([.demand, .fleet], after: 2)
    cause.who = [PlanCause.Author(id: "token:t", name: "ci")]
    (plan.record.cause, plan.record.fleet) = (cause, .max - 1)
    return plan
  }

  private static func node(_ time: Date) -> NodeRecord {
    NodeRecord(
      name: "n1", address: "http://127.0.0.1:1", secret: NodeSecret("s"), secretReference: "r", zone: "z",
      labels: ["a": "b"], revision: 3, createdAt: time, updatedAt: time + 1, isDraining: true, isUnreachable: true,
      isLost: true, state: nil, heardAt: time + 2, applied: nil)
  }

  @Test("a field that batches get later is missed here until codec and test know it")
  func everyFieldComesThrough() throws {
    var batch = StoreBatch()
    for set in try Self.setters() { try set(&batch) }
    let (given, none) = (Self.fields(batch), Self.fields(StoreBatch()))
    let read = Self.fields(try Self.through(batch))
    for (name, value) in given {
      #expect(value != none[name], "the test does not set \(name)")
      #expect(read[name] == value, "\(name) does not come through")
    }
  }

  @Test func anyPartsOfABatchComeThrough() throws {
    var random = SeededGenerator(seed: TestSeed.of(offset: 0))
    let setters = try Self.setters()
    for _ in 0..<200 {
      var batch = StoreBatch()
      for set in setters where Int.random(in: 0..<4, using: &random) == 0 { try set(&batch) }
      #expect(try Self.fields(Self.through(batch)) == Self.fields(batch))
    }
  }

  @Test("what nobody would read is not written")
  func tooLarge() throws {
    var random = SeededGenerator(seed: TestSeed.of(offset: 2))
    let setters = try Self.setters()
    for _ in 0..<100 {
      var batch = StoreBatch()
      for set in setters where Int.random(in: 0..<4, using: &random) == 0 { try set(&batch) }
      let size = try #require(Gzip.expand(BatchCodec.data(batch), limit: 1 << 20)).count
      let most = size + Int.random(in: -2...2, using: &random)
      let refusal: StoreError?
      do {
        #expect(try Gzip.expand(BatchCodec.data(batch, most: most), limit: 1 << 20)?.count == size)
        refusal = nil
      } catch {
        refusal = error
      }
      #expect((refusal != nil) == (most < size))
      if let refusal { #expect(refusal.code == .failed && refusal.message.contains("\(size) bytes")) }
    }
  }

  @Test func damagedBytesAreRefusedAsSuch() throws {
    var random = SeededGenerator(seed: TestSeed.of(offset: 1))
    var batch = StoreBatch()
    for set in try Self.setters() { try set(&batch) }
    let data = try BatchCodec.data(batch)
    let plain = try #require(Gzip.expand(data, limit: 1 << 20))
    for round in 0..<600 {
      // Under the checksum in the even rounds, through it in the others.
      var damaged = round % 2 == 0 ? data : plain
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<damaged.count, using: &random)
        damaged[index] = UInt8.random(in: 0...255, using: &random)
      }
      if round % 3 == 0 { damaged = Data(damaged.prefix(Int.random(in: 0..<damaged.count, using: &random))) }
      let bytes = round % 2 == 0 ? damaged : try #require(Gzip.compress(damaged))
      do {
        let read = try BatchCodec.batch(bytes, position: 7)
        // The checksum is not over the head, whose time says nothing; behind it, a changed value is one like any other.
        if round % 2 == 0 { #expect(Self.fields(read) == Self.fields(batch)) }
      } catch {
        #expect([.corrupt, .tooNew].contains(error.code), "\(error)")
      }
    }
  }

  /// Members of a property list at all depths, as `a.b.c`; lists add nothing.
  private static func members(_ value: Any, _ prefix: String = "") -> Set<String> {
    if let list = value as? [Any] { return list.reduce(into: []) { $0.formUnion(members($1, prefix)) } }
    guard let table = value as? [String: Any] else { return [] }
    // What has keys of a client's own is one member.
    if ["labels"].contains(prefix.split(separator: ".").last) { return [] }
    return table.reduce(into: []) { $0.formUnion([prefix + $1.key] + members($1.value, prefix + $1.key + ".")) }
  }

  @Test("an older replica would pass over members that it does not know: whoever adds some, raises the version")
  func membersOfTheVersion() throws {
    var batch = StoreBatch()
    for set in try Self.setters() { try set(&batch) }
    let plain = try #require(Gzip.expand(try BatchCodec.data(batch), limit: 1 << 20))
    let document = try PropertyListSerialization.propertyList(from: plain, options: [], format: nil)
    let members = Self.members(document).sorted().joined(separator: " ")
    #expect(BatchDocument.current == 3)
    let later = [
      "profiles.namespace", "webhookEvents.namespace", "capacities", "capacities.facts", "capacities.forgetsOthers",
    ]
    #expect(
      members == (Self.firstMembers.split(separator: " ").map(String.init) + later).sorted().joined(separator: " "))
  }

  @Test("who does not know namespaces' own things or what is known of capacities stops at them, and at nothing else")
  func whatIsOfLaterVersions() throws {
    func version(_ set: (inout StoreBatch) -> Void) throws -> Int? {
      var batch = StoreBatch()
      set(&batch)
      let plain = try #require(Gzip.expand(try BatchCodec.data(batch), limit: 1 << 20))
      let document = try PropertyListSerialization.propertyList(from: plain, options: [], format: nil)
      return (document as? [String: Any])?["version"] as? Int
    }
    var profile = StoredProfile(Samples.profile(), revision: 1)
    var event = WebhookEvent(time: Samples.time, type: .planPublished, data: Data("{}".utf8))
    #expect(try version { $0.profiles[profile.key] = profile } == 1)
    #expect(try version { $0.webhooks["ci"] = .some(nil) } == 1)
    #expect(try version { $0.webhookEvents = [event] } == 1)
    profile.profile.namespace = "vision"
    event.namespace = "vision"
    #expect(try version { $0.profiles[profile.key] = profile } == 2)
    #expect(try version { $0.profiles[profile.key] = .some(nil) } == 2)
    #expect(try version { $0.webhooks["vision:ci"] = .some(nil) } == 2)
    #expect(try version { $0.webhookEvents = [event] } == 2)
    #expect(try version { $0.capacities.forgetsOthers = true } == 3)
  }

  private static let firstMembers = """
    assignments assignments.key assignments.value audit audit.after audit.before audit.isChange audit.method \
    audit.name audit.path audit.requestID audit.resource audit.status audit.time audit.who claims \
    claims.fingerprint claims.key claims.revision claims.time deadLetters deadLetters.added deadLetters.added.at \
    deadLetters.added.attempts deadLetters.added.code deadLetters.added.event deadLetters.added.event.data \
    deadLetters.added.event.labels deadLetters.added.event.number deadLetters.added.event.time \
    deadLetters.added.event.type deadLetters.added.isDue deadLetters.added.message deadLetters.added.webhook \
    deadLetters.due deadLetters.due.key deadLetters.due.value deadLetters.removed deadLetters.retried \
    deadLetters.retried.key deadLetters.retried.value demandRevision firstClaimKept keptAudit keptAudit.age \
    keptAudit.count keptAudit.now keptOperations keptPlans keptPlans.age keptPlans.bytes keptPlans.count \
    keptPlans.now namespaces namespaces.key namespaces.value namespaces.value.contents namespaces.value.createdAt \
    namespaces.value.gpus namespaces.value.rate namespaces.value.revision namespaces.value.updatedAt \
    namespaces.value.weight namespaces.value.workloads nodeStates nodeStates.key nodeStates.value nodes nodes.key \
    nodes.value nodes.value.address nodes.value.createdAt nodes.value.duty nodes.value.heardAt \
    nodes.value.isDraining nodes.value.isLost nodes.value.isUnreachable nodes.value.labels nodes.value.revision \
    nodes.value.secret nodes.value.secretReference nodes.value.updatedAt nodes.value.zone operations \
    operations.claim operations.claim.fingerprint operations.claim.key operations.claim.revision \
    operations.claim.time operations.createdAt operations.document operations.id operations.planRevision \
    operations.progress operations.progress.head operations.progress.isOver operations.progress.nodes \
    operations.progress.nodes.key operations.progress.nodes.value pin plan plan.assignments plan.cause \
    plan.cause.after plan.cause.changed plan.cause.changed.count plan.cause.changed.first plan.cause.profiles \
    plan.cause.removed plan.cause.removed.count plan.cause.removed.first plan.cause.triggers plan.cause.who \
    plan.cause.who.id plan.cause.who.name plan.createdAt plan.demandRevision plan.document plan.fleet \
    plan.gpuCount plan.lowerBound plan.planner plan.revision plan.status plan.unplacedCount profiles \
    profiles.model profiles.product profiles.revision profiles.spec progress progress.key progress.value \
    progress.value.head progress.value.isOver progress.value.nodes progress.value.nodes.key \
    progress.value.nodes.value registrations registrations.key registrations.value registrations.value.createdAt \
    registrations.value.revision registrations.value.spec registrations.value.updatedAt removedNodes \
    removedNodes.key removedNodes.value tokenUses tokenUses.key tokenUses.value tokens tokens.key tokens.value \
    tokens.value.createdAt tokens.value.createdBy tokens.value.digest tokens.value.expiresAt \
    tokens.value.lastUsedAt tokens.value.name tokens.value.namespace tokens.value.node tokens.value.role \
    toldSegments toldSegments.key toldSegments.value version webhookEvents webhookEvents.data webhookEvents.labels \
    webhookEvents.number webhookEvents.time webhookEvents.type webhookProgress webhookProgress.key \
    webhookProgress.value webhooks webhooks.key webhooks.value webhooks.value.createdAt webhooks.value.createdBy \
    webhooks.value.isEnabled webhooks.value.name webhooks.value.older webhooks.value.olderUntil \
    webhooks.value.retrySeconds webhooks.value.revision webhooks.value.secret webhooks.value.selector \
    webhooks.value.types webhooks.value.updatedAt webhooks.value.url windows windows.key windows.value
    """

  @Test func whatIsNewerIsNotGuessed() throws {
    // Of another shape altogether, too; and what is of this one but for a member.
    let documents: [[String: Any]] = [
      ["version": 4], ["version": 4, "nodes": 5, "claims": "x"], ["version": 1, "tenures": []],
    ]
    for document in documents {
      let plain = try PropertyListSerialization.data(fromPropertyList: document, format: .binary, options: 0)
      let bytes = try #require(Gzip.compress(plain))
      let refusal = #expect(throws: StoreError.self) { try BatchCodec.batch(bytes, position: 7) }
      #expect(refusal?.code == .tooNew)
    }
  }
}
