import Foundation
import ParvaHTTP

/// How plans are kept: the newest whole, every older one as what makes it out of the one after it, all compressed.
///
/// So the newest is read at once, a plan that changes little adds little, and the oldest can go without a look at
/// another.
enum PlanCodec {
  /// A document with its node assignments as a store keeps them.
  struct Packed: Hashable, Sendable {
    enum Form: Int, Hashable, Sendable {
      /// As they are; stores of older versions hold such.
      case plain = 0
      case whole = 1
      /// Differences from the next newer plan that is kept.
      case difference = 2
    }

    var form: Form
    var document: Data
    var assignments: Data

    var byteCount: Int { document.count + assignments.count }
  }

  struct Documents: Hashable, Sendable {
    var document: Data
    var assignments: Data
  }

  // MARK: - Packing

  /// O(bytes).
  static func whole(_ documents: Documents) throws(StoreError) -> Packed {
    Packed(
      form: .whole, document: try compressed(documents.document), assignments: try compressed(documents.assignments))
  }

  /// O(bytes).
  static func difference(of documents: Documents, from newer: Documents) throws(StoreError) -> Packed {
    Packed(
      form: .difference,
      document: try compressed(DocumentDelta.make(from: newer.document, to: documents.document)),
      assignments: try compressed(DocumentDelta.make(from: newer.assignments, to: documents.assignments)))
  }

  // MARK: - Unpacking

  /// - Parameter chain: the plan, and the newer ones that it needs in order, the last of them not a difference.
  /// - Throws: `store_corrupt`, naming `revision`.
  static func documents(_ chain: [Packed], revision: Int) throws(StoreError) -> Documents {
    var newer: Documents?
    for packed in chain.reversed() {
      let unpacked: Documents?
      switch packed.form {
      case .plain: unpacked = Documents(document: packed.document, assignments: packed.assignments)
      case .whole: unpacked = expanded(packed)
      case .difference:
        unpacked = newer.flatMap { newer in
          guard let deltas = expanded(packed), let document = DocumentDelta.apply(deltas.document, to: newer.document),
            let assignments = DocumentDelta.apply(deltas.assignments, to: newer.assignments)
          else { return nil }
          return Documents(document: document, assignments: assignments)
        }
      }
      guard let unpacked else { throw damaged(revision) }
      newer = unpacked
    }
    guard let newer else { throw damaged(revision) }
    return newer
  }

  private static func expanded(_ packed: Packed) -> Documents? {
    guard let document = Gzip.expand(packed.document, limit: mostBytes),
      let assignments = Gzip.expand(packed.assignments, limit: mostBytes)
    else { return nil }
    return Documents(document: document, assignments: assignments)
  }

  private static func compressed(_ data: Data) throws(StoreError) -> Data {
    guard let compressed = Gzip.compress(data) else {
      throw StoreError(.failed, "There is no memory to store a plan of \(data.count) bytes.")
    }
    return compressed
  }

  /// No document of ours comes near; a damaged length must not take all memory.
  private static let mostBytes = 1 << 30

  private static func damaged(_ revision: Int) -> StoreError {
    StoreError(.corrupt, "The store's plan \(revision) cannot be read: its bytes are not what was written.")
  }
}
