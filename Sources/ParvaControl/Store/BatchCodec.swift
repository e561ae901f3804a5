import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaWire

/// Batches as entries of a log: a compressed property list of what ``StoreBatch`` has, each part as stores keep it.
enum BatchCodec {
  /// No entry of ours comes near; a damaged length must not take all memory.
  private static let mostBytes = 1 << 30

  /// O(bytes).
  static func data(_ batch: StoreBatch) throws(StoreError) -> Data {
    let encoder = PropertyListEncoder()
    encoder.outputFormat = .binary
    do {
      let plain = try encoder.encode(try BatchDocument(batch))
      if let compressed = Gzip.compress(plain) { return compressed }
    } catch {
      throw StoreError(.failed, "A commit cannot be written for the log: \(error)")
    }
    throw StoreError(.failed, "There is no memory to write a commit for the log.")
  }

  /// - Throws: `store_corrupt`, `store_too_new`.
  static func batch(_ data: Data, position: Int) throws(StoreError) -> StoreBatch {
    guard let plain = Gzip.expand(data, limit: mostBytes) else {
      throw StoreError(
        .corrupt, "Entry \(position) of the store's log cannot be read: its bytes are not what was written.")
    }
    do {
      // First of all, since what is newer may have another shape.
      guard try PropertyListDecoder().decode(BatchVersion.self, from: plain).version <= BatchDocument.current else {
        throw StoreError(.tooNew, "Entry \(position) of the store's log was written by a newer version of Parva.")
      }
      return try PropertyListDecoder().decode(BatchDocument.self, from: plain).batch()
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(.corrupt, "Entry \(position) of the store's log cannot be read: \(error)")
    }
  }
}

/// What a key is set to; nothing takes it away.
private struct Change<Value: Codable>: Codable {
  var key: String
  var value: Value?

  init(_ key: String, _ value: Value?) { (self.key, self.value) = (key, value) }
}

extension [String: Data] {
  /// In order of key.
  fileprivate var changes: [Change<Data>] { sorted { $0.key < $1.key }.map { Change($0.key, $0.value) } }
}

extension Dictionary where Key == String {
  fileprivate func changes<Kept, Inner>(_ kept: (Inner) throws -> Kept) rethrows -> [Change<Kept>]
  where Value == Inner? {
    try sorted { $0.key < $1.key }.map { Change($0.key, try $0.value.map(kept)) }
  }
}

extension [Change<Data>] {
  fileprivate var data: [String: Data] {
    Dictionary(map { ($0.key, $0.value ?? Data()) }, uniquingKeysWith: { $1 })
  }
}

extension Array {
  fileprivate func table<Kept, Value>(_ read: (Kept, String) throws -> Value) rethrows -> [String: Value?]
  where Element == Change<Kept> {
    try Dictionary(
      map { change in (change.key, try change.value.map { try read($0, change.key) }) }, uniquingKeysWith: { $1 })
  }
}

private struct BatchVersion: Decodable { var version: Int }

/// The property list of a batch. Members that are empty are left out.
private struct BatchDocument: Codable {
  static let current = 1

  struct Row: Codable {
    var spec: Data
    var revision: Int
    var createdAt: Date
    var updatedAt: Date
  }

  struct Profile: Codable {
    var model: String
    var product: String
    var spec: Data?
    var revision: Int
  }

  struct Space: Codable {
    var gpus: Double?
    var workloads: Int?
    var rate: Double?
    /// Absent where it is 1.
    var weight: Double?
    var revision: Int
    var contents: Int
    var createdAt: Date
    var updatedAt: Date
  }

  struct Claim: Codable {
    var key: String
    var fingerprint: Int64
    var revision: Int
    var time: Date

    init(_ claim: IdempotencyClaim, revision: Int = 0, time: Date = .distantPast) {
      (key, fingerprint) = (claim.key, Int64(bitPattern: claim.fingerprint))
      (self.revision, self.time) = (revision, time)
    }

    var claim: IdempotencyClaim { IdempotencyClaim(key: key, fingerprint: UInt64(bitPattern: fingerprint)) }
  }

