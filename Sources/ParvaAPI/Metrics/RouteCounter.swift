import ParvaServing
import Synchronization

/// What one route has answered: counts by status, and times.
final class RouteCounter: Sendable {
  struct Totals: Sendable {
    /// Few statuses occur on one route, so a list is searched faster than a table.
    var statuses: [(status: Int, count: Int)] = []
    var durations = Histogram(bounds: [0.0001, 0.001, 0.01, 0.1, 1, 10])
  }

  let method: String
  let route: String
  private let state = Mutex(Totals())

  init(method: String, route: String) {
    self.method = method
    self.route = route
  }

  var totals: Totals { state.withLock { $0 } }

  func add(_ status: Int, in elapsed: Duration) {
    state.withLock { totals in
      if let index = totals.statuses.firstIndex(where: { $0.status == status }) {
        totals.statuses[index].count += 1
      } else {
        totals.statuses.append((status, 1))
        totals.statuses.sort { $0.status < $1.status }
      }
      totals.durations.add(elapsed.seconds)
    }
  }
}
