import Glibc

/// What goes over the socket: a kind, a length and so many bytes.
enum WorkerFrame {
  enum Kind: UInt8 {
    /// To the process; they hold until the next of their kind.
    case profiles = 1
    case traces = 2
    /// To the process; it answers with one of the others.
    case job = 3
    case plan = 4
    case refused = 5
    /// To a process that has had no job yet: what others have found out.
    case capacities = 6
  }

  static let headBytes = 9
  /// More than a plan for a million workloads takes.
  static let limit = 1 << 31

  static func head(_ kind: Kind, _ length: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(length).littleEndian) { [kind.rawValue] + Array($0) }
  }

  /// Nil where it is none.
  static func parse(head: some RandomAccessCollection<UInt8>) -> (kind: Kind, length: Int)? {
    guard head.count == headBytes, let first = head.first, let kind = Kind(rawValue: first) else { return nil }
    let length = head.dropFirst().reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return length <= limit ? (kind, Int(length)) : nil
  }
}
