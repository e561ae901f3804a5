/// Every MIG product whose placements are known.
///
/// A node reports its own profiles and placements at run time; these tables serve planning ahead and simulation.
/// A new product is a new entry here and nothing else.
public enum ProductCatalogue {
  public static let all: [GPUProduct] = ampere + hopper + blackwell

  /// The product with this name, compared without regard to case. O(products).
  public static func product(named name: String) -> GPUProduct? {
    let wanted = name.lowercased()
    return all.first { $0.name.lowercased() == wanted }
  }
}
