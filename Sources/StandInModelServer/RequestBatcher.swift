/// One first-in first-out queue before equal model instances, each of which takes at most `limit` of the oldest requests
/// at once when it is free: the batcher that docs/admission.md certifies, without its clock.
///
/// A value that is told what happens and says what to do, so that it can be tested by itself.
struct RequestBatcher<Request: Sendable>: Sendable {
  /// Requests that an instance executes together.
  struct Batch: Sendable {
    var instance: Int
    var requests: [Request]
  }

  let limit: Int
  private var waiting: [Request] = []
  /// Instances that execute nothing, the one that has done so longest first.
  private var free: [Int]
  /// Requests in batches that have begun and not ended.
  private(set) var executing = 0

  /// - Parameters: both at least 1.
  init(limit: Int, instances: Int) {
    self.limit = limit
    free = Array(0..<instances)
  }

  var waitingCount: Int { waiting.count }
  /// Requests that have come and were not answered.
  var inFlight: Int { waiting.count + executing }

  /// A request comes; the batch that begins with it, if an instance was free.
  mutating func arrive(_ request: Request) -> Batch? {
    waiting.append(request)
    return begin()
  }

  /// A batch has been executed; the one that its instance begins next, if requests wait.
  mutating func end(_ batch: Batch) -> Batch? {
    executing -= batch.requests.count
    free.append(batch.instance)
    return begin()
  }

  /// O(waiting).
  private mutating func begin() -> Batch? {
    guard !waiting.isEmpty, !free.isEmpty else { return nil }
    let requests = Array(waiting.prefix(limit))
    waiting.removeFirst(requests.count)
    executing += requests.count
    return Batch(instance: free.removeFirst(), requests: requests)
  }
}
