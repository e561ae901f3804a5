/// The workloads that a plan is judged against, by number, with the workload of every segment: whoever judges 100,000 of them
/// looks each name up once.
struct CheckedDemand {
  let workloads: [Workload]
  /// By segment, in the order of the plan; nil for a workload that nobody asks for.
  private let owners: [Int?]
  private let numbers: [String: Int]

  /// O(workloads + segments).
  init(_ workloads: [Workload], _ plan: Plan) {
    self.workloads = workloads
    let numbers = Dictionary(
      zip(workloads.lazy.map(\.id), workloads.indices), uniquingKeysWith: { first, _ in first })
    self.numbers = numbers
    owners = plan.gpus.flatMap { gpu in gpu.segments.map { numbers[$0.workload] } }
  }

  func number(of id: String) -> Int? { numbers[id] }

  /// Calls `body` with every segment of the plan, its GPU and the number of its workload.
  func forEach(_ plan: Plan, _ body: (_ gpu: Int, _ segment: Segment, _ owner: Int?) -> Void) {
    var next = 0
    for (index, gpu) in plan.gpus.enumerated() {
      for segment in gpu.segments {
        body(index, segment, owners[next])
        next += 1
      }
    }
  }
}

/// Names of segments that were met, without the text of each.
struct SegmentNames {
  private var numbers: [String: Int] = [:]
  /// By workload a bit for each low ordinal.
  private var low: [UInt64] = []
  private var high: Set<String> = []

  /// - Parameter plan: tells how much room there has to be.
  init(of plan: Plan) {
    numbers.reserveCapacity(plan.gpus.reduce(0) { $0 + $1.segments.count })
  }

  /// Whether the name is new.
  mutating func insert(_ segment: Segment) -> Bool {
    guard (0..<64).contains(segment.ordinal) else { return high.insert(segment.id).inserted }
    let bit: UInt64 = 1 << UInt64(segment.ordinal)
    let number = numbers[segment.workload] ?? low.count
    if number == low.count {
      numbers[segment.workload] = number
      low.append(0)
    }
    defer { low[number] |= bit }
    return low[number] & bit == 0
  }
}
