/// The least price of a set of instances that covers a rate, for ``CertificateChecker``.
enum CheckedCover {
  struct Item {
    /// Requests per second, above 0.
    var capacity: Double
    var price: Double
  }

  private static let stepLimit = 400_000

  /// Never more than the true least price: exact unless the number of steps runs out, then the divisible one. Infinite
  /// where there is nothing to choose from.
  static func leastPrice(_ items: [Item], rate: Double, count: Int) -> Double {
    guard !items.isEmpty else { return .infinity }
    // What costs as much as another and does no more is never needed.
    let useful = items.enumerated().filter { index, item in
      !items.enumerated().contains { other, rival in
        rival.price <= item.price && rival.capacity >= item.capacity
          && (rival.price < item.price || rival.capacity > item.capacity || other < index)
      }
    }.map(\.element)
    let ranked = useful.sorted { $0.price * $1.capacity < $1.price * $0.capacity }
    let needed = rate * (1 - 1e-9)
    var search = Search(items: ranked, count: count)
    search.best = ranked.map { max((needed / $0.capacity).rounded(.up), Double(count)) * $0.price }.min() ?? .infinity
    for index in ranked.indices.reversed() {
      search.cheapest[index] = min(
        ranked[index].price, index + 1 < ranked.count ? search.cheapest[index + 1] : .infinity)
    }
    search.walk(0, needed, count, 0)
    if search.steps >= stepLimit {
      return max(needed * ranked[0].price / ranked[0].capacity, Double(count) * search.cheapest[0])
    }
    return search.best
  }

  private struct Search {
    let items: [Item]
    var cheapest: [Double]
    var best = Double.infinity
    var steps = 0

    init(items: [Item], count: Int) {
      self.items = items
      cheapest = [Double](repeating: 0, count: items.count)
    }

    mutating func walk(_ index: Int, _ rate: Double, _ count: Int, _ spent: Double) {
      if rate <= 0, count <= 0 {
        best = min(best, spent)
        return
      }
      guard index < items.count, steps < stepLimit else { return }
      let item = items[index]
      let least = max(max(0, rate) * item.price / item.capacity, Double(max(0, count)) * cheapest[index])
      guard spent + least < best - 1e-12 else { return }
      let enough = rate > 0 ? (rate / item.capacity).rounded(.up) : 0
      var take = max(enough, Double(max(0, count)))
      while take >= 0, steps < stepLimit {
        let left = take >= enough ? 0 : rate - take * item.capacity
        // Fewer of the best item never make the rest cheaper; counts may, so only the rate's own bound ends the row.
        if left > 0 {
          guard index + 1 < items.count else { return }
          let next = items[index + 1]
          if spent + take * item.price + left * next.price / next.capacity >= best - 1e-12 { return }
        }
        steps += 1
        walk(index + 1, left, count - Int(take), spent + take * item.price)
        take -= 1
      }
    }
  }
}
