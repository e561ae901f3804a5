import ParvaEngine

extension PlanningCodec {
  /// What a planner looks at of the workloads, the pools, the options and the plan in force. Profiles and recordings go
  /// in messages of their own, since they hardly ever change.
  static func write(_ input: PlanningInput, after memory: PlanningMemory, to writer: inout ByteWriter) {
    var products = ProductTable()
    writer.list(input.workloads, after: memory.workloads) { write($1, to: &$0) }
    writer.list(input.pools) { writer, pool in
      writer.text(pool.name)
      products.write(pool.product, to: &writer)
      writer.optional(pool.count) { $0.integer($1) }
      writer.table(pool.figures) { $0.number($1) }
      writer.list(pool.nodes) { writer, node in
        writer.text(node.name)
        writer.integer(node.count)
      }
    }
    let options = input.options
    writer.text(options.admission.name)
    writer.integer(options.maxProcesses)
    writer.flag(options.allocationOptimization)
    writer.text(options.objective.rawValue)
    writer.flag(options.certificate)
    writer.number(options.margin)
    writer.flag(options.headroom)
    writer.integer(options.maxExtraGPUs)
    writer.number(options.moveCost)
    writer.list(input.quotas) { writer, quota in
      writer.text(quota.namespace)
      writer.number(quota.gpus)
    }
    writer.list(input.shares) { writer, share in
      writer.text(share.namespace)
      writer.number(share.weight)
    }
    writer.optional(input.current) { write($1, after: memory.gpus, to: &$0) }
  }

  /// - Parameters: what other messages brought.
  static func input(
    from reader: inout ByteReader, after memory: PlanningMemory, profiles: ProfileCatalogue,
    traces: [String: ArrivalRecording], capacities: CapacityCache
  ) throws(ByteReader.Malformed) -> PlanningInput {
    var products = ProductTable()
    let workloads = try reader.list(each: 45, after: memory.workloads) { r throws(ByteReader.Malformed) in
      try workload(from: &r)
    }
    let pools = try reader.list { r throws(ByteReader.Malformed) in
      let name = try r.text()
      let product = try products.read(from: &r)
      let count = try r.optionalInteger()
      let figures = try r.numbers()
      let nodes = try r.list(each: 12) { r throws(ByteReader.Malformed) in
        PoolNode(name: try r.text(), count: try r.small())
      }
      var pool = Pool(name: name, product: product, figures: figures, nodes: nodes)
      pool.count = count
      return pool
    }
    let rule = try reader.text()
    guard let admission = AdmissionRule.named(rule) else {
      throw ByteReader.Malformed(description: "there is no admission rule \(rule)")
    }
    let options = PlanningOptions(
      admission: admission, maxProcesses: try reader.integer(),
      allocationOptimization: try reader.flag(), objective: try reader.named(PlanObjective.self),
      certificate: try reader.flag(), margin: try reader.number(), headroom: try reader.flag(),
      maxExtraGPUs: try reader.integer(), moveCost: try reader.number())
    let quotas = try reader.list(each: 12) { r throws(ByteReader.Malformed) in
      GPUQuota(namespace: try r.text(), gpus: try r.number())
    }
    let shares = try reader.list(each: 12) { r throws(ByteReader.Malformed) in
      NamespaceShare(namespace: try r.text(), weight: try r.number())
    }
    let current = try reader.optional { r throws(ByteReader.Malformed) in try plan(from: &r, after: memory.gpus) }
    var input = PlanningInput(
      workloads: [], pools: pools, profiles: profiles, options: options, traces: traces, capacities: capacities,
      current: current)
    // In the order in which they were sent, which is what both ends know of them.
    input.workloads = workloads
    input.quotas = quotas
    input.shares = shares
    return input
  }

