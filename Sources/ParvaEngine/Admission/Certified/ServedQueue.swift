/// The queue of a segment with the processes that serve it; times are in the unit of its stream of arrivals.
///
/// Each batch waits for what the one before it left, so a queue alone keeps a core waiting; up to four are served
/// side by side, which takes hardly longer than one.
struct ServedQueue {
  /// A batch whose oldest request takes at least ``threshold``.
  struct LateBatch {
    var first: Int
    /// The first arrival after it.
    var end: Int
    var done: Double
  }

  /// What does not change while batches are served.
  private struct Terms {
    var limit: Int
    /// Arrivals of the run: those that the stream may have beyond them are not looked at.
    var total: Int
    /// Sixteens after that of a batch's first request in which its last may be.
    var reach: Int
    /// The sixteen of the last arrival.
    var lastMark: Int
    var end: Int
    var threshold: Double
  }

  /// Batches served before whoever waits for a queue looks at it again.
  private static let stretch = 512

  private let stream: UnitStream
  /// Of batches of 1 to the limit.
  private let execution: [Double]
  /// By process: when it ends its batch.
  private var freeAt: [Double]
  private var terms: Terms
  /// The first arrival not served.
  private(set) var head = 0
  private var late = [LateBatch](repeating: LateBatch(first: 0, end: 0, done: 0), count: stretch + 1)
  private var lateCount = 0

  init(_ arrivals: UnitArrivals, execution: [Double], freeAt: [Double]) {
    stream = arrivals.stream
    self.execution = execution
    self.freeAt = freeAt
    let total = arrivals.warmup + arrivals.judged
    terms = Terms(
      limit: execution.count, total: total, reach: (execution.count + 14) >> 4, lastMark: (total - 1) >> 4, end: 0,
      threshold: .infinity)
  }

  /// Whether the batch that would begin with ``stop(at:threshold:)``'s arrival is next.
  var isThere: Bool { head >= terms.end }

  /// Serves from now on until the batch that would begin with arrival `end`, and notes batches that are late.
  mutating func stop(at end: Int, threshold: Double) {
    terms.end = end
    terms.threshold = threshold
  }

  /// The batches noted since it was last asked, with what each of their requests that is late took.
  ///
  /// - Parameter body: answers from which time on requests are late that come after.
  @inline(__always)
  mutating func eachLate(_ body: (_ sojourn: Double) -> Double) {
    let (stream, late, count) = (stream, late, lateCount)
    lateCount = 0
    let (marks, offsets) = (stream.marks.span, stream.offsets.span)
    var threshold = terms.threshold
    for number in 0..<count {
      let batch = late[number]
      var request = batch.first
      while request < batch.end {
        let sojourn = batch.done - (marks[request >> 4] + Double(offsets[request]))
        if sojourn < threshold { break }
        threshold = body(sojourn)
        request += 1
      }
    }
  }

  /// Serves a stretch, or until it is there.
  static func serve(_ a: inout ServedQueue) {
    let (streamA, timesA, termsA) = (a.stream, a.execution, a.terms)
    let (marksA, offsetsA, executionA) = (streamA.marks.span, streamA.offsets.span, timesA.span)
    var (freeAtA, lateA, headA, countA) = (a.lendFreeAt(), a.lendLate(), a.head, 0)
    var freeA = freeAtA.mutableSpan
    var notesA = lateA.mutableSpan
    var left = stretch
    while headA < termsA.end, left > 0 {
      headA = batch(headA, marksA, offsetsA, executionA, &freeA, &notesA, &countA, termsA)
      left -= 1
    }
    a.takeBack(freeAtA, lateA, head: headA, count: countA)
  }

  /// Serves two side by side until one is there, or for a stretch.
  static func serve(_ a: inout ServedQueue, _ b: inout ServedQueue) {
    let (streamA, timesA, termsA) = (a.stream, a.execution, a.terms)
    let (streamB, timesB, termsB) = (b.stream, b.execution, b.terms)
    let (marksA, offsetsA, executionA) = (streamA.marks.span, streamA.offsets.span, timesA.span)
    let (marksB, offsetsB, executionB) = (streamB.marks.span, streamB.offsets.span, timesB.span)
    var (freeAtA, lateA, headA, countA) = (a.lendFreeAt(), a.lendLate(), a.head, 0)
    var (freeAtB, lateB, headB, countB) = (b.lendFreeAt(), b.lendLate(), b.head, 0)
    var freeA = freeAtA.mutableSpan
    var notesA = lateA.mutableSpan
    var freeB = freeAtB.mutableSpan
    var notesB = lateB.mutableSpan
    var left = stretch
    while headA < termsA.end, headB < termsB.end, left > 0 {
      headA = batch(headA, marksA, offsetsA, executionA, &freeA, &notesA, &countA, termsA)
      headB = batch(headB, marksB, offsetsB, executionB, &freeB, &notesB, &countB, termsB)
      left -= 1
    }
    a.takeBack(freeAtA, lateA, head: headA, count: countA)
    b.takeBack(freeAtB, lateB, head: headB, count: countB)
  }