  struct Plan: Codable {
    var revision: Int
    var demandRevision: Int
    var createdAt: Date
    var planner: String
    var status: String
    var gpuCount: Int
    var lowerBound: Double?
    var unplacedCount: Int
    var cause: PlanCause?
    var fleet: Int64?
    var document: Data
    var assignments: Data
  }

  struct Pin: Codable {
    var revision: Int
    var reason: String
    var since: Date
  }

  struct Kept: Codable {
    var count: Int
    var bytes: Int?
    var age: Double
    var now: Date
  }

  struct Node: Codable {
    var address: String
    var secret: String?
    var secretReference: String?
    var zone: String?
    var labels: [String: String]
    var revision: Int
    var createdAt: Date
    var updatedAt: Date
    var isDraining: Bool
    var isUnreachable: Bool
    var isLost: Bool
    var heardAt: Date?
    var duty: String
  }

  struct Progress: Codable {
    var isOver: Bool
    var head: Data
    var nodes: [Change<Data>]

    init(_ progress: OperationProgress) {
      (isOver, head, nodes) = (progress.isOver, progress.head, progress.nodes.changes)
    }

    var progress: OperationProgress { OperationProgress(isOver: isOver, head: head, nodes: nodes.data) }
  }

  struct Operation: Codable {
    var id: String
    var planRevision: Int
    var createdAt: Date
    var claim: Claim?
    var document: Data
    var progress: Progress
  }

  struct Token: Codable {
    var name: String
    var role: String
    var node: String?
    var namespace: String?
    var digest: Data
    var createdAt: Date
    var createdBy: String
    var expiresAt: Date?
    var lastUsedAt: Date?
  }

  struct Webhook: Codable {
    var name: String
    var url: String
    var types: [String]
    var selector: String?
    var isEnabled: Bool
    var retrySeconds: Int
    var secret: String
    var older: String?
    var olderUntil: Date?
    var revision: Int
    var createdAt: Date
    var updatedAt: Date
    var createdBy: String
  }

  struct Event: Codable {
    var number: Int
    var time: Date
    var type: String
    var labels: [String: String]
    var data: Data

    init(_ event: WebhookEvent) {
      (number, time, type) = (event.number, event.time, event.type.rawValue)
      (labels, data) = (event.labels, event.data)
    }

    func event() throws(StoreError) -> WebhookEvent {
      guard let type = WebhookEventType(rawValue: type) else {
        throw StoreError(.tooNew, "The store's log has an event \(type), which this version does not know.")
      }
      var event = WebhookEvent(time: time, type: type, labels: labels, data: data)
      event.number = number
      return event
    }
  }

  struct Letter: Codable {
    var webhook: String
    var message: String
    var event: Event
    var attempts: Int
    var code: String
    var at: Date
    var isDue: Bool
  }

  struct Letters: Codable {
    var added: [Letter]
    var removed: [Int]
    var due: [Change<Bool>]
    var retried: [Change<String>]
  }

  struct Audit: Codable {
    var time: Date
    var who: String
    var name: String
    var method: String
    var path: String
    var resource: String
    var requestID: String
    var status: Int
    var before: String?
    var after: String?
    var isChange: Bool
  }

  var version = Self.current
  var demandRevision: Int?
  var registrations: [Change<Row>]?
  var profiles: [Profile]?
  var namespaces: [Change<Space>]?
  var claims: [Claim]?
  var plan: Plan?
  /// No member where the batch says nothing of a pin, an empty list where it takes it away.
  var pin: [Pin]?
  var keptPlans: Kept?
  var firstClaimKept: Date?
  var nodes: [Change<Node>]?
  var nodeStates: [Change<Data>]?
  var assignments: [Change<Data>]?
  var removedNodes: [Change<Bool>]?
  var operations: [Operation]?
  var progress: [Change<Progress>]?
  var keptOperations: Int?
  var toldSegments: [Change<Data>]?
  var tokens: [Change<Token>]?
  var tokenUses: [Change<Date>]?
  var windows: [Change<Data>]?
  var webhooks: [Change<Webhook>]?
  var webhookProgress: [Change<Data>]?
  var webhookEvents: [Event]?
  var deadLetters: Letters?
  var audit: [Audit]?
  var keptAudit: Kept?
}

extension Array {
  fileprivate var unlessEmpty: Self? { isEmpty ? nil : self }
}

