/// A demand: one model to be served at a rate within a latency objective.
public struct Workload: Hashable, Sendable {
  /// Unique name: 1...253 characters, dot-separated DNS labels.
  public var id: String
  public var model: String
  /// Requests per second, above 0 and finite; where there is a ``schedule``, at the times that it does not name.
  public var rate: Double
  /// Rates at some times, of which the first whose time it is counts. What planners are given has none: see ``RateSchedule``.
  public var schedule: [ScheduledRate] = []
  /// Latency objective in milliseconds, above 0 and finite.
  public var sloLatencyMs: Double
  /// Share of requests that must finish within the objective, in (0, 1).
  public var percentile: Double
  /// Takes the place of ``PlanningOptions/margin`` for this workload.
  public var margin: Double?
  public var arrivals: ArrivalProcess
  /// Higher is served first when there are not enough GPUs.
  public var priority: Int
  public var labels: [String: String]
  /// Nil where something else starts the servers.
  public var launch: ServerCommand?
  /// Nil leaves it to ``launch``, see ``queue``.
  public var declaredQueue: QueueForm?
  public var constraints: Constraints
  /// Whether a part of the rate is better than nothing when there are not enough GPUs.
  public var allowsPartial: Bool
  /// Takes the place of ``PlanningOptions/moveCost`` for the segments of this workload.
  public var moveCost: Double?
  /// Most processes on one instance, where that is fewer than ``PlanningOptions/maxProcesses``; from 1.
  public var maxProcesses: Int?

  public init(
    id: String, model: String, rate: Double, sloLatencyMs: Double, percentile: Double = 0.99,
    margin: Double? = nil,
    arrivals: ArrivalProcess = .poisson, priority: Int = 0, labels: [String: String] = [:],
    launch: ServerCommand? = nil, declaredQueue: QueueForm? = nil, constraints: Constraints = .none,
    allowsPartial: Bool = false, moveCost: Double? = nil, maxProcesses: Int? = nil
  ) {
    self.id = id
    self.model = model
    self.rate = rate
    self.sloLatencyMs = sloLatencyMs
    self.percentile = percentile
    self.margin = margin
    self.arrivals = arrivals
    self.priority = priority
    self.labels = labels
    self.launch = launch
    self.declaredQueue = declaredQueue
    self.constraints = constraints
    self.allowsPartial = allowsPartial
    self.moveCost = moveCost
    self.maxProcesses = maxProcesses
  }

  /// Most processes on one instance, where the plan allows `limit`.
  func mostProcesses(_ limit: Int) -> Int { min(limit, maxProcesses ?? limit) }

  /// How its segments take requests: as declared, else one queue each, unless servers are launched that are not told how many
  /// model instances to hold, of which a segment has one for each process.
  public var queue: QueueForm {
    declaredQueue ?? (launch.map { $0.tellsProcesses ? .shared : .perProcess } ?? .shared)
  }
}
