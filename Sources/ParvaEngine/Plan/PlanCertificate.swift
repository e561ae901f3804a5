/// What proves the lower bound of a plan: prices of instances, under which no GPU can be cut into more than it costs.
///
/// For prices p >= 0 with p.(instances of any legal cut of pool j) <= w_j + m_j, every plan costs at least the sum of
/// the workloads' cheapest covers at those prices less the sum of m_j N_j over the pools with N_j GPUs in stock. So
/// whoever knows the demand, the profiles and the geometry can check the bound without trusting the planner.
public struct PlanCertificate: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// The prices prove the bound.
    case prices
    /// The prices prove less than the bound; the rest was shown by trying every plan, and can only be shown so again.
    case exhaustive
  }

  /// Prices of the instances of one pool.
  public struct PoolPrices: Hashable, Sendable {
    public struct Price: Hashable, Sendable {
      /// Index into the product's profiles; those that are not listed cost nothing.
      public var profile: Int
      /// In units of the objective, at least 0.
      public var value: Double

      public init(profile: Int, value: Double) {
        self.profile = profile
        self.value = value
      }
    }

    public var pool: String
    public var product: GPUProduct
    /// The w_j: objective of one GPU.
    public var weight: Double
    /// The m_j, at least 0; 0 where the pool has no limit.
    public var stockPrice: Double
    public var prices: [Price]

    public init(pool: String, product: GPUProduct, weight: Double, stockPrice: Double, prices: [Price]) {
      self.pool = pool
      self.product = product
      self.weight = weight
      self.stockPrice = stockPrice
      self.prices = prices
    }
  }

  /// The workloads of one tenant, or all without one: they share no GPU with others, so their bounds add up.
  public struct Part: Hashable, Sendable {
    public var tenant: Tenant?
    /// What the prices prove for these workloads.
    public var bound: Double
    public var pools: [PoolPrices]

    public init(tenant: Tenant?, bound: Double, pools: [PoolPrices]) {
      self.tenant = tenant
      self.bound = bound
      self.pools = pools
    }
  }

  public var kind: Kind
  public var objective: PlanObjective
  /// Most MPS processes on one instance that the covers were allowed.
  public var maxProcesses: Int
  public var parts: [Part]

  public init(kind: Kind, objective: PlanObjective, maxProcesses: Int, parts: [Part]) {
    self.kind = kind
    self.objective = objective
    self.maxProcesses = maxProcesses
    self.parts = parts
  }
}
