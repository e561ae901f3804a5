import ParvaHTTP

extension HTTPRequest {
  private static let anonymous = "anonymous"

  /// Who asks, for records.
  var callerID: String { caller?.id ?? Self.anonymous }
  /// Its name, for people.
  var callerName: String { caller?.name ?? Self.anonymous }
}
