/// Header fields in order of appearance; names compare without regard to case (RFC 9110, section 5.1).
package struct HTTPHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  package private(set) var fields: [(name: String, value: String)] = []

  package init() {}

  package init(dictionaryLiteral elements: (String, String)...) {
    fields = elements.map { (name: $0.0, value: $0.1) }
  }

  package mutating func reserveCapacity(_ count: Int) { fields.reserveCapacity(count) }

  package mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

  /// The first value of `name`; setting replaces all of them, nil removes them.
  package subscript(name: String) -> String? {
    get { fields.first { $0.name.equalsIgnoringCase(name) }?.value }
    set {
      fields.removeAll { $0.name.equalsIgnoringCase(name) }
      if let newValue { fields.append((name, newValue)) }
    }
  }

  /// How many fields have a name. O(fields).
  package func count(of name: String) -> Int { fields.count { $0.name.equalsIgnoringCase(name) } }

  package static func == (a: HTTPHeaders, b: HTTPHeaders) -> Bool {
    a.fields.elementsEqual(b.fields) { $0.name.equalsIgnoringCase($1.name) && $0.value == $1.value }
  }

  package func hash(into hasher: inout Hasher) {
    for field in fields {
      hasher.combine(field.name.lowercased())
      hasher.combine(field.value)
    }
  }
}

extension String {
  /// ASCII comparison without regard to case.
  func equalsIgnoringCase(_ other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    if self == other { return true }
    var (a, b) = (self, other)
    return a.withUTF8 { a in
      b.withUTF8 { b in
        for index in 0..<a.count where a[index] != b[index] {
          let lower = a[index] | 0x20
          guard lower == b[index] | 0x20, (0x61...0x7a).contains(lower) else { return false }
        }
        return true
      }
    }
  }
}
