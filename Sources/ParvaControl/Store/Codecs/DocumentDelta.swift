import Foundation
import ParvaEngine

/// What makes one document out of another that is nearly the same, such as two plans in a row.
///
/// Documents are cut behind each line feed and each closing brace, so that a segment or a GPU is a piece. The format:
/// length and hash of the result, then runs, each a number with its kind in the lowest bit. 0: so many bytes follow;
/// 1: so many bytes of the base, from an offset that follows as its distance from the end of the run before.
enum DocumentDelta {
  /// Pieces shorter than this are told, unless they go on with a copy: a copy costs about as much.
  private static let shortPiece = 16

  // MARK: - Making

  /// O(bytes of both) time; memory for the pieces of the base where they are looked through.
  static func make(from base: Data, to target: Data) -> Data {
    var writer = NumberWriter()
    writer.add(UInt64(target.count))
    writer.add(fixed: hash(target))
    base.withUnsafeBytes { base in
      target.withUnsafeBytes { target in
        let head = commonPrefix(base, target)
        let tail = commonSuffix(base, target, after: head)
        var runs = Runs(base: base, target: target)
        runs.copy(0, head)
        addMiddle(head..<(base.count - tail), head..<(target.count - tail), &runs)
        runs.copy(base.count - tail, tail)
        runs.finish(&writer)
      }
    }
    return writer.data
  }

  /// Goes through both in step, whole pieces at a time. Where they part, the next pieces of both are looked through for where
  /// they go on together; only where they do not, all pieces of the base are.
  private static func addMiddle(_ baseRange: Range<Int>, _ targetRange: Range<Int>, _ runs: inout Runs) {
    var (old, new) = (baseRange.lowerBound, targetRange.lowerBound)
    // A small target is told rather than looked for in a large base.
    var places: [UInt64: Int]? = targetRange.count < baseRange.count / 16 ? [:] : nil
    while new < targetRange.upperBound {
      let same = wholePieces(old..<baseRange.upperBound, new..<targetRange.upperBound, runs)
      if same > 0 {
        runs.copy(old, same)
        (old, new) = (old + same, new + same)
        continue
      }
      if let (nextOld, nextNew) = meeting(old..<baseRange.upperBound, new..<targetRange.upperBound, runs) {
        if nextNew > new { runs.tell(new..<nextNew) }
        (old, new) = (nextOld, nextNew)
        continue
      }
      let known = places ?? Self.places(of: runs.base, in: baseRange)
      places = known
      let piece = nextPiece(of: runs.target, from: new, to: targetRange.upperBound)
      if piece.count >= shortPiece, let found = known[hash(runs.target[piece])],
        isEqual(runs.base, found..<min(found + piece.count, baseRange.upperBound), runs.target, piece)
      {
        old = found
      } else {
        runs.tell(piece)
        // The next piece may be the one after the changed one.
        (old, new) = (nextPiece(of: runs.base, from: old, to: baseRange.upperBound).upperBound, piece.upperBound)
      }
    }
  }

  /// How many pieces are looked through where both part: as many as a segment has about it, then as many as a GPU.
  private static let windows = [8, 64]

  /// Where both go on together after some pieces of either.
  private static func meeting(_ old: Range<Int>, _ new: Range<Int>, _ runs: Runs) -> (old: Int, new: Int)? {
    for window in windows {
      let before = nextPieces(of: runs.base, old, window)
      let after = nextPieces(of: runs.target, new, window)
      if let (i, j) = meeting(before, after, runs) { return (before[i].lowerBound, after[j].lowerBound) }
    }
    return nil
  }

