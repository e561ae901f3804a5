import ParvaEngine

/// What both ends of the stream know of what crossed it before: messages tell what differs from that, so that one workload of
/// 100,000 is not sent with all others.
struct PlanningMemory: Sendable {
  /// Those of the newest job.
  var workloads: [Workload] = []
  /// Those of the newest plan that was answered.
  var gpus: [PlannedGPU] = []
}

/// Lists by what sets them apart from one that the reader has: in turns so many values that are told, and so many that are taken
/// from there behind some that are passed over.
extension ByteWriter {
  /// How far values are looked for from where they would stand.
  private static let window = 8

  /// O(values), times the window where nothing is found again.
  mutating func list<Value: Equatable>(
    _ values: [Value], after base: [Value], _ write: (inout ByteWriter, Value) -> Void
  ) {
    count(values.count)
    var (next, old) = (0, 0)
    while next < values.count {
      let first = next
      var start: Int?
      while start == nil, next < values.count {
        let place = old + next - first
        let first = min(max(old, place - Self.window), base.count)
        start = (first..<max(first, min(base.count, place + Self.window))).first { base[$0] == values[next] }
        if start == nil { next += 1 }
      }
      count(next - first)
      for value in values[first..<next] { write(&self, value) }
      let from = start ?? old
      var same = start == nil ? 0 : 1
      while same > 0, next + same < values.count, from + same < base.count, base[from + same] == values[next + same] {
        same += 1
      }
      count(from - old)
      count(same)
      (next, old) = (next + same, from + same)
    }
  }
}

extension ByteReader {
  /// - Parameter size: the least bytes that one value takes where it is told.
  mutating func list<Value>(
    each size: Int = 1, after base: [Value], _ read: (inout ByteReader) throws(Malformed) -> Value
  ) throws(Malformed) -> [Value] {
    let total = try index()
    var values: [Value] = []
    var old = 0
    while values.count < total {
      let told = try count(each: size)
      if values.isEmpty { values.reserveCapacity(min(total, told + base.count)) }
      for _ in 0..<told { values.append(try read(&self)) }
      let (passed, taken) = (try index(), try index())
      guard told + taken > 0, old + passed + taken <= base.count, values.count + taken <= total else {
        throw Malformed(description: "\(taken) values after \(old + passed) of \(base.count)")
      }
      // Whole lists are shared.
      if taken == total { values = taken == base.count ? base : [] }
      if values.count < total { values += base[old + passed..<old + passed + taken] }
      old += passed + taken
    }
    guard values.count == total else { throw Malformed(description: "\(values.count) values instead of \(total)") }
    return values
  }
}
