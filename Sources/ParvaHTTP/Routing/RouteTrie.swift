/// Path patterns compiled once into flat arrays; immutable, so that any thread may search it.
///
/// A literal segment is preferred to a `{name}`, and the search goes back to the name where the literal leads nowhere:
/// `/v1/workloads/batch` (POST) does not hide `/v1/workloads/{id}` (GET) for the id `batch`.
struct RouteTrie: Sendable {
  private struct Node {
    var literals: [(segment: [UInt8], node: Int)] = []
    var parameter: Int?
    var endpoints: [(method: String, route: Int)] = []
  }

  struct Match {
    var route: Int
    /// Byte ranges of the path that the pattern's names stand for, in order.
    var parameters: [Range<Int>]
  }

  enum Outcome {
    case found(Match)
    /// The path exists for these methods only.
    case otherMethods([String])
    case unknown
  }

  private var nodes = [Node()]

  /// - Precondition: patterns start with `/`, are unique per method, and a segment is wholly literal or wholly a name.
  init(routes: [Route]) {
    for (index, route) in routes.enumerated() {
      precondition(route.pattern.hasPrefix("/"), "pattern \(route.pattern) must start with /")
      var node = 0
      for segment in route.pattern.utf8.dropFirst().split(
        separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      {
        node = child(of: node, segment: Array(segment))
      }
      precondition(
        !nodes[node].endpoints.contains { $0.method == route.method }, "\(route.method) \(route.pattern) stands twice")
      nodes[node].endpoints.append((route.method, index))
    }
  }

  private mutating func child(of node: Int, segment: [UInt8]) -> Int {
    if segment.first == UInt8(ascii: "{"), segment.last == UInt8(ascii: "}") {
      if let next = nodes[node].parameter { return next }
      nodes.append(Node())
      nodes[node].parameter = nodes.count - 1
      return nodes.count - 1
    }
    if let next = nodes[node].literals.first(where: { $0.segment == segment }) { return next.node }
    nodes.append(Node())
    nodes[node].literals.append((segment, nodes.count - 1))
    return nodes.count - 1
  }

  /// Finds the route of a normalised path in O(bytes) for a table without overlaps, O(bytes x 2^segments) at worst.
  func search(method: String, path: borrowing Span<UInt8>) -> Outcome {
    guard path.count > 0, path[0] == UInt8(ascii: "/") else { return .unknown }
    var search = Search(method: method)
    visit(0, from: 1, path, &search)
    if let route = search.route { return .found(Match(route: route, parameters: search.parameters)) }
    return search.methods.isEmpty ? .unknown : .otherMethods(search.methods)
  }

  private struct Search {
    let method: String
    var route: Int?
    var parameters: [Range<Int>] = []
    var methods: [String] = []
  }

  /// `start` is one past the end where the path is used up.
  private func visit(_ node: Int, from start: Int, _ path: borrowing Span<UInt8>, _ search: inout Search) {
    if start > path.count {
      for endpoint in nodes[node].endpoints {
        if endpoint.method == search.method {
          search.route = endpoint.route
          return
        }
        if !search.methods.contains(endpoint.method) { search.methods.append(endpoint.method) }
      }
      return
    }
    var end = start
    while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
    for literal in nodes[node].literals where literal.segment.count == end - start {
      var index = 0
      while index < literal.segment.count, literal.segment[index] == path[start + index] { index += 1 }
      guard index == literal.segment.count else { continue }
      visit(literal.node, from: end + 1, path, &search)
      if search.route != nil { return }
    }
    guard let next = nodes[node].parameter, end > start else { return }
    search.parameters.append(start..<end)
    visit(next, from: end + 1, path, &search)
    if search.route == nil { search.parameters.removeLast() }
  }
}
