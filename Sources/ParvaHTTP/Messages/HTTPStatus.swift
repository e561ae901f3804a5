import CHTTPServer

enum HTTPStatus {
  /// Reason phrase (RFC 9110, section 15); for a status that Parva does not use its number.
  static func reason(_ status: Int) -> String {
    let phrase = Int32(exactly: status).map { String(cString: chs_status_reason($0)) } ?? ""
    return phrase.isEmpty ? "Status \(status)" : phrase
  }
}
