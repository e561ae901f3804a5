import Foundation
import ParvaHTTP

/// Batches as entries of a log: a compressed property list of what ``StoreBatch`` has, each part as stores keep it.
enum BatchCodec {
  /// No entry of ours comes near; a damaged length must not take all memory.
  private static let mostBytes = 1 << 30

  /// O(bytes).
  ///
  /// - Parameter most: bytes of what is not compressed yet, beyond which nobody would read it.
  /// - Throws: `store_failed`.
  static func data(_ batch: StoreBatch, most: Int = mostBytes) throws(StoreError) -> Data {
    let encoder = PropertyListEncoder()
    encoder.outputFormat = .binary
    let plain: Data
    do {
      plain = try encoder.encode(try BatchDocument(batch))
    } catch {
      throw StoreError(.failed, "A commit cannot be written for the log: \(error)")
    }
    guard plain.count <= most else {
      throw StoreError(
        .failed,
        "A commit of \(plain.count) bytes is larger than an entry of the log may be (\(most)); make it in parts.")
    }
    guard let compressed = Gzip.compress(plain) else {
      throw StoreError(.failed, "There is no memory to write a commit for the log.")
    }
    return compressed
  }

  /// - Throws: `store_corrupt`, `store_too_new`.
  static func batch(_ data: Data, position: Int) throws(StoreError) -> StoreBatch {
    guard let plain = Gzip.expand(data, limit: mostBytes) else {
      throw StoreError(
        .corrupt, "Entry \(position) of the store's log cannot be read: its bytes are not what was written.")
    }
    do {
      // First of all, since what is newer may have another shape.
      let head = try PropertyListDecoder().decode(BatchHead.self, from: plain)
      guard head.version <= BatchDocument.current, head.unknown.isEmpty else {
        throw StoreError(
          .tooNew,
          "Entry \(position) of the store's log was written by a newer version of Parva; this one goes on when it is upgraded."
        )
      }
      return try PropertyListDecoder().decode(BatchDocument.self, from: plain).batch()
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(.corrupt, "Entry \(position) of the store's log cannot be read: \(error)")
    }
  }
}

/// What says whether a document can be read.
private struct BatchHead: Decodable {
  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  var version: Int
  var unknown: [String]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    version = try container.decode(Int.self, forKey: Key(stringValue: "version"))
    unknown = container.allKeys.map(\.stringValue).filter { !BatchDocument.members.contains($0) }
  }
}
