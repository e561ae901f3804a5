import ParvaEngine

extension PlanningCodec {
  /// - Parameter base: GPUs that the reader has.
  static func write(_ plan: Plan, after base: [PlannedGPU] = [], to writer: inout ByteWriter) {
    var products = ProductTable()
    writer.text(plan.planner)
    writer.text(plan.admission)
    writer.optional(plan.margin) { $0.number($1) }
    writer.optional(plan.objective) { $0.text($1.name) }
    writer.optional(plan.maxProcesses) { $0.integer($1) }
    writer.text(plan.status.rawValue)
    writer.list(plan.gpus, after: base) { writer, gpu in
      writer.text(gpu.pool)
      products.write(gpu.product, to: &writer)
      writer.optional(gpu.node) { $0.text($1) }
      writer.optional(gpu.uuid) { $0.text($1) }
      writer.list(gpu.segments) { write($1, to: &$0) }
    }
    writer.list(plan.unplaced) { writer, refusal in
      writer.text(refusal.workload)
      writer.text(refusal.code.rawValue)
      writer.text(refusal.message)
    }
    writer.list(plan.partial) { writer, part in
      writer.text(part.workload)
      writer.number(part.demanded)
      writer.number(part.served)
      writer.text(part.code.rawValue)
      writer.text(part.message)
    }
    write(plan.summary, to: &writer)
    writer.optional(plan.certificate) { write($1, &products, to: &$0) }
  }

  static func plan(from reader: inout ByteReader, after base: [PlannedGPU] = []) throws(ByteReader.Malformed) -> Plan {
    var products = ProductTable()
    let planner = try reader.text()
    let admission = try reader.text()
    let margin = try reader.optionalNumber()
    let objective = try reader.optional { r throws(ByteReader.Malformed) in try r.named(PlanObjective.self) }
    let maxProcesses = try reader.optional { r throws(ByteReader.Malformed) in try r.small() }
    let status = try reader.named(PlanStatus.self)
    let gpus = try reader.list(after: base) { r throws(ByteReader.Malformed) in
      let pool = try r.text()
      let product = try products.read(from: &r)
      let node = try r.optionalText()
      let uuid = try r.optionalText()
      let segments = try r.list(each: 72) { r throws(ByteReader.Malformed) in try segment(from: &r) }
      return PlannedGPU(pool: pool, product: product, node: node, uuid: uuid, segments: segments)
    }
    let unplaced = try reader.list(each: 12) { r throws(ByteReader.Malformed) in
      Unserved(workload: try r.text(), code: try r.named(Unserved.Code.self), message: try r.text())
    }
    let partial = try reader.list(each: 28) { r throws(ByteReader.Malformed) in
      PartialService(
        workload: try r.text(), demanded: try r.number(), served: try r.number(),
        code: try r.named(Unserved.Code.self), message: try r.text())
    }
    let summary = try Self.summary(from: &reader)
    let certificate = try reader.optional { r throws(ByteReader.Malformed) in
      try Self.certificate(from: &r, &products)
    }
    return Plan(
      planner: planner, admission: admission, margin: margin, objective: objective, maxProcesses: maxProcesses,
      status: status, gpus: gpus, unplaced: unplaced, partial: partial, summary: summary, certificate: certificate)
  }

  private static func write(_ segment: Segment, to writer: inout ByteWriter) {
    writer.text(segment.workload)
    writer.integer(segment.ordinal)
    writer.text(segment.model)
    writer.integer(segment.profile)
    writer.integer(segment.start)
    writer.integer(segment.batch)
    writer.integer(segment.processes)
    writer.number(segment.capacity)
    writer.number(segment.load)
    writer.number(segment.latencyMs)
  }

  private static func segment(from reader: inout ByteReader) throws(ByteReader.Malformed) -> Segment {
    Segment(
      workload: try reader.text(), ordinal: try reader.small(), model: try reader.text(), profile: try reader.small(),
      start: try reader.small(), batch: try reader.small(), processes: try reader.small(),
      capacity: try reader.number(), load: try reader.number(), latencyMs: try reader.number())
  }

  private static func write(_ summary: PlanSummary, to writer: inout ByteWriter) {
    writer.integer(summary.gpuCount)
    writer.optional(summary.lowerBound) { $0.number($1) }
    writer.optional(summary.gap) { $0.number($1) }
    writer.integer(summary.allocatedSlices)
    writer.number(summary.externalFragmentation)
    writer.number(summary.internalSlack)
    writer.table(summary.sums) { $0.number($1) }
    writer.text(summary.profileSource.rawValue)
    writer.flag(summary.isCutShort)
  }

  private static func summary(from reader: inout ByteReader) throws(ByteReader.Malformed) -> PlanSummary {
    PlanSummary(
      gpuCount: try reader.small(), lowerBound: try reader.optionalNumber(), gap: try reader.optionalNumber(),
      allocatedSlices: try reader.small(), externalFragmentation: try reader.number(),
      internalSlack: try reader.number(), sums: try reader.numbers(),
      profileSource: try reader.named(ProfileSource.self), isCutShort: try reader.flag())
  }

  private static func write(_ certificate: PlanCertificate, _ products: inout ProductTable, to writer: inout ByteWriter)
  {
    writer.text(certificate.kind.rawValue)
    writer.text(certificate.objective.rawValue)
    writer.integer(certificate.maxProcesses)
    writer.count(certificate.parts.count)
    for part in certificate.parts {
      writer.optional(part.tenant) { writer, tenant in
        writer.text(tenant.namespace)
        writer.text(tenant.key)
        writer.text(tenant.value)
      }
      writer.number(part.bound)
      writer.count(part.pools.count)
      for pool in part.pools {
        writer.text(pool.pool)
        products.write(pool.product, to: &writer)
        writer.number(pool.weight)
        writer.number(pool.stockPrice)
        writer.list(pool.prices) { writer, price in
          writer.integer(price.profile)
          writer.number(price.value)
        }
      }
    }
  }

  private static func certificate(
    from reader: inout ByteReader, _ products: inout ProductTable
  ) throws(ByteReader.Malformed) -> PlanCertificate {
    let kind = try reader.named(PlanCertificate.Kind.self)
    let objective = try reader.named(PlanObjective.self)
    let processes = try reader.integer()
    var parts: [PlanCertificate.Part] = []
    for _ in 0..<(try reader.count(each: 13)) {
      let tenant = try reader.optional { r throws(ByteReader.Malformed) in
        Tenant(namespace: try r.text(), key: try r.text(), value: try r.text())
      }
      var part = PlanCertificate.Part(tenant: tenant, bound: try reader.number(), pools: [])
      for _ in 0..<(try reader.count(each: 28)) {
        part.pools.append(
          PlanCertificate.PoolPrices(
            pool: try reader.text(), product: try products.read(from: &reader), weight: try reader.number(),
            stockPrice: try reader.number(),
            prices: try reader.list(each: 16) { r throws(ByteReader.Malformed) in
              PlanCertificate.PoolPrices.Price(profile: try r.small(), value: try r.number())
            }))
      }
      parts.append(part)
    }
    return PlanCertificate(kind: kind, objective: objective, maxProcesses: processes, parts: parts)
  }
}
