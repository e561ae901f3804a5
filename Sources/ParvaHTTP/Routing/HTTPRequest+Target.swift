extension HTTPRequest {
  /// Path and query as another server is to get them.
  package var target: String {
    let path = PercentEncoding.encode(path: path)
    return query.isEmpty ? path : path + "?" + PercentEncoding.encode(query: query)
  }
}
