import Foundation
import Synchronization

/// What a stream of `/v3/watch` says: a JSON text a line (etcd 3.4, `api/etcdserverpb`, WatchResponse).
struct EtcdWatch: Decodable, Sendable {
  struct Event: Decodable, Sendable {
    /// Absent where a key was put.
    var type: String?
    var kv: EtcdClient.KeyValue

    var isDelete: Bool { type == "DELETE" }
    var revision: Int? { kv.modRevision.flatMap { Int($0) } }
  }

  struct Result: Decodable, Sendable {
    var created: Bool?
    var canceled: Bool?
    /// What is asked for is forgotten up to here.
    var compactRevision: String?
    var cancelReason: String?
    var events: [Event]?
  }

  struct Fault: Decodable, Sendable { var message: String? }

  var result: Result?
  var error: Fault?

  /// Nil for what is no line of etcd's.
  init?(_ line: Data) {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let read = try? decoder.decode(Self.self, from: line), read.result != nil || read.error != nil else {
      return nil
    }
    self = read
  }

  /// Cuts what comes in pieces into lines. Bytes that nobody has taken yet are bounded.
  final class Lines: Sendable {
    private struct State {
      var rest = Data()
      var waiting = 0
    }

    /// Whoever is that far behind reads the log by pages.
    static let mostBytes = 64 << 20

    let stream: AsyncStream<Data>
    private let continuation: AsyncStream<Data>.Continuation
    private let state = Mutex(State())

    init() { (stream, continuation) = AsyncStream.makeStream(of: Data.self) }

    /// False where there is too much. O(bytes).
    func add(_ piece: Data) -> Bool {
      let lines = state.withLock { state -> [Data]? in
        state.waiting += piece.count
        guard state.waiting <= Self.mostBytes else { return nil }
        var lines: [Data] = []
        var from = piece.startIndex
        while let end = piece[from...].firstIndex(of: UInt8(ascii: "\n")) {
          state.rest.append(piece[from..<end])
          if state.rest.isEmpty { state.waiting -= 1 } else { lines.append(state.rest) }
          state.rest = Data()
          from = end + 1
        }
        state.rest.append(piece[from...])
        return lines
      }
      guard let lines else { return false }
      for line in lines { continuation.yield(line) }
      return true
    }

    func taken(_ line: Data) { state.withLock { $0.waiting -= line.count + 1 } }
    func end() { continuation.finish() }
  }
}
