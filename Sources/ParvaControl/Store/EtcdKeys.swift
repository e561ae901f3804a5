import Foundation

/// Where everything stands in etcd, below one prefix, and how an entry of the log is written.
struct EtcdKeys: Sendable {
  let prefix: String

  var leader: String { "\(prefix)/leader" }
  /// Says which snapshot is the newest whole one.
  var snapshot: String { "\(prefix)/snapshot" }

  /// The newest schema that a leader has written by, as digits.
  var schema: String { "\(prefix)/schema" }

  /// A record of each replica that takes part, under a lease of its own.
  func member(_ id: String) -> String { members.from + id }
  var members: (from: String, to: String) { ("\(prefix)/replicas/", "\(prefix)/replicas0") }

  /// Is written to see whether anything can be.
  var probe: String { "\(prefix)/probe" }

  /// Numbers have twenty digits, so that keys are in their order.
  private static func digits(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 20 - text.count)) + text
  }

  func entry(_ position: Int) -> String { "\(prefix)/log/\(Self.digits(position))" }
  var afterEntries: String { "\(prefix)/log0" }

  /// The parts of one entry or snapshot that is too large for one value; `kind` is `part` or `snap`.
  func parts(_ kind: String, _ position: Int, _ nonce: UInt64 = 0) -> String {
    "\(prefix)/\(kind)/\(Self.digits(position))/\(nonce)/"
  }

  func part(_ kind: String, _ position: Int, _ nonce: UInt64, _ index: Int) -> String {
    parts(kind, position, nonce) + Self.digits(index)
  }

  /// What all parts of one entry or snapshot lie between.
  func allParts(_ kind: String, _ position: Int, _ nonce: UInt64) -> (from: String, to: String) {
    let from = parts(kind, position, nonce)
    return (from, from.dropLast() + "0")
  }

  /// What all snapshots lie between.
  var snapshots: (from: String, to: String) { ("\(prefix)/snap/", "\(prefix)/snap0") }

  /// What all parts of a kind up to a position, without it, lie between.
  func partsBefore(_ kind: String, _ position: Int) -> (from: String, to: String) {
    ("\(prefix)/\(kind)/", "\(prefix)/\(kind)/\(Self.digits(position))")
  }

  func position(ofSnapshot key: Data) -> Int? {
    String(data: key.dropFirst(snapshots.from.utf8.count), encoding: .utf8)?.split(separator: "/").first
      .flatMap { Int($0) }
  }

  func position(ofEntry key: Data) -> Int? {
    String(data: key, encoding: .utf8)?.split(separator: "/").last.flatMap { Int($0) }
  }
}

/// The value of an entry, or of the pointer to a snapshot: whose it is, and its bytes or in how many parts they stand.
struct EtcdEntry: Sendable {
  /// What one value holds at most; a request may have 1.5 MiB, a third of which base64 adds elsewhere.
  static let mostBytes = 512 << 10

  var nonce: UInt64
  var parts: Int
  /// Of a snapshot: what it holds. Of an entry: its number, as its key says it; 0 where an older version wrote it. The leader's key
  /// has none.
  var position = 0
  var bytes = Data()

  var value: Data {
    var value = Data()
    for number in [nonce, UInt64(parts), UInt64(position)] {
      withUnsafeBytes(of: number.bigEndian) { value.append(contentsOf: $0) }
    }
    return value + bytes
  }

  init(nonce: UInt64, parts: Int = 0, position: Int = 0, bytes: Data = Data()) {
    (self.nonce, self.parts, self.position, self.bytes) = (nonce, parts, position, bytes)
  }

  init(_ value: Data?, _ what: String) throws(StoreError) {
    guard let value, value.count >= 24 else {
      throw StoreError(.corrupt, "\(what) of the store in etcd cannot be read: it is too short.")
    }
    let numbers = (0..<3).map { index in
      value.dropFirst(index * 8).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }
    guard numbers[1] < 1 << 20, numbers[2] < 1 << 60 else {
      throw StoreError(.corrupt, "\(what) of the store in etcd cannot be read: its numbers are none of ours.")
    }
    self.init(
      nonce: numbers[0], parts: Int(numbers[1]), position: Int(numbers[2]), bytes: Data(value.dropFirst(24)))
  }
}
