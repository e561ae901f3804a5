import ParvaEngine

/// SplitMix64: the same numbers for a seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Plans that need not be legal: what a document must carry is more than what a planner makes.
enum RandomPlans {
  static func plan(_ random: inout SeededGenerator) -> Plan {
    let gpus = (0..<Int.random(in: 0...6, using: &random)).map { _ in gpu(&random) }
    let codes = Unserved.Code.allCases
    let unplaced = (0..<Int.random(in: 0...3, using: &random)).map { index in
      Unserved(
        workload: "left-\(index)", code: codes.randomElement(using: &random) ?? .noProfile,
        message: ["plain", "with \"quotes\" and \\ back", "ünïcode: – ✓", "line\nbreak\ttab", ": - # yaml?", ""]
          .randomElement(using: &random) ?? "")
    }
    return Plan(
      planner: "parvagpu", admission: "half-slo", margin: [nil, 0, 0.1].randomElement(using: &random) ?? nil,
      objective: Bool.random(using: &random) ? nil : PlanObjective.allCases.randomElement(using: &random),
      maxProcesses: Bool.random(using: &random) ? nil : Int.random(in: 1...64, using: &random),
      status: PlanStatus.allCases.randomElement(using: &random) ?? .feasible,
      gpus: gpus, unplaced: unplaced,
      partial: (0..<Int.random(in: 0...2, using: &random)).map {
        PartialService(
          workload: "part-\($0)", demanded: number(&random), served: number(&random), code: .noStock, message: "1 more")
      },
      summary: PlanSummary(
        gpuCount: gpus.count, lowerBound: maybe(&random), gap: maybe(&random), allocatedSlices: 3,
        externalFragmentation: Double.random(in: 0...1, using: &random),
        internalSlack: Double.random(in: 0...1, using: &random), sums: sums(&random),
        profileSource: ProfileSource.allCases.randomElement(using: &random) ?? .measured,
        isCutShort: Bool.random(using: &random)),
      certificate: Bool.random(using: &random) ? certificate(&random) : nil)
  }

  private static func sums(_ random: inout SeededGenerator) -> [String: Double] {
    var sums: [String: Double] = [:]
    for objective in PlanObjective.summed { sums[objective.name] = maybe(&random) }
    return sums
  }

  private static func certificate(_ random: inout SeededGenerator) -> PlanCertificate {
    let parts = (0..<Int.random(in: 0...3, using: &random)).map { index in
      let product = ProductCatalogue.all.randomElement(using: &random) ?? ProductCatalogue.all[0]
      let pool = PlanCertificate.PoolPrices(
        pool: "p\(index)", product: product, weight: number(&random), stockPrice: number(&random),
        prices: product.profiles.indices.map { .init(profile: $0, value: number(&random)) })
      return PlanCertificate.Part(
        tenant: index == 0 ? nil : Tenant(namespace: index == 1 ? "default" : "vision", key: "team", value: "1e5"),
        bound: number(&random), pools: [pool])
    }
    return PlanCertificate(
      kind: PlanCertificate.Kind.allCases.randomElement(using: &random) ?? .prices,
      objective: PlanObjective.allCases.randomElement(using: &random) ?? .gpus,
      maxProcesses: Int.random(in: 1...64, using: &random), parts: parts)
  }

  private static func gpu(_ random: inout SeededGenerator) -> PlannedGPU {
    let product = ProductCatalogue.all.randomElement(using: &random) ?? ProductCatalogue.all[0]
    let bound = Bool.random(using: &random)
    return PlannedGPU(
      pool: ["default", "123", "yes", "h100-eu.west"].randomElement(using: &random) ?? "default", product: product,
      node: bound ? "node-\(Int.random(in: 0...9, using: &random))" : nil,
      uuid: bound ? "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f" : nil,
      segments: (0..<Int.random(in: 0...7, using: &random)).map { ordinal in segment(ordinal, product, &random) })
  }

  private static func segment(_ ordinal: Int, _ product: GPUProduct, _ random: inout SeededGenerator) -> Segment {
    let profile = product.profiles.indices.randomElement(using: &random) ?? 0
    return Segment(
      workload: ["a", "1e5", "null", "0", "true", "resnet50.eu-west", "12.5"].randomElement(using: &random) ?? "a",
      ordinal: ordinal, model: ["resnet50", "org/Model:v1@x", "1.0", "no"].randomElement(using: &random) ?? "m",
      profile: profile, start: Int.random(in: 0...20, using: &random), batch: Int.random(in: 1...256, using: &random),
      processes: Int.random(in: 1...5, using: &random), capacity: number(&random), load: number(&random),
      latencyMs: number(&random))
  }

  /// Any positive finite number.
  private static func number(_ random: inout SeededGenerator) -> Double {
    let value = Double(bitPattern: UInt64.random(in: 1..<0x7ff0_0000_0000_0000, using: &random))
    return Bool.random(using: &random) ? value : Double(Int.random(in: 1...10_000, using: &random))
  }

  private static func maybe(_ random: inout SeededGenerator) -> Double? {
    Bool.random(using: &random) ? number(&random) : nil
  }
}
