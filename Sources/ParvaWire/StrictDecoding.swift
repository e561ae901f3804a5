/// A key of a wire shape; any text, so that unknown keys can be seen and refused.
package struct WireKey: CodingKey, ExpressibleByStringLiteral, Hashable, Sendable {
  package let stringValue: String
  package let intValue: Int?

  package init(stringLiteral value: String) {
    stringValue = value
    intValue = nil
  }

  package init(stringValue: String) {
    self.stringValue = stringValue
    intValue = nil
  }

  package init(intValue: Int) {
    stringValue = String(intValue)
    self.intValue = intValue
  }
}

/// A key that a shape does not have.
package struct UnknownKeyError: Error {
  /// Path of the object that holds the key.
  package let codingPath: [any CodingKey]
  package let key: String
  /// What the object may hold.
  package let allowed: [String]
}

/// One element of a list, decoded or with its own failure, so that one bad element does not hide the others.
package enum Attempt<Value: Decodable & Sendable>: Decodable, Sendable {
  case value(Value)
  /// The failure and the path of the element.
  case failure(any Error, at: [any CodingKey])

  package init(from decoder: any Decoder) throws {
    do {
      self = .value(try Value(from: decoder))
    } catch {
      self = .failure(error, at: decoder.codingPath)
    }
  }
}

extension CodingUserInfoKey {
  /// Names of the figures that a pool may state, as `[String]`.
  package static let figures = CodingUserInfoKey(rawValue: "figures")
  /// Names of the sums that a plan may tell, as `[String]`.
  package static let sums = CodingUserInfoKey(rawValue: "sums")
}

extension Decoder {
  /// Keys that whoever decodes has named; none without.
  func keys(_ name: CodingUserInfoKey?) -> [WireKey] {
    (name.flatMap { userInfo[$0] } as? [String] ?? []).map(WireKey.init(stringValue:))
  }

  /// The object at this place, refused with ``UnknownKeyError`` if it holds a key outside `known`, `others` and `ignored`.
  ///
  /// - Parameter ignored: what the controller adds to what it answers, so that an answer can be sent back.
  func object(_ known: WireKey..., also others: [WireKey] = [], ignoring ignored: Set<String> = [])
    throws -> KeyedDecodingContainer<WireKey>
  {
    let allowed = known + others
    let container = try container(keyedBy: WireKey.self)
    for key in container.allKeys
    where !allowed.contains(where: { $0.stringValue == key.stringValue }) && !ignored.contains(key.stringValue) {
      throw UnknownKeyError(
        codingPath: codingPath, key: key.stringValue, allowed: allowed.map(\.stringValue))
    }
    return container
  }
}

extension KeyedDecodingContainer<WireKey> {
  /// The driver's id of a profile, under `profileId` or, as older agents and records have it, `profileID`.
  func profileID() throws -> Int {
    if let id = try decodeIfPresent(Int.self, forKey: "profileID") { return id }
    return try decode(Int.self, forKey: "profileId")
  }

  /// A text; where there is none, that which whoever decodes has named.
  func text(_ key: WireKey, or name: CodingUserInfoKey?, _ decoder: any Decoder) throws -> String {
    if !contains(key), let known = name.flatMap({ decoder.userInfo[$0] }) as? String { return known }
    return try decode(String.self, forKey: key)
  }

  /// A number, refused at its own place where it is beyond Double: the JSON decoder tells of that without one.
  func number(_ key: WireKey) throws -> Double {
    do {
      return try decode(Double.self, forKey: key)
    } catch let error as DecodingError {
      throw error
    } catch {
      throw DecodingError.dataCorrupted(
        .init(codingPath: codingPath + [key], debugDescription: "Must be a number of at most 1.8e308."))
    }
  }

  func optionalNumber(_ key: WireKey) throws -> Double? {
    guard contains(key), try !decodeNil(forKey: key) else { return nil }
    return try number(key)
  }

  /// A whole number, up to 2^53 exactly.
  func integer(_ key: WireKey) throws -> Int {
    let value = try number(key)
    guard let integer = Int(exactly: value) else {
      throw DecodingError.typeMismatch(
        Int.self, .init(codingPath: codingPath + [key], debugDescription: "Must be a whole number."))
    }
    return integer
  }

  /// The numbers that stand under some keys, by key.
  func numbers(_ keys: [WireKey]) throws -> [String: Double] {
    var found: [String: Double] = [:]
    for key in keys { found[key.stringValue] = try optionalNumber(key) }
    return found
  }

  func optionalInteger(_ key: WireKey) throws -> Int? {
    guard contains(key), try !decodeNil(forKey: key) else { return nil }
    return try integer(key)
  }
}
