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

  /// O(bytes of both) time and memory for their pieces.
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

  private static func addMiddle(_ baseRange: Range<Int>, _ targetRange: Range<Int>, _ runs: inout Runs) {
    guard !targetRange.isEmpty else { return }
    let base = pieces(of: runs.base, in: baseRange)
    var places: [UInt64: Int] = [:]
    places.reserveCapacity(base.count)
    for (index, piece) in base.enumerated() where piece.count >= shortPiece {
      let key = hash(runs.base[piece])
      if places[key] == nil { places[key] = index }
    }
    // The piece of the base that would go on with the copy before.
    var next = base.endIndex
    for piece in pieces(of: runs.target, in: targetRange) {
      if next < base.endIndex, isEqual(runs.base[base[next]], runs.target[piece]) {
        runs.copy(base[next].lowerBound, piece.count)
        next += 1
      } else if piece.count >= shortPiece, let found = places[hash(runs.target[piece])],
        isEqual(runs.base[base[found]], runs.target[piece])
      {
        runs.copy(base[found].lowerBound, piece.count)
        next = found + 1
      } else {
        runs.tell(piece)
        // The next piece may be the one after the changed one.
        if next < base.endIndex { next += 1 }
      }
    }
  }

  private static func pieces(of bytes: UnsafeRawBufferPointer, in range: Range<Int>) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var start = range.lowerBound
    for index in range where bytes[index] == 0x0a || bytes[index] == 0x7d {
      pieces.append(start..<index + 1)
      start = index + 1
    }
    if start < range.upperBound { pieces.append(start..<range.upperBound) }
    return pieces
  }

  private static func commonPrefix(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let most = min(a.count, b.count)
    var length = 0
    while length < most, a[length] == b[length] { length += 1 }
    return length
  }

  private static func commonSuffix(
    _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer, after prefix: Int
  ) -> Int {
    let most = min(a.count, b.count) - prefix
    var length = 0
    while length < most, a[a.count - 1 - length] == b[b.count - 1 - length] { length += 1 }
    return length
  }

  private static func isEqual(_ a: Slice<UnsafeRawBufferPointer>, _ b: Slice<UnsafeRawBufferPointer>) -> Bool {
    guard a.count == b.count else { return false }
    let (x, y) = (UnsafeRawBufferPointer(rebasing: a), UnsafeRawBufferPointer(rebasing: b))
    guard let p = x.baseAddress, let q = y.baseAddress else { return true }
    return memcmp(p, q, x.count) == 0
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

  private static func hash(_ bytes: some Sequence<UInt8>) -> UInt64 {
    var hash = StableHash()
    hash.add(bytes)
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