extension BatchDocument {
  init(_ batch: StoreBatch) throws {
    demandRevision = batch.demandRevision
    registrations =
      batch.registrations.changes {
        Row(
          spec: RegistrationCodec.data($0.workload), revision: $0.revision, createdAt: $0.createdAt,
          updatedAt: $0.updatedAt)
      }.unlessEmpty
    profiles =
      batch.profiles.sorted { $0.key < $1.key }.map { key, stored in
        Profile(
          model: key.model, product: key.product, spec: stored.map { ProfileCodec.data($0.profile) },
          revision: stored?.revision ?? 0)
      }.unlessEmpty
    namespaces =
      batch.namespaces.changes {
        Space(
          gpus: $0.quota.gpus, workloads: $0.quota.workloads, rate: $0.quota.rate,
          weight: $0.weight == 1 ? nil : $0.weight, revision: $0.revision, contents: $0.contents,
          createdAt: $0.createdAt, updatedAt: $0.updatedAt)
      }.unlessEmpty
    claims = batch.claims.map { Claim($0.claim, revision: $0.revision, time: $0.time) }.unlessEmpty
    plan = batch.plan.map { plan in
      let record = plan.record
      return Plan(
        revision: record.revision, demandRevision: record.demandRevision, createdAt: record.createdAt,
        planner: record.planner, status: record.status, gpuCount: record.gpuCount, lowerBound: record.lowerBound,
        unplacedCount: record.unplacedCount, cause: record.cause, fleet: record.fleet.map(Int64.init(bitPattern:)),
        document: plan.document, assignments: plan.assignments)
    }
    pin = batch.pin.map { pin in
      pin.map { [Pin(revision: $0.revision, reason: $0.reason, since: $0.since)] } ?? []
    }
    keptPlans = batch.keptPlans.map {
      Kept(count: $0.bounds.count, bytes: $0.bounds.bytes, age: $0.bounds.age, now: $0.now)
    }
    firstClaimKept = batch.firstClaimKept
    nodes =
      batch.nodes.changes {
        Node(
          address: $0.address, secret: $0.secret?.value, secretReference: $0.secretReference, zone: $0.zone,
          labels: $0.labels, revision: $0.revision, createdAt: $0.createdAt, updatedAt: $0.updatedAt,
          isDraining: $0.isDraining, isUnreachable: $0.isUnreachable, isLost: $0.isLost, heardAt: $0.heardAt,
          duty: $0.duty.rawValue)
      }.unlessEmpty
    nodeStates = try batch.nodeStates.mapValues { try NodeCodec.data(state: $0) }.changes.unlessEmpty
    assignments = try batch.assignments.mapValues { try NodeCodec.data(assignment: $0) }.changes.unlessEmpty
    removedNodes = batch.removedNodes.sorted { $0.key < $1.key }.map { Change($0.key, $0.value) }.unlessEmpty
    operations =
      batch.operations.map {
        Operation(
          id: $0.id, planRevision: $0.planRevision, createdAt: $0.createdAt, claim: $0.claim.map { Claim($0) },
          document: $0.document, progress: Progress($0.progress))
      }.unlessEmpty
    progress = batch.progress.sorted { $0.key < $1.key }.map { Change($0.key, Progress($0.value)) }.unlessEmpty
    keptOperations = batch.keptOperations
    toldSegments = try batch.toldSegments.changes { try NodeCodec.data(told: $0) }.unlessEmpty
    tokens =
      batch.tokens.changes {
        Token(
          name: $0.name, role: $0.role.rawValue, node: $0.node, namespace: $0.namespace, digest: Data($0.digest.kept),
          createdAt: $0.createdAt, createdBy: $0.createdBy, expiresAt: $0.expiresAt, lastUsedAt: $0.lastUsedAt)
      }.unlessEmpty
    tokenUses = batch.tokenUses.sorted { $0.key < $1.key }.map { Change($0.key, $0.value) }.unlessEmpty
    windows = batch.windows.changes { WindowCodec.data($0) }.unlessEmpty
    webhooks =
      batch.webhooks.changes {
        Webhook(
          name: $0.wish.name, url: $0.wish.url, types: $0.wish.types.map(\.rawValue), selector: $0.wish.selector,
          isEnabled: $0.wish.isEnabled, retrySeconds: $0.wish.retrySeconds, secret: $0.secret.value,
          older: $0.older?.secret.value, olderUntil: $0.older?.until, revision: $0.revision, createdAt: $0.createdAt,
          updatedAt: $0.updatedAt, createdBy: $0.createdBy)
      }.unlessEmpty
    webhookProgress = try batch.webhookProgress.mapValues { try JSONEncoder().encode($0) }.changes.unlessEmpty
    webhookEvents = batch.webhookEvents.map { Event($0) }.unlessEmpty
    let letters = batch.deadLetters
    if letters != DeadLetterChanges() {
      deadLetters = Letters(
        added: letters.added.map {
          Letter(
            webhook: $0.webhook, message: $0.message, event: Event($0.event), attempts: $0.attempts, code: $0.code,
            at: $0.at, isDue: $0.isDue)
        }, removed: letters.removed,
        due: letters.due.sorted { $0.key < $1.key }.map { Change(String($0.key), $0.value) },
        retried: letters.retried.sorted { $0.key < $1.key }.map { Change(String($0.key), $0.value) })
    }
    audit =
      batch.audit.map {
        Audit(
          time: $0.time, who: $0.who, name: $0.name, method: $0.method, path: $0.path, resource: $0.resource,
          requestID: $0.requestID, status: $0.status, before: $0.before, after: $0.after, isChange: $0.isChange)
      }.unlessEmpty
    keptAudit = batch.keptAudit.map { Kept(count: $0.bounds.count, age: $0.bounds.age, now: $0.now) }
  }
}