  private static func nextPieces(
    of bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ window: Int
  ) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var start = range.lowerBound
    while start < range.upperBound, pieces.count < window {
      let piece = nextPiece(of: bytes, from: start, to: range.upperBound)
      pieces.append(piece)
      start = piece.upperBound
    }
    return pieces
  }

  /// The nearest pieces that are the same, and long enough to say something.
  private static func meeting(_ old: [Range<Int>], _ new: [Range<Int>], _ runs: Runs) -> (Int, Int)? {
    for sum in 0..<(old.count + new.count) {
      for j in max(0, sum - old.count + 1)..<min(new.count, sum + 1)
      where new[j].count >= shortPiece && isEqual(runs.base, old[sum - j], runs.target, new[j]) {
        return (sum - j, j)
      }
    }
    return nil
  }

  /// Bytes in which both go on alike, up to the end of a piece. O(those).
  private static func wholePieces(_ old: Range<Int>, _ new: Range<Int>, _ runs: Runs) -> Int {
    let (base, target) = (
      UnsafeRawBufferPointer(rebasing: runs.base[old]), UnsafeRawBufferPointer(rebasing: runs.target[new])
    )
    var length = commonPrefix(base, target)
    guard length < target.count else { return length }
    while length > 0, !isEnd(target[length - 1]) { length -= 1 }
    return length
  }

  /// Where each piece of a document begins, by its hash. O(bytes).
  private static func places(of bytes: UnsafeRawBufferPointer, in range: Range<Int>) -> [UInt64: Int] {
    var places: [UInt64: Int] = [:]
    var start = range.lowerBound
    while start < range.upperBound {
      let piece = nextPiece(of: bytes, from: start, to: range.upperBound)
      if piece.count >= shortPiece {
        let key = hash(bytes[piece])
        if places[key] == nil { places[key] = start }
      }
      start = piece.upperBound
    }
    return places
  }

  /// The piece that begins at `start`; empty at the end.
  private static func nextPiece(of bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Range<Int> {
    var next = start
    while next < end {
      next += 1
      if isEnd(bytes[next - 1]) { break }
    }
    return start..<next
  }

  /// Pieces end with a line or with an object.
  private static func isEnd(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x7d }

  private static func commonPrefix(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let most = min(a.count, b.count)
    var length = 0
    while length + 8 <= most,
      a.loadUnaligned(fromByteOffset: length, as: UInt64.self)
        == b.loadUnaligned(fromByteOffset: length, as: UInt64.self)
    { length += 8 }
    while length < most, a[length] == b[length] { length += 1 }
    return length
  }

  private static func commonSuffix(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, after prefix: Int
  ) -> Int {
    let most = min(a.count, b.count) - prefix
    var length = 0
    while length + 8 <= most,
      a.loadUnaligned(fromByteOffset: a.count - length - 8, as: UInt64.self)
        == b.loadUnaligned(fromByteOffset: b.count - length - 8, as: UInt64.self)
    { length += 8 }
    while length < most, a[a.count - 1 - length] == b[b.count - 1 - length] { length += 1 }
    return length
  }

  private static func isEqual(
    _ a: UnsafeRawBufferPointer, _ x: Range<Int>, _ b: UnsafeRawBufferPointer, _ y: Range<Int>
  ) -> Bool {
    guard x.count == y.count else { return false }
    guard !x.isEmpty, let p = a.baseAddress, let q = b.baseAddress else { return true }
    return memcmp(p + x.lowerBound, q + y.lowerBound, x.count) == 0
  }

  /// What is told and copied, neighbours joined.
  private struct Runs {
    let base: UnsafeRawBufferPointer
    let target: UnsafeRawBufferPointer
    private var writer = NumberWriter()
    private var told: Range<Int>?
    private var copied: Range<Int>?
    private var lastEnd = 0

    init(base: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer) {
      self.base = base
      self.target = target
    }

    mutating func copy(_ offset: Int, _ length: Int) {
      guard length > 0 else { return }
      if let before = copied, before.upperBound == offset {
        copied = before.lowerBound..<offset + length
      } else {
        flush()
        copied = offset..<offset + length
      }
    }

    mutating func tell(_ piece: Range<Int>) {
      if let before = told, before.upperBound == piece.lowerBound {
        told = before.lowerBound..<piece.upperBound
      } else {
        flush()
        told = piece
      }
    }

    private mutating func flush() {
      if let told {
        writer.add(UInt64(told.count) << 1)
        writer.add(target[told])
      }
      if let copied {
        writer.add(UInt64(copied.count) << 1 | 1)
        writer.add(signed: copied.lowerBound - lastEnd)
        lastEnd = copied.upperBound
      }
      told = nil
      copied = nil
    }

    mutating func finish(_ whole: inout NumberWriter) {
      flush()
      whole.add(writer.data)
    }
  }

  // MARK: - Applying

  /// The document that `delta` was made for; nil where it was not made from this base, or is damaged. O(bytes).
  static func apply(_ delta: Data, to base: Data) -> Data? {
    var reader = NumberReader(delta)
    guard let count = reader.number(), count <= UInt64(Int32.max), let wanted = reader.fixed() else { return nil }
    var result = Data(capacity: Int(count))
    var lastEnd = 0
    while let run = reader.number() {
      let length = Int(run >> 1)
      guard length <= Int(count) - result.count else { return nil }
      if run & 1 == 0 {
        guard let told = reader.bytes(length) else { return nil }
        result.append(told)
      } else {
        guard let distance = reader.signed() else { return nil }
        let (start, overflows) = lastEnd.addingReportingOverflow(distance)
        guard !overflows, start >= 0, start <= base.count - length else { return nil }
        result.append(base[base.startIndex + start..<base.startIndex + start + length])
        lastEnd = start + length
      }
    }
    return reader.isAtEnd && result.count == Int(count) && hash(result) == wanted ? result : nil
  }

  private static func hash(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt64 {
    var hash = StableHash()
    hash.add(UnsafeRawBufferPointer(rebasing: bytes))
    return hash.value
  }

  private static func hash(_ data: Data) -> UInt64 { data.withUnsafeBytes { hash($0[...]) } }
}

/// Numbers in as few bytes as they need, seven bits each, the lowest first.
private struct NumberWriter {
  private(set) var data = Data()

  mutating func add(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      data.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    data.append(UInt8(rest))
  }

  /// Small numbers of either sign are short.
  mutating func add(signed number: Int) { add(UInt64(bitPattern: Int64(number) << 1 ^ Int64(number) >> 63)) }

  mutating func add(fixed number: UInt64) { withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) } }

  mutating func add(_ bytes: some Sequence<UInt8>) { data.append(contentsOf: bytes) }
}

private struct NumberReader {
  private let data: Data
  private var at: Data.Index

  init(_ data: Data) {
    self.data = data
    at = data.startIndex
  }

  var isAtEnd: Bool { at == data.endIndex }

  /// Nil at the end, and for what is no number.
  mutating func number() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    var place = at
    while place < data.endIndex, shift < 64 {
      let byte = data[place]
      place += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 {
        at = place
        return value
      }
      shift += 7
    }
    return nil
  }

  mutating func signed() -> Int? {
    number().map { Int(Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1)) }
  }

  mutating func fixed() -> UInt64? {
    bytes(8).map { $0.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
  }

  mutating func bytes(_ count: Int) -> Data? {
    guard count <= data.endIndex - at else { return nil }
    defer { at += count }
    return data[at..<at + count]
  }
}
