/// Something that a plan says and that nothing speaks for or against.
public struct PlanReservation: Hashable, Sendable {
  /// Name of the member in the plan's document.
  public var claim: String
  /// One sentence for a person.
  public var reason: String
}