  /// A workload as planners see it: at the one rate that it is planned for, without the command that starts its servers but for
  /// the queue that follows from it, and of the labels only the one that tells its tenant.
  static func planned(_ workload: Workload) -> Workload {
    var workload = workload
    workload.declaredQueue = workload.queue
    workload.launch = nil
    workload.schedule = []
    workload.labels = workload.tenant.map { [$0.key: $0.value] } ?? [:]
    return workload
  }

  private static func write(_ workload: Workload, to writer: inout ByteWriter) {
    writer.text(workload.id)
    writer.text(workload.model)
    writer.number(workload.rate)
    writer.number(workload.sloLatencyMs)
    writer.number(workload.percentile)
    switch workload.arrivals {
    case .poisson: writer.byte(0)
    case .deterministic: writer.byte(1)
    case .gamma(let cv2):
      writer.byte(2)
      writer.number(cv2)
    case .trace(let name):
      writer.byte(3)
      writer.text(name)
    }
    writer.flag(workload.queue == .perProcess)
    writer.integer(workload.priority)
    writer.flag(workload.allowsPartial)
    writer.optional(workload.margin) { $0.number($1) }
    writer.optional(workload.moveCost) { $0.number($1) }
    writer.optional(workload.maxProcesses) { $0.integer($1) }
    let constraints = workload.constraints
    writer.optional(constraints == .none ? nil : constraints) { writer, constraints in
      for names in [constraints.products, constraints.excludeProducts, constraints.pools, constraints.excludePools] {
        writer.list(names) { $0.text($1) }
      }
      writer.optional(constraints.spread) { writer, spread in
        writer.text(spread.over.rawValue)
        writer.integer(spread.atLeast)
      }
      writer.optional(constraints.survive) { writer, survive in
        writer.text(survive.over.rawValue)
        writer.integer(survive.losses)
      }
      writer.optional(constraints.replicas) { writer, replicas in
        writer.integer(replicas.least)
        writer.optional(replicas.most) { $0.integer($1) }
      }
      writer.optional(workload.tenant) { writer, tenant in
        writer.text(tenant.key)
        writer.text(tenant.value)
      }
    }
  }

  private static func workload(from reader: inout ByteReader) throws(ByteReader.Malformed) -> Workload {
    var workload = Workload(
      id: try reader.text(), model: try reader.text(), rate: try reader.number(), sloLatencyMs: try reader.number(),
      percentile: try reader.number())
    switch try reader.byte() {
    case 0: workload.arrivals = .poisson
    case 1: workload.arrivals = .deterministic
    case 2: workload.arrivals = .gamma(cv2: try reader.number())
    case 3: workload.arrivals = .trace(name: try reader.text())
    case let other: throw ByteReader.Malformed(description: "\(other) is no arrival process")
    }
    workload.declaredQueue = try reader.flag() ? .perProcess : .shared
    workload.priority = try reader.integer()
    workload.allowsPartial = try reader.flag()
    workload.margin = try reader.optionalNumber()
    workload.moveCost = try reader.optionalNumber()
    workload.maxProcesses = try reader.optional { r throws(ByteReader.Malformed) in try r.integer() }
    guard try reader.flag() else { return workload }
    workload.constraints = Constraints(
      products: try reader.texts(), excludeProducts: try reader.texts(), pools: try reader.texts(),
      excludePools: try reader.texts(),
      spread: try reader.optional { r throws(ByteReader.Malformed) in
        Spread(over: try r.named(Spread.Domain.self), atLeast: try r.integer())
      },
      survive: try reader.optional { r throws(ByteReader.Malformed) in
        Survival(over: try r.named(Spread.Domain.self), losses: try r.integer())
      },
      replicas: try reader.optional { r throws(ByteReader.Malformed) in
        ReplicaLimits(
          least: try r.integer(),
          most: try r.optional { r throws(ByteReader.Malformed) in try r.integer() })
      })
    if try reader.flag() {
      // Its namespace is that of the id.
      let (key, value) = (try reader.text(), try reader.text())
      workload.constraints.exclusive = key
      workload.labels = [key: value]
    }
    return workload
  }
}
