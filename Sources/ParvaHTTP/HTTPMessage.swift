package import Foundation

/// Header fields in order of appearance; names compare without regard to case (RFC 9110, section 5.1).
package struct HTTPHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  package private(set) var fields: [(name: String, value: String)] = []

  package init() {}

  package init(dictionaryLiteral elements: (String, String)...) {
    fields = elements.map { (name: $0.0, value: $0.1) }
  }

  package mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

  /// The first value of `name`; setting replaces all of them, nil removes them.
  package subscript(name: String) -> String? {
    get { fields.first { $0.name.equalsIgnoringCase(name) }?.value }
    set {
      fields.removeAll { $0.name.equalsIgnoringCase(name) }
      if let newValue { fields.append((name, newValue)) }
    }
  }

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
    utf8.count == other.utf8.count
      && zip(utf8, other.utf8).allSatisfy { a, b in
        a == b || (a | 0x20 == b | 0x20 && (0x61...0x7a).contains(a | 0x20))
      }
  }
}

/// One request, complete with its body.
package struct HTTPRequest: Sendable {
  /// Upper case as it came, for example `GET`.
  package var method: String
  /// Percent-decoded path without the query, for example `/v1/workloads/a`.
  package var path: String
  /// Decoded query pairs in order.
  package var query: [(name: String, value: String)]
  package var headers: HTTPHeaders
  package var body: Data
  /// Values of the route's `{name}` segments, set by the router.
  package var pathParameters: [String: String]
  /// Id for logs, problem details and the `X-Request-Id` response field; set by the server.
  package var requestID: String
  /// Peer address, `unix` for a Unix socket, nil in process.
  package var remoteAddress: String?
  /// Subject of the client's verified certificate under mutual TLS.
  package var clientSubject: String?

  package init(
    method: String, path: String, query: [(name: String, value: String)] = [], headers: HTTPHeaders = HTTPHeaders(),
    body: Data = Data(), pathParameters: [String: String] = [:], requestID: String = "", remoteAddress: String? = nil,
    clientSubject: String? = nil
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.pathParameters = pathParameters
    self.requestID = requestID
    self.remoteAddress = remoteAddress
    self.clientSubject = clientSubject
  }

  /// The first value of a query parameter.
  package func queryValue(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// One response, complete with its body.
package struct HTTPResponse: Sendable {
  package var status: Int
  package var headers: HTTPHeaders
  package var body: Data

  package init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: Data = Data()) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A body of one media type.
  package init(status: Int, contentType: String, body: Data, headers: HTTPHeaders = HTTPHeaders()) {
    self.init(status: status, headers: headers, body: body)
    self.headers["Content-Type"] = contentType
  }
}
