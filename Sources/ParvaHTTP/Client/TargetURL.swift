import CCurl

/// An absolute `http` or `https` URL as libcurl itself reads it, so that what is judged is what is dialled.
package struct TargetURL: Hashable, Sendable {
  package enum Fault: Error, Hashable, Sendable {
    case malformed
    /// Neither http nor https.
    case scheme
    /// A user or password stands in it.
    case credentials
    case fragment
    case tooLong
  }

  /// Most bytes of one.
  package static let longest = 2048

  package let isEncrypted: Bool
  /// As it is looked up; an address where it is one, however it was written (`0x7f.1` is `127.0.0.1`).
  package let host: String

  /// The host where it is an address by itself.
  package var address: NetworkAddress? {
    NetworkAddress(host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host)
  }

  package init(_ text: String) throws(Fault) {
    guard text.utf8.count <= Self.longest else { throw .tooLong }
    guard !text.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7f }), let parts = curl_url() else { throw .malformed }
    defer { curl_url_cleanup(parts) }
    // libcurl takes one slash, or three, for two.
    if let colon = text.firstIndex(of: ":"), text[..<colon].lowercased().hasPrefix("http") {
      let rest = text[text.index(after: colon)...]
      guard rest.hasPrefix("//"), !rest.hasPrefix("///") else { throw .malformed }
    }
    switch curl_url_set(parts, CURLUPART_URL, text, UInt32(CURLU_NON_SUPPORT_SCHEME)) {
    case CURLUE_OK: break
    default: throw .malformed
    }
    func part(_ which: CURLUPart) -> String? {
      var found: UnsafeMutablePointer<CChar>?
      guard curl_url_get(parts, which, &found, 0) == CURLUE_OK, let found else { return nil }
      defer { curl_free(found) }
      return String(cString: found)
    }
    guard let scheme = part(CURLUPART_SCHEME)?.lowercased(), ["http", "https"].contains(scheme) else { throw .scheme }
    guard part(CURLUPART_USER) == nil, part(CURLUPART_PASSWORD) == nil else { throw .credentials }
    guard part(CURLUPART_FRAGMENT) == nil else { throw .fragment }
    guard let host = part(CURLUPART_HOST), !host.isEmpty else { throw .malformed }
    isEncrypted = scheme == "https"
    self.host = host
  }
}
