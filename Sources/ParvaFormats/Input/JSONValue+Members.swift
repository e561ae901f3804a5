extension JSONValue {
  /// The member of an object; null for what is none or has no such member.
  package subscript(_ name: String) -> JSONValue {
    if case .object(let members) = self { members[name] ?? .null } else { .null }
  }

  package var text: String? { if case .string(let text) = self { text } else { nil } }
  package var number: Double? { if case .number(let number) = self { number } else { nil } }
  package var flag: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  /// Empty for what is no list.
  package var elements: [JSONValue] { if case .list(let elements) = self { elements } else { [] } }
}