extension BatchDocument {
  func batch() throws -> StoreBatch {
    var batch = StoreBatch()
    batch.demandRevision = demandRevision
    batch.registrations = try (registrations ?? []).table { row, id in
      Registration(
        try RegistrationCodec.workload(row.spec, id: id), revision: row.revision, createdAt: row.createdAt,
        updatedAt: row.updatedAt)
    }
    for profile in profiles ?? [] {
      let key = ProfileKey(model: profile.model, product: profile.product)
      batch.profiles[key] = .some(
        try profile.spec.map { StoredProfile(try ProfileCodec.profile($0, key), revision: profile.revision) })
    }
    batch.namespaces = (namespaces ?? []).table { space, name in
      NamespaceRecord(
        name: name, quota: NamespaceQuota(gpus: space.gpus, workloads: space.workloads, rate: space.rate),
        weight: space.weight ?? 1, revision: space.revision, contents: space.contents, createdAt: space.createdAt,
        updatedAt: space.updatedAt)
    }
    batch.claims = (claims ?? []).map { HonouredClaim($0.claim, revision: $0.revision, time: $0.time) }
    batch.plan = plan.map { plan in
      StoredPlan(
        record: PlanRecord(
          revision: plan.revision, demandRevision: plan.demandRevision, createdAt: plan.createdAt,
          planner: plan.planner, status: plan.status, gpuCount: plan.gpuCount, lowerBound: plan.lowerBound,
          unplacedCount: plan.unplacedCount, cause: plan.cause, fleet: plan.fleet.map(UInt64.init(bitPattern:))),
        document: plan.document, assignments: plan.assignments)
    }
    batch.pin = pin.map { pin in
      pin.first.map { PlanPin(revision: $0.revision, reason: $0.reason, since: $0.since) }
    }
    batch.keptPlans = keptPlans.map {
      (PlanRetention(count: $0.count, bytes: $0.bytes ?? 256 << 20, age: $0.age), $0.now)
    }
    batch.firstClaimKept = firstClaimKept
    try readNodes(into: &batch)
    try readAccess(into: &batch)
    try readWebhooks(into: &batch)
    return batch
  }

