package import Foundation

/// A commit as one replica's copy has it, for another one that cannot read it where all have it from.
package struct ReplicaEntry: Codable, Hashable, Sendable {
  /// How many commits there are with this one.
  package var position: Int
  /// By which it is told from any other that could stand there.
  package var nonce: UInt64
  /// As it is in the log.
  package var bytes: Data

  /// O(bytes).
  package init(_ batch: StoreBatch, position: Int, nonce: UInt64) throws(StoreError) {
    (self.position, self.nonce) = (position, nonce)
    bytes = try BatchCodec.data(batch)
  }

  /// O(bytes).
  ///
  /// - Throws: `store_corrupt`, `store_too_new`.
  package func batch() throws(StoreError) -> StoreBatch { try BatchCodec.batch(bytes, position: position) }

  /// Bytes of entries that are given at a time, but for the first.
  package static let mostBytes = 8 << 20
}
