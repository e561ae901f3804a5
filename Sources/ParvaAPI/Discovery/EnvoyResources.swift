import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import Synchronization

/// The answers to all Envoys at one version of the endpoints: each made once, whoever asks how often.
final class EnvoyResources: Sendable {
  /// A DiscoveryResponse.
  struct Answer: Sendable {
    let version: String
    let body: Data
  }

  /// One resource with the digest of its bytes.
  private struct Piece: Sendable {
    var bytes: Data
    var digest: String

    init(_ value: JSONValue) {
      // Numbers are finite and keys are text: it can be written.
      bytes = (try? WireWriter.json(value)) ?? Data("{}".utf8)
      digest = StableHash.digits(of: bytes)
    }
  }

  private let table: EndpointTable
  private let pieces: [String: Piece]
  private let routes: Answer
  private let clusters: Answer
  /// By names asked for, joined; bounded, because names come from outside.
  private let joined = Mutex(BoundedCache<String, Answer>(bytes: 64 << 20))

  /// - Parameter before: what is equal there is taken over. O(what differs), beside looking at all.
  init(_ table: EndpointTable, after before: EnvoyResources?) {
    self.table = table
    var pieces: [String: Piece] = [:]
    for workload in table.workloads {
      let (new, old) = (table[workload], before?.table[workload] ?? [])
      let isSame = new.count == old.count && zip(new, old).allSatisfy { $0.isSame(as: $1) }
      if isSame, let piece = before?.pieces[workload] {
        pieces[workload] = piece
      } else {
        pieces[workload] = Piece(EnvoyShapes.endpoints(workload, new))
      }
    }
    self.pieces = pieces
    routes = Self.answer(.routes, [Piece(EnvoyShapes.routes(table.workloads))])
    clusters = Self.answer(.clusters, table.workloads.map { Piece(EnvoyShapes.cluster($0, table[$0])) })
  }

  var version: String { table.version }

  func answer(_ type: EnvoyType, _ request: DiscoveryRequest) -> Answer {
    switch type {
    case .routes: routes
    case .clusters: clusters
    case .endpoints: endpoints(request.names)
    case .listeners:
      Self.answer(.listeners, [Piece(Self.listener(request))])
    }
  }

  private static func listener(_ request: DiscoveryRequest) -> JSONValue {
    guard case .object(var listener) = EnvoyShapes.listener(request.listenAddress, request.listenPort) else {
      return .null
    }
    listener["@type"] = .string(EnvoyType.listeners.url)
    return .object(listener)
  }

  private func endpoints(_ names: [String]) -> Answer {
    let key = names.joined(separator: "\n")
    return joined.withLock { joined in
      if let known = joined[key] { return known }
      let prefix = EnvoyShapes.clusterName("")
      let answer = Self.answer(
        .endpoints,
        names.map { name in
          let workload = name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : ""
          // A cluster that is no longer there has no endpoints, so that whoever holds it yet stops asking them.
          return pieces[workload] ?? Piece(EnvoyShapes.endpoints(workload, []))
        })
      joined.keep(answer, for: key, bytes: key.utf8.count + answer.body.count)
      return answer
    }
  }

  private static func answer(_ type: EnvoyType, _ pieces: [Piece]) -> Answer {
    let version = StableHash.digits(of: Data(pieces.map(\.digest).joined().utf8))
    var body = Data(
      #"{"version_info":"\#(version)","nonce":"\#(version)","type_url":"\#(type.url)","resources":["#.utf8)
    for (index, piece) in pieces.enumerated() {
      if index > 0 { body.append(UInt8(ascii: ",")) }
      body.append(piece.bytes)
    }
    body.append(contentsOf: "]}".utf8)
    return Answer(version: version, body: body)
  }
}