  private func readNodes(into batch: inout StoreBatch) throws {
    batch.nodes = (nodes ?? []).table { node, name in
      var record = NodeRecord(
        name: name, address: node.address, secret: node.secret.map(NodeSecret.init),
        secretReference: node.secretReference, zone: node.zone, labels: node.labels, revision: node.revision,
        createdAt: node.createdAt, updatedAt: node.updatedAt, isDraining: node.isDraining,
        isUnreachable: node.isUnreachable, isLost: node.isLost, state: nil, heardAt: node.heardAt, applied: nil)
      // What a newer version may have written counts as out.
      record.duty = NodeDuty(rawValue: node.duty) ?? .maintenance
      return record
    }
    for (name, state) in (nodeStates ?? []).data { batch.nodeStates[name] = try NodeCodec.state(state, node: name) }
    for (name, wanted) in (assignments ?? []).data {
      batch.assignments[name] = try NodeCodec.assignment(wanted, node: name)
    }
    for change in removedNodes ?? [] { batch.removedNodes[change.key] = change.value }
    batch.operations = (operations ?? []).map {
      StoredOperation(
        id: $0.id, planRevision: $0.planRevision, createdAt: $0.createdAt, claim: $0.claim?.claim,
        document: $0.document, progress: $0.progress.progress)
    }
    for change in progress ?? [] { batch.progress[change.key] = change.value?.progress }
    batch.keptOperations = keptOperations
    batch.toldSegments = try (toldSegments ?? []).table { data, segment in try NodeCodec.told(data, segment: segment) }
    batch.windows = try (windows ?? []).table { data, name in try WindowCodec.window(data, name: name) }
  }

  private func readAccess(into batch: inout StoreBatch) throws {
    batch.tokens = try (tokens ?? []).table { token, id -> AccessToken in
      // Left out, it would be gone from the next snapshot as well.
      guard let role = AccessRole(rawValue: token.role) else {
        throw StoreError(
          .tooNew, "The store's log has a token of the role \(token.role), which this version does not know.")
      }
      guard let digest = SecretDigest(bytes: Array(token.digest)) else {
        throw StoreError(.corrupt, "The digest of token \(id) in the store's log has not its length.")
      }
      return AccessToken(
        id: id, name: token.name, role: role, node: token.node, namespace: token.namespace, digest: digest,
        createdAt: token.createdAt, createdBy: token.createdBy, expiresAt: token.expiresAt,
        lastUsedAt: token.lastUsedAt)
    }
    for change in tokenUses ?? [] { batch.tokenUses[change.key] = change.value }
    batch.audit = (audit ?? []).map {
      AuditEntry(
        time: $0.time, who: $0.who, name: $0.name, method: $0.method, path: $0.path, resource: $0.resource,
        requestID: $0.requestID, status: $0.status, before: $0.before, after: $0.after, isChange: $0.isChange)
    }
    batch.keptAudit = keptAudit.map { (AuditRetention(count: $0.count, age: $0.age), $0.now) }
  }

  private func readWebhooks(into batch: inout StoreBatch) throws {
    batch.webhooks = (webhooks ?? []).table { webhook, id in
      WebhookRecord(
        id: id,
        wish: WebhookRecord.Wish(
          name: webhook.name, url: webhook.url, types: webhook.types.compactMap(WebhookEventType.init),
          selector: webhook.selector, isEnabled: webhook.isEnabled, retrySeconds: webhook.retrySeconds),
        secret: NodeSecret(webhook.secret),
        older: webhook.older.flatMap { older in
          webhook.olderUntil.map { WebhookRecord.OlderSecret(secret: NodeSecret(older), until: $0) }
        },
        revision: webhook.revision, createdAt: webhook.createdAt, updatedAt: webhook.updatedAt,
        createdBy: webhook.createdBy)
    }
    for (id, progress) in (webhookProgress ?? []).data {
      batch.webhookProgress[id] = try JSONDecoder().decode(WebhookProgress.self, from: progress)
    }
    batch.webhookEvents = try (webhookEvents ?? []).map { event throws(StoreError) in try event.event() }
    guard let letters = deadLetters else { return }
    batch.deadLetters.added = try letters.added.map {
      DeadLetter(
        webhook: $0.webhook, message: $0.message, event: try $0.event.event(), attempts: $0.attempts, code: $0.code,
        at: $0.at, isDue: $0.isDue)
    }
    batch.deadLetters.removed = letters.removed
    for change in letters.due { if let number = Int(change.key) { batch.deadLetters.due[number] = change.value } }
    for change in letters.retried {
      if let number = Int(change.key) { batch.deadLetters.retried[number] = change.value }
    }
  }
}
