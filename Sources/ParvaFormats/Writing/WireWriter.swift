package import Foundation

/// Writes the shapes of ParvaWire: equal values are equal bytes.
package enum WireWriter {
  /// - Parameter isForPeople: whether members stand in lines of their own.
  package static func json(_ value: some Encodable, isForPeople: Bool = false) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if isForPeople { encoder.outputFormatting.insert(.prettyPrinted) }
    return try encoder.encode(value)
  }
}
