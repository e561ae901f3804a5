import ParvaHTTP

extension HTTPRequest {
  static let anonymous = "anonymous"

  /// Who asks, for records.
  var callerID: String { caller?.id ?? Self.anonymous }
}
