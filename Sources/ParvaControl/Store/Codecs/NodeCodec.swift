import Foundation
import ParvaFormats
import ParvaWire

/// The parts of node records that stores keep as JSON.
enum NodeCodec {
  static func data(labels: [String: String]) throws -> Data { try WireWriter.json(labels) }

  static func data(state: NodeStateDocument) throws -> Data { try WireWriter.json(state) }

  static func labels(_ data: Data, node: String) throws(StoreError) -> [String: String] {
    try decode(data, node)
  }

  static func state(_ data: Data, node: String) throws(StoreError) -> NodeStateDocument {
    try decode(data, node)
  }

  static func data(assignment: NodeAssignment) throws -> Data { try WireWriter.json(assignment) }

  static func assignment(_ data: Data, node: String) throws(StoreError) -> NodeAssignment {
    try decode(data, node)
  }

  static func data(told: ToldSegment) throws -> Data { try WireWriter.json(told) }

  static func told(_ data: Data, segment: String) throws(StoreError) -> ToldSegment {
    do {
      return try JSONDecoder().decode(ToldSegment.self, from: data)
    } catch {
      throw StoreError(.corrupt, "The store's servers of segment \(segment) cannot be read: \(error)")
    }
  }

  private static func decode<Value: Decodable>(_ data: Data, _ node: String) throws(StoreError) -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: data)
    } catch {
      throw StoreError(.corrupt, "The store's node \(node) cannot be read: \(error)")
    }
  }
}
