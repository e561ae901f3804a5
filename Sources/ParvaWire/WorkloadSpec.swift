/// What a client declares about a workload, as it crosses the wire.
///
/// Unknown keys are refused; ranges are checked where the value becomes an engine value. What a controller adds to its
/// answers (`revision`, `createdAt`, `updatedAt`, `status`) is passed over, so that an answer can be sent back.
package struct WorkloadSpec: Codable, Hashable, Sendable {
  /// Latency objective: `latencyMs` in milliseconds at `percentile`, in (0, 1), with `margin` of capacity in reserve.
  package struct SLO: Codable, Hashable, Sendable {
    package var latencyMs: Double
    package var percentile: Double?
    package var margin: Double?

    package init(latencyMs: Double, percentile: Double? = nil, margin: Double? = nil) {
      self.latencyMs = latencyMs
      self.percentile = percentile
      self.margin = margin
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("latencyMs", "percentile", "margin")
      latencyMs = try object.number("latencyMs")
      percentile = try object.optionalNumber("percentile")
      margin = try object.optionalNumber("margin")
    }
  }

  /// Arrival process: `poisson`, `deterministic`, `gamma` with its squared coefficient of variation, or `trace` with the
  /// name of a recorded one.
  package struct Arrivals: Codable, Hashable, Sendable {
    package var process: String
    package var cv2: Double?
    package var trace: String?

    package init(process: String, cv2: Double? = nil, trace: String? = nil) {
      self.process = process
      self.cv2 = cv2
      self.trace = trace
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("process", "cv2", "trace")
      process = try object.decode(String.self, forKey: "process")
      cv2 = try object.optionalNumber("cv2")
      trace = try object.decodeIfPresent(String.self, forKey: "trace")
    }
  }

  /// How many segments there may be, from `min` to `max`.
  package struct Replicas: Codable, Hashable, Sendable {
    package var min: Int?
    package var max: Int?

    package init(min: Int? = nil, max: Int? = nil) {
      self.min = min
      self.max = max
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("min", "max")
      min = try object.optionalInteger("min")
      max = try object.optionalInteger("max")
    }
  }

  /// How many failure domains may fail at once before the rate does: GPUs or nodes.
  package struct Survive: Codable, Hashable, Sendable {
    package var gpus: Int?
    package var nodes: Int?

    package init(gpus: Int? = nil, nodes: Int? = nil) {
      self.gpus = gpus
      self.nodes = nodes
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("gpus", "nodes")
      gpus = try object.optionalInteger("gpus")
      nodes = try object.optionalInteger("nodes")
    }
  }

  /// A rate at some times of the week, or from each of some times on, by the clock of a time zone.
  package struct ScheduledRate: Codable, Hashable, Sendable {
    /// Names of days; without them all.
    package var days: [String]?
    /// Times as `22:00`.
    package var from: String?
    package var to: String?
    /// Times from which on it has the rate, in place of ``days``, ``from`` and ``to``.
    package var cron: String?
    package var timeZone: String?
    /// Requests per second.
    package var rate: Double

    package init(days: [String]?, from: String, to: String, timeZone: String, rate: Double) {
      (self.days, self.from, self.to, self.timeZone, self.rate) = (days, from, to, timeZone, rate)
    }

    package init(cron: String, timeZone: String, rate: Double) {
      (self.cron, self.timeZone, self.rate) = (cron, timeZone, rate)
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("days", "from", "to", "cron", "timeZone", "rate")
      days = try object.decodeIfPresent([String].self, forKey: "days")
      from = try object.decodeIfPresent(String.self, forKey: "from")
      to = try object.decodeIfPresent(String.self, forKey: "to")
      cron = try object.decodeIfPresent(String.self, forKey: "cron")
      timeZone = try object.decodeIfPresent(String.self, forKey: "timeZone")
      rate = try object.number("rate")
    }
  }

  /// Where a decoder is told the id of a workload that names none itself, as `String`.
  package static let id = CodingUserInfoKey(rawValue: "id")

  package var id: String
  /// That of the workload, where ``id`` does not say it.
  package var namespace: String?
  package var model: String
  /// Requests per second.
  package var rate: Double
  /// Rates at some times, in place of ``rate``; the first whose time it is counts.
  package var schedule: [ScheduledRate]?
  package var slo: SLO
  package var arrivals: Arrivals?
  package var priority: Int?
  package var labels: [String: String]?
  /// How its servers are started, where the nodes are to start them.
  package var launch: LaunchSpec?
  /// How a segment takes requests: `shared` (one server with as many model instances as processes) or `perProcess`.
  package var queue: String?
  package var placement: PlacementSpec?
  /// Whether a part of the rate is better than nothing.
  package var allowPartial: Bool?
  /// What a changed segment of it counts beside the objective, in GPUs.
  package var moveCost: Double?
  /// Most processes on one instance.
  package var maxProcesses: Int?
  package var replicas: Replicas?
  package var survive: Survive?

  package init(
    id: String, namespace: String? = nil, model: String, rate: Double, schedule: [ScheduledRate]? = nil, slo: SLO,
    arrivals: Arrivals? = nil, priority: Int? = nil,
    labels: [String: String]? = nil, launch: LaunchSpec? = nil, queue: String? = nil,
    placement: PlacementSpec? = nil, allowPartial: Bool? = nil, moveCost: Double? = nil,
    maxProcesses: Int? = nil, replicas: Replicas? = nil, survive: Survive? = nil
  ) {
    self.id = id
    self.namespace = namespace
    self.model = model
    self.rate = rate
    self.schedule = schedule
    self.slo = slo
    self.arrivals = arrivals
    self.priority = priority
    self.labels = labels
    self.launch = launch
    self.queue = queue
    self.placement = placement
    self.allowPartial = allowPartial
    self.moveCost = moveCost
    self.maxProcesses = maxProcesses
    self.replicas = replicas
    self.survive = survive
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object(
      "id", "namespace", "model", "rate", "schedule", "slo", "arrivals", "priority", "labels", "launch", "queue",
      "placement", "allowPartial", "moveCost", "maxProcesses", "replicas", "survive",
      ignoring: ["revision", "createdAt", "updatedAt", "status"])
    id = try object.text("id", or: Self.id, decoder)
    namespace = try object.decodeIfPresent(String.self, forKey: "namespace")
    model = try object.decode(String.self, forKey: "model")
    rate = try object.number("rate")
    schedule = try object.decodeIfPresent([ScheduledRate].self, forKey: "schedule")
    slo = try object.decode(SLO.self, forKey: "slo")
    arrivals = try object.decodeIfPresent(Arrivals.self, forKey: "arrivals")
    priority = try object.optionalInteger("priority")
    labels = try object.decodeIfPresent([String: String].self, forKey: "labels")
    launch = try object.decodeIfPresent(LaunchSpec.self, forKey: "launch")
    queue = try object.decodeIfPresent(String.self, forKey: "queue")
    placement = try object.decodeIfPresent(PlacementSpec.self, forKey: "placement")
    allowPartial = try object.decodeIfPresent(Bool.self, forKey: "allowPartial")
    moveCost = try object.optionalNumber("moveCost")
    maxProcesses = try object.optionalInteger("maxProcesses")
    replicas = try object.decodeIfPresent(Replicas.self, forKey: "replicas")
    survive = try object.decodeIfPresent(Survive.self, forKey: "survive")
  }
}

