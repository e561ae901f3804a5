package import Foundation

/// One request, complete with its body.
package struct HTTPRequest: Sendable {
  /// Upper case as it came, for example `GET`.
  package var method: String
  /// Percent-decoded path without the query, for example `/v1/workloads/a`.
  ///
  /// `%2F` and `%25` stay as they are, so that segments stay unambiguous; `pathParameters` are decoded wholly.
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
  /// Whom the router's gate has recognised; nil for anybody.
  package var caller: Caller?
  /// What the answer carries beside its own fields, whatever it is.
  package var answerFields = HTTPHeaders()
  /// Subject of the client's verified certificate under mutual TLS.
  package var clientSubject: String?
  /// URIs among the alternative names of that certificate.
  package var clientURIs: [String] = []

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

extension String {
  /// For logs and records: whoever gives a token where an id is asked for must not find it there.
  package var withoutTokens: String {
    let text = contains("parva_") ? replacing(/parva_[A-Za-z0-9_-]{20,}/, with: "parva_...") : self
    // A JSON Web Token begins with what `{"` is in base64.
    return text.contains("eyJ") ? text.replacing(/eyJ[A-Za-z0-9_-]{7,}\.[A-Za-z0-9_.-]{20,}/, with: "eyJ...") : text
  }
}
