/// A workload that is served at a lower rate than it asks for, as it allows.
public struct PartialService: Hashable, Sendable {
  public var workload: String
  /// Requests per second asked for.
  public var demanded: Double
  /// Requests per second planned, above 0 and below `demanded`.
  public var served: Double
  public var code: Unserved.Code
  /// One sentence for a person: what is missing and what would be enough.
  public var message: String

  public init(workload: String, demanded: Double, served: Double, code: Unserved.Code, message: String) {
    self.workload = workload
    self.demanded = demanded
    self.served = served
    self.code = code
    self.message = message
  }
}
