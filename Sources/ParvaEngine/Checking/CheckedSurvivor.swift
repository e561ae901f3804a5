/// The least price of a set of instances, of bounded number, that covers a rate without its largest, for ``CertificateChecker``.
///
/// Walks from the largest instance to the smallest: the first ones are those that are lost.
struct CheckedSurvivor {
  private static let stepLimit = 400_000

  private let items: [CheckedCover.Item]
  private let rate: Double
  private let whole: Double
  private let losses: Int
  private let count: Int
  private let most: Int
  private var best = Double.infinity
  private var steps = 0

  /// - Parameters:
  ///   - whole: what all instances carry at least.
  ///   - count: fewest instances.
  ///   - most: most instances; nil without a limit.
  init(_ items: [CheckedCover.Item], rate: Double, whole: Double, losses: Int, count: Int, most: Int?) {
    let useful = items.enumerated().filter { index, item in
      !items.enumerated().contains { other, rival in
        rival.price <= item.price && rival.capacity >= item.capacity
          && (rival.price < item.price || rival.capacity > item.capacity || other < index)
      }
    }.map(\.element)
    self.items = useful.sorted { $0.capacity > $1.capacity }
    self.rate = rate * (1 - 1e-9)
    self.whole = whole * (1 - 1e-9)
    self.losses = losses
    self.count = count
    self.most = most ?? .max
  }

  /// Never more than the true least price: exact unless the number of steps runs out. Infinite where there is nothing to choose from.
  func leastPrice() -> Double {
    var search = self
    search.take(0, number: 0, carried: 0, sum: 0, price: 0)
    guard search.steps >= Self.stepLimit else { return search.best }
    return bound(from: 0, number: 0, carried: 0, sum: 0)
  }

  /// What is to be added to a choice at least.
  private func bound(from index: Int, number: Int, carried: Double, sum: Double) -> Double {
    let rest = items[index...]
    let least = rest.map(\.price).min() ?? .infinity
    let ratio = rest.map { $0.price / $0.capacity }.min() ?? .infinity
    let lost = max(0, losses - number)
    var bound = 0.0
    if rate > carried { bound = (rate - carried) * ratio }
    if lost > 0 { bound += Double(lost) * least }
    if whole > sum { bound = max(bound, (whole - sum) * ratio) }
    if count > number { bound = max(bound, Double(count - number) * least) }
    return bound
  }

  private mutating func take(_ index: Int, number: Int, carried: Double, sum: Double, price: Double) {
    if carried >= rate, sum >= whole, number >= max(count, losses) {
      best = min(best, price)
      return
    }
    guard index < items.count, steps < Self.stepLimit,
      price + bound(from: index, number: number, carried: carried, sum: sum) < best - 1e-12
    else { return }
    let item = items[index]
    let lost = max(0, losses - number)
    func times(_ missing: Double) -> Int { missing > 0 ? Int(min((missing / item.capacity).rounded(.up), 1e9)) : 0 }
    // No smaller instance does with fewer.
    let (forRate, forWhole) = (times(rate - carried), times(whole - sum))
    guard max(lost + forRate, forWhole) <= most - number else { return }
    let enough = max(lost + forRate, forWhole, count - number)
    for taken in stride(from: min(enough, most - number), through: 0, by: -1) {
      guard steps < Self.stepLimit else { return }
      steps += 1
      let carrying = max(0, taken - lost)
      take(
        index + 1, number: number + taken,
        carried: carrying >= forRate
          ? max(carried + Double(carrying) * item.capacity, rate) : carried + Double(carrying) * item.capacity,
        sum: taken >= forWhole ? max(sum + Double(taken) * item.capacity, whole) : sum + Double(taken) * item.capacity,
        price: price + Double(taken) * item.price)
    }
  }
}