/// Several workloads: `{"workloads": [...]}` or a bare array; of one with very many bad elements, what stands up to then.
package struct WorkloadList: Decodable, Sendable {
  package let items: [Attempt<WorkloadSpec>]
  /// Whether the list stood bare, without the object around it.
  package let isBare: Bool

  /// How many elements that are none end the reading, as `Int`; without it all are read.
  package static let mostFailures = CodingUserInfoKey(rawValue: "mostFailures")

  package init(from decoder: any Decoder) throws {
    if let list = try? decoder.unkeyedContainer() {
      items = try Self.items(list, decoder)
      isBare = true
    } else {
      let object = try decoder.object("workloads", ignoring: ["revision", "nextCursor"])
      items = try Self.items(object.nestedUnkeyedContainer(forKey: "workloads"), decoder)
      isBare = false
    }
  }

  private static func items(
    _ list: any UnkeyedDecodingContainer, _ decoder: any Decoder
  ) throws -> [Attempt<WorkloadSpec>] {
    var (list, failures): (any UnkeyedDecodingContainer, Int) = (list, 0)
    let most = mostFailures.flatMap { decoder.userInfo[$0] } as? Int ?? .max
    var items: [Attempt<WorkloadSpec>] = []
    while !list.isAtEnd, failures < most {
      items.append(try list.decode(Attempt<WorkloadSpec>.self))
      if case .failure = items[items.count - 1] { failures += 1 }
    }
    return items
  }
}
