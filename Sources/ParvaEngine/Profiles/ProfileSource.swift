/// Where points come from; shown wherever a user sees a plan made from them.
public enum ProfileSource: String, Hashable, Sendable, CaseIterable {
  /// Timed on the product itself.
  case measured
  /// Computed from the built-in catalogue's figures.
  case modelled
  /// Among them points that were never run: computed from a model fitted to a few measured ones, with a margin.
  case filled
  /// Measured and modelled points together.
  case mixed

  /// The source of a set that holds points of both. One filled point makes the whole set a filled one.
  public func merged(with other: ProfileSource) -> ProfileSource {
    self == other ? self : self == .filled || other == .filled ? .filled : .mixed
  }
}

extension Collection<ProfileSource> {
  /// The source of all together; `measured` for none.
  public var merged: ProfileSource { dropFirst().reduce(first ?? .measured) { $0.merged(with: $1) } }
}
