import Foundation

/// What a key is set to; nothing takes it away.
struct KeyedChange<Value: Codable>: Codable {
  var key: String
  var value: Value?

  init(_ key: String, _ value: Value?) { (self.key, self.value) = (key, value) }
}

extension [String: Data] {
  /// In order of key.
  var changes: [KeyedChange<Data>] { sorted { $0.key < $1.key }.map { KeyedChange($0.key, $0.value) } }
}

extension Dictionary where Key == String {
  func changes<Kept, Inner>(_ kept: (Inner) throws -> Kept) rethrows -> [KeyedChange<Kept>]
  where Value == Inner? {
    try sorted { $0.key < $1.key }.map { KeyedChange($0.key, try $0.value.map(kept)) }
  }
}

extension [KeyedChange<Data>] {
  var data: [String: Data] {
    Dictionary(map { ($0.key, $0.value ?? Data()) }, uniquingKeysWith: { $1 })
  }
}

extension Array {
  func table<Kept, Value>(_ read: (Kept, String) throws -> Value) rethrows -> [String: Value?]
  where Element == KeyedChange<Kept> {
    try Dictionary(
      map { change in (change.key, try change.value.map { try read($0, change.key) }) }, uniquingKeysWith: { $1 })
  }
}
