import ParvaHTTP
import ParvaWire

/// Which part of a list a client asks for. Every list has the same dialect: `limit`, `cursor` and `nextCursor`.
struct PageQuery {
  static let parameters = ["limit", "cursor"]

  /// Most items of the page.
  let limit: Int
  /// The `nextCursor` of the page before: what the items of this page come after.
  let cursor: String?

  /// - Throws: 400 `invalid_parameter`, and `unknown_parameter` for what is neither of these nor in `others`.
  init(_ request: HTTPRequest, default usual: Int, most: Int, beside others: String...) throws(ProblemDetails) {
    try request.allowQuery(Self.parameters + others)
    limit = try request.integer("limit", in: 1...most, default: usual)
    cursor = request.queryValue("cursor")
  }

  /// The cursor of a list whose items are numbered.
  func number() throws(ProblemDetails) -> Int? {
    guard let cursor else { return nil }
    guard let number = Int(cursor), number >= 1, String(number) == cursor else {
      throw .parameter("cursor", "must be the nextCursor of the page before")
    }
    return number
  }

  /// The items of the page, and the cursor of the next one.
  ///
  /// - Parameter items: those after the cursor, one more than ``limit`` of them where there are so many.
  func page<Item>(_ items: some Collection<Item>, _ cursor: (Item) -> String) -> (items: [Item], next: String?) {
    let page = Array(items.prefix(limit))
    return (page, items.count > limit ? page.last.map(cursor) : nil)
  }
}

/// A page of a list as it is answered.
struct PageDocument<Item: Encodable>: Encodable {
  /// What the list is called.
  let member: WireKey
  let items: [Item]
  /// Null on the last page, as in every list.
  let next: String?

  init(_ member: WireKey, _ items: [Item], next: String?) {
    (self.member, self.items, self.next) = (member, items, next)
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: WireKey.self)
    try container.encode(items, forKey: member)
    try container.encode(next, forKey: "nextCursor")
  }
}
