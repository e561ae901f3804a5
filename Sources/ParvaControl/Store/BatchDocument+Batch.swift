import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaWire

extension Array {
  fileprivate var unlessEmpty: Self? { isEmpty ? nil : self }
}

extension BatchDocument {
  init(_ batch: StoreBatch) throws {
    version = !batch.capacities.isEmpty ? 3 : batch.isOfNamespaces ? 2 : 1
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
          model: key.model, product: key.product, namespace: key.namespace,
          spec: stored.map { ProfileCodec.data($0.profile) },
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
    removedNodes = batch.removedNodes.sorted { $0.key < $1.key }.map { KeyedChange($0.key, $0.value) }.unlessEmpty
    operations =
      batch.operations.map {
        Operation(
          id: $0.id, planRevision: $0.planRevision, createdAt: $0.createdAt, claim: $0.claim.map { Claim($0) },
          document: $0.document, progress: Progress($0.progress))
      }.unlessEmpty
    progress = batch.progress.sorted { $0.key < $1.key }.map { KeyedChange($0.key, Progress($0.value)) }.unlessEmpty
    keptOperations = batch.keptOperations
    toldSegments = try batch.toldSegments.changes { try NodeCodec.data(told: $0) }.unlessEmpty
    tokens =
      batch.tokens.changes {
        Token(
          name: $0.name, role: $0.role.rawValue, node: $0.node, namespace: $0.namespace, digest: Data($0.digest.kept),
          createdAt: $0.createdAt, createdBy: $0.createdBy, expiresAt: $0.expiresAt, lastUsedAt: $0.lastUsedAt)
      }.unlessEmpty
    tokenUses = batch.tokenUses.sorted { $0.key < $1.key }.map { KeyedChange($0.key, $0.value) }.unlessEmpty
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
        due: letters.due.sorted { $0.key < $1.key }.map { KeyedChange(String($0.key), $0.value) },
        retried: letters.retried.sorted { $0.key < $1.key }.map { KeyedChange(String($0.key), $0.value) })
    }
    audit =
      batch.audit.map {
        Audit(
          time: $0.time, who: $0.who, name: $0.name, method: $0.method, path: $0.path, resource: $0.resource,
          requestID: $0.requestID, status: $0.status, before: $0.before, after: $0.after, isChange: $0.isChange)
      }.unlessEmpty
    keptAudit = batch.keptAudit.map { Kept(count: $0.bounds.count, age: $0.bounds.age, now: $0.now) }
    if !batch.capacities.isEmpty {
      capacities = Capacities(
        forgetsOthers: batch.capacities.forgetsOthers, facts: CapacityFile.data(batch.capacities.facts))
    }
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
      let key = ProfileKey(model: profile.model, product: profile.product, namespace: profile.namespace)
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
    if let capacities {
      batch.capacities = CapacityChanges(
        forgetsOthers: capacities.forgetsOthers, facts: CapacityFile.facts(capacities.facts))
    }
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

extension StoreBatch {
  /// Whether something is a namespace's own, which the first version of documents could not tell.
  fileprivate var isOfNamespaces: Bool {
    profiles.keys.contains { $0.namespace != nil } || webhooks.keys.contains(where: Namespace.isQualified)
      || webhookEvents.contains { $0.namespace != nil } || deadLetters.added.contains { $0.event.namespace != nil }
  }
}
