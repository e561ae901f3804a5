import ParvaEngine

/// Valid workloads of every shape.
enum RandomWorkloads {
  static func list(_ random: inout SeededGenerator) -> [Workload] {
    (0..<Int.random(in: 0...8, using: &random)).map { number in workload(number, &random) }
  }

  /// With shifts of an hour on either half of the globe, of half an hour, at midnight, and none.
  static let zones = [
    "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata",
    "UTC",
  ]

  /// An expression that comes often enough to be seen, mostly around the hours at which clocks are put forward or back.
  static func cron(_ random: inout SeededGenerator) -> String {
    func one(_ texts: [String]) -> String { texts.randomElement(using: &random) ?? "*" }
    let minute = one(["0", "30", "15,45", "0-10/5", "59", "7"])
    let hour = one(["*", "1-3", "2", "0", "23", "*/6", "8,18", "3"])
    let day = one(["*", "*", "*", "1", "13,31", "*/2", "25-31"])
    let month = one(["*", "*", "*", "mar,OCT,nov", "1-12/2", "4"])
    return "\(minute) \(hour) \(day) \(month) \(one(["*", "*", "sun", "mon-fri", "7", "0,Sat"]))"
  }

  private static func schedule(_ random: inout SeededGenerator) -> [ScheduledRate] {
    (0..<([0, 0, 1, 3].randomElement(using: &random) ?? 0)).map { _ in
      if Int.random(in: 0..<3, using: &random) == 0, let times = try? CronTimes(cron(&random)) {
        return ScheduledRate(
          .from(times), zone: zones.randomElement(using: &random) ?? "UTC",
          rate: Double.random(in: 1e-6...1e9, using: &random))
      }
      return ScheduledRate(
        times: WeeklyTimes(
          days: Set((0..<7).filter { _ in Bool.random(using: &random) } + [Int.random(in: 0..<7, using: &random)]),
          from: Int.random(in: 0...1_439, using: &random), to: Int.random(in: 1...1_440, using: &random)),
        zone: zones.randomElement(using: &random) ?? "UTC", rate: Double.random(in: 1e-6...1e9, using: &random))
    }
  }

  private static func workload(_ number: Int, _ random: inout SeededGenerator) -> Workload {
    let arrivals: [ArrivalProcess] = [
      .poisson, .deterministic, .gamma(cv2: Double.random(in: 0.01...900, using: &random)), .trace(name: "no"),
    ]
    let words = ["yes", "no", "null", "1.5", "0x10", "true", "Vision", "a_b-c.d", ""]
    var labels = (0..<Int.random(in: 0...3, using: &random)).map {
      ("key\($0)", words.randomElement(using: &random) ?? "")
    }
    let isTenant = Bool.random(using: &random)
    if isTenant { labels.append(("team", "a")) }
    let survive = [nil, Survival(over: .gpu, losses: 1), Survival(over: .node, losses: 63)].randomElement(
      using: &random)
    let spreads = [nil, Spread(over: .gpu, atLeast: 2), Spread(over: .node, atLeast: 64)].filter { spread in
      spread == nil || (survive ?? nil) == nil || spread?.over == survive??.over
    }
    let constraints = Constraints(
      products: [[], ["A30-24GB"], ["A100-80GB", "H200-141GB"]].randomElement(using: &random) ?? [],
      excludeProducts: [[], ["L4", "A100-40GB"].filter { ProductCatalogue.product(named: $0) != nil }]
        .randomElement(using: &random) ?? [],
      pools: [[], ["null", "a.b"]].randomElement(using: &random) ?? [],
      excludePools: [[], ["1e5"]].randomElement(using: &random) ?? [],
      spread: spreads.randomElement(using: &random) ?? nil, survive: survive ?? nil,
      replicas: [nil, ReplicaLimits(least: 3), ReplicaLimits(least: 1, most: 64), ReplicaLimits(least: 99, most: 99)]
        .randomElement(using: &random) ?? nil, exclusive: isTenant ? "team" : nil)
    let launch = launch(&random)
    let queues = [nil, .perProcess] + (launch?.tellsProcesses == false ? [] : [QueueForm.shared])
    var workload = Workload(
      id: "\(["w", "0", "1e5", "null", "a.b-c"].randomElement(using: &random) ?? "w")\(number)",
      model: ["bert", "org/Model:v1@x", "1.0", "on"].randomElement(using: &random) ?? "m",
      rate: Double.random(in: 1e-6...1e9, using: &random),
      sloLatencyMs: Double.random(in: 1e-3...1e7, using: &random),
      percentile: Double.random(in: 0.001...0.999, using: &random),
      margin: [nil, 0, 0.25, 10].randomElement(using: &random) ?? nil,
      arrivals: arrivals.randomElement(using: &random) ?? .poisson,
      priority: Int.random(in: -1_000_000...1_000_000, using: &random),
      labels: Dictionary(uniqueKeysWithValues: labels), launch: launch,
      declaredQueue: queues.randomElement(using: &random) ?? nil, constraints: constraints,
      allowsPartial: Bool.random(using: &random), moveCost: [nil, 0, 0.05, 7].randomElement(using: &random) ?? nil,
      maxProcesses: [nil, 1, 3].randomElement(using: &random) ?? nil)
    workload.schedule = schedule(&random)
    return workload
  }

  private static func launch(_ random: inout SeededGenerator) -> ServerCommand? {
    if Bool.random(using: &random) { return nil }
    let texts = ["serve", "--port={port}", "-p{processes}", "{{\"a\": {batch}}}", "yes", "", "two words: # no", "-"]
    let some = { (random: inout SeededGenerator) in texts.randomElement(using: &random) ?? "" }
    return ServerCommand(
      command: ["serve", "/usr/bin/env", "true"].randomElement(using: &random) ?? "serve",
      args: (0..<Int.random(in: 0...3, using: &random)).map { _ in some(&random) },
      env: Bool.random(using: &random) ? [:] : ["A_1": some(&random), "_b": some(&random)],
      workdir: [nil, "/srv/{model}"].randomElement(using: &random) ?? nil,
      port: Int.random(in: 1...65_535, using: &random), health: [nil, "/healthz"].randomElement(using: &random) ?? nil,
      stopTimeout: [nil, 0, 2.5].randomElement(using: &random) ?? nil,
      memoryMiB: [nil, 4096].randomElement(using: &random) ?? nil,
      cpus: [nil, 1.5].randomElement(using: &random) ?? nil)
  }
}
