/// What stands on a fleet and what is to stand there instead.
public struct TransitionInput: Hashable, Sendable {
  /// One GPU that holds something now, is to hold something, or has room for what helps on the way.
  public struct GPU: Hashable, Sendable {
    /// The UUID, or another name that tells the GPU from all others.
    public var name: String
    public var node: String?
    public var product: GPUProduct
    public var before: [StandingSegment]
    public var after: [StandingSegment]
    /// Whether segments for the way only may be made there.
    public var isOpen: Bool

    public init(
      name: String, node: String? = nil, product: GPUProduct, before: [StandingSegment] = [],
      after: [StandingSegment] = [], isOpen: Bool = true
    ) {
      self.name = name
      self.node = node
      self.product = product
      self.before = before
      self.after = after
      self.isOpen = isOpen
    }
  }

  /// What one workload is promised before and after.
  public struct Service: Hashable, Sendable {
    /// Requests per second that it is served before; 0 for one that is new.
    public var rateBefore: Double
    /// Requests per second that it is served after; 0 for one that goes.
    public var rateAfter: Double
    /// Workloads of different tenants never share a GPU, on the way neither; nil shares with all that have none.
    public var tenant: String?

    public init(rateBefore: Double, rateAfter: Double, tenant: String? = nil) {
      self.rateBefore = rateBefore
      self.rateAfter = rateAfter
      self.tenant = tenant
    }
  }

  public var gpus: [GPU]
  /// By workload; one that is not listed is promised nothing.
  public var services: [String: Service]
  /// Share of the lesser of both rates that a workload may lack on the way, 0...1.
  public var maxUnavailable: Double
  /// Whether a segment goes even where its workload falls short for that; otherwise it stays, and with it what waits for
  /// its room. That is for a way on which not all of what is to come can come.
  public var allowsShortfall: Bool

  public init(
    gpus: [GPU], services: [String: Service], maxUnavailable: Double = 0, allowsShortfall: Bool = true
  ) {
    self.gpus = gpus
    self.services = services
    self.maxUnavailable = min(1, max(0, maxUnavailable))
    self.allowsShortfall = allowsShortfall
  }
}

/// A segment as far as a transition is concerned: an instance, what runs on it, and the rate that it carries.
public struct StandingSegment: Hashable, Sendable {
  public var workload: String
  /// Name of the segment for people.
  public var id: String
  public var model: String
  public var placement: Placement
  public var batch: Int
  public var processes: Int
  /// Requests per second that it may be given.
  public var capacity: Double
  /// How its processes are started, as a number: two that differ in it are not the same processes.
  public var startsAs: Int

  public init(
    workload: String, id: String, model: String, placement: Placement, batch: Int, processes: Int, capacity: Double,
    startsAs: Int = 0
  ) {
    self.workload = workload
    self.id = id
    self.model = model
    self.placement = placement
    self.batch = batch
    self.processes = processes
    self.capacity = capacity
    self.startsAs = startsAs
  }

  public init(_ segment: Segment) {
    self.init(
      workload: segment.workload, id: segment.id, model: segment.model,
      placement: Placement(profile: segment.profile, start: segment.start), batch: segment.batch,
      processes: segment.processes, capacity: segment.capacity)
  }

  /// Whether the two are the same running processes on the same instance, whatever they are called and may be given.
  public func runsAs(_ other: StandingSegment) -> Bool {
    workload == other.workload && model == other.model && placement == other.placement && batch == other.batch
      && processes == other.processes && startsAs == other.startsAs
  }
}

extension TransitionInput {
  /// From one plan to another. GPUs of both are the same where ``PlanDiff`` takes them for the same.
  ///
  /// - Parameters:
  ///   - tenants: by workload, the tenants that may not share a GPU.
  ///   - spare: GPUs that neither plan uses and that may be used on the way.
  public init(
    from old: Plan, to new: Plan, tenants: [String: String] = [:], spare: [GPU] = [], maxUnavailable: Double = 0
  ) {
    let match = PlanDiff.match(old.gpus, new.gpus)
    var gpus: [GPU] = old.gpus.enumerated().map { index, gpu in
      GPU(
        name: gpu.uuid ?? "GPU \(index)", node: gpu.node, product: gpu.product,
        before: gpu.segments.map(StandingSegment.init))
    }
    for (index, gpu) in new.gpus.enumerated() {
      let after = gpu.segments.map(StandingSegment.init)
      if let same = match[index] {
        gpus[same].after = after
        gpus[same].node = gpus[same].node ?? gpu.node
      } else {
        gpus.append(
          GPU(name: gpu.uuid ?? "GPU \(gpus.count)", node: gpu.node, product: gpu.product, after: after))
      }
    }
    var services: [String: Service] = [:]
    for segment in old.gpus.lazy.flatMap(\.segments) {
      services[segment.workload, default: Service(rateBefore: 0, rateAfter: 0)].rateBefore += segment.load
    }
    for segment in new.gpus.lazy.flatMap(\.segments) {
      services[segment.workload, default: Service(rateBefore: 0, rateAfter: 0)].rateAfter += segment.load
    }
    for (workload, tenant) in tenants { services[workload]?.tenant = tenant }
    let known = Set(gpus.map(\.name))
    self.init(
      gpus: gpus + spare.filter { !known.contains($0.name) }, services: services, maxUnavailable: maxUnavailable)
  }
}