  /// Serves four side by side until one is there, or for a stretch.
  static func serve(_ a: inout ServedQueue, _ b: inout ServedQueue, _ c: inout ServedQueue, _ d: inout ServedQueue) {
    let (streamA, timesA, termsA) = (a.stream, a.execution, a.terms)
    let (streamB, timesB, termsB) = (b.stream, b.execution, b.terms)
    let (streamC, timesC, termsC) = (c.stream, c.execution, c.terms)
    let (streamD, timesD, termsD) = (d.stream, d.execution, d.terms)
    let (marksA, offsetsA, executionA) = (streamA.marks.span, streamA.offsets.span, timesA.span)
    let (marksB, offsetsB, executionB) = (streamB.marks.span, streamB.offsets.span, timesB.span)
    let (marksC, offsetsC, executionC) = (streamC.marks.span, streamC.offsets.span, timesC.span)
    let (marksD, offsetsD, executionD) = (streamD.marks.span, streamD.offsets.span, timesD.span)
    var (freeAtA, lateA, headA, countA) = (a.lendFreeAt(), a.lendLate(), a.head, 0)
    var (freeAtB, lateB, headB, countB) = (b.lendFreeAt(), b.lendLate(), b.head, 0)
    var (freeAtC, lateC, headC, countC) = (c.lendFreeAt(), c.lendLate(), c.head, 0)
    var (freeAtD, lateD, headD, countD) = (d.lendFreeAt(), d.lendLate(), d.head, 0)
    var freeA = freeAtA.mutableSpan
    var notesA = lateA.mutableSpan
    var freeB = freeAtB.mutableSpan
    var notesB = lateB.mutableSpan
    var freeC = freeAtC.mutableSpan
    var notesC = lateC.mutableSpan
    var freeD = freeAtD.mutableSpan
    var notesD = lateD.mutableSpan
    var left = stretch
    while headA < termsA.end, headB < termsB.end, headC < termsC.end, headD < termsD.end, left > 0 {
      headA = batch(headA, marksA, offsetsA, executionA, &freeA, &notesA, &countA, termsA)
      headB = batch(headB, marksB, offsetsB, executionB, &freeB, &notesB, &countB, termsB)
      headC = batch(headC, marksC, offsetsC, executionC, &freeC, &notesC, &countC, termsC)
      headD = batch(headD, marksD, offsetsD, executionD, &freeD, &notesD, &countD, termsD)
      left -= 1
    }
    a.takeBack(freeAtA, lateA, head: headA, count: countA)
    b.takeBack(freeAtB, lateB, head: headB, count: countB)
    c.takeBack(freeAtC, lateC, head: headC, count: countC)
    d.takeBack(freeAtD, lateD, head: headD, count: countD)
  }

  /// Takes it out, so that it is changed in place.
  private mutating func lendFreeAt() -> [Double] {
    defer { freeAt = [] }
    return freeAt
  }

  private mutating func lendLate() -> [LateBatch] {
    defer { late = [] }
    return late
  }

  private mutating func takeBack(_ freeAt: [Double], _ late: [LateBatch], head: Int, count: Int) {
    (self.freeAt, self.late, self.head, lateCount) = (freeAt, late, head, count)
  }

  /// Serves the batch that begins with arrival `head` and answers the first after it. O(limit / 16), without a branch on
  /// what is found.
  @inline(__always)
  private static func batch(
    _ head: Int, _ marks: Span<Double>, _ offsets: Span<Float>, _ execution: Span<Double>,
    _ free: inout MutableSpan<Double>, _ notes: inout MutableSpan<LateBatch>, _ count: inout Int, _ terms: Terms
  ) -> Int {
    var process = 0
    var start = free[0]
    for other in 1..<max(1, free.count) {
      process = free[other] < start ? other : process
      start = min(free[other], start)
    }
    let first = head >> 4
    let arrival = marks[first] + Double(offsets[head])
    start = max(start, arrival)
    let last = min(head + terms.limit, terms.total)
    // Who came last of those that wait: first the sixteen it is among, then itself.
    var sixteen = first
    var next = 1
    while next <= min(terms.reach, terms.lastMark - first) {
      sixteen &+= start >= marks[first + next] ? 1 : 0
      next += 1
    }
    sixteen = min(sixteen, (last - 1) >> 4)
    let came = offsets.sixteen(sixteen, notAfter: start - marks[sixteen])
    let end = max(head + 1, min(16 * sixteen + came, last))
    let done = start + execution[end - head - 1]
    free[process] = done
    notes[count] = LateBatch(first: head, end: end, done: done)
    count += done - arrival >= terms.threshold ? 1 : 0
    return end
  }
}

extension Span<Float> {
  /// How many of a sixteen of ascending times are not after `time`, which is at least 0.
  @inline(__always)
  fileprivate func sixteen(_ number: Int, notAfter time: Double) -> Int {
    let times = bytes.unsafeLoadUnaligned(fromByteOffset: 64 * number, as: SIMD16<Float>.self)
    // Rounded down, as they are.
    let now = SIMD16(repeating: Float(Double(bitPattern: time.bitPattern & ~0x1fff_ffff)))
    let ones = SIMD16<Int32>.zero.replacing(with: .one, where: times .<= now)
    return Int(ones.wrappedSum())
  }
}
