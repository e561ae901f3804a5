import CHTTPServer
import Foundation

extension HTTPRequest {
  /// Copies what C parsed; its memory is gone when the callback returns.
  init(_ raw: chs_request) {
    // Members one by one: a copy of the whole head would be 2 KB of offsets.
    let fieldCount = Int(raw.head.pointee.field_count)
    let query = raw.head.pointee.query
    var headers = HTTPHeaders()
    headers.reserveCapacity(fieldCount)
    for field in UnsafeBufferPointer(start: raw.fields, count: fieldCount) {
      headers.add(String(bytes: raw.bytes, span: field.name), String(bytes: raw.bytes, span: field.value))
    }
    self.init(
      method: String(bytes: raw.bytes, span: raw.head.pointee.method),
      path: String(decoding: UnsafeRawBufferPointer(start: raw.path, count: raw.path_length), as: UTF8.self),
      headers: headers,
      remoteAddress: String(cString: raw.peer),
      clientSubject: raw.subject.map { String(cString: $0) })
    if let uris = raw.uris { clientURIs = String(cString: uris).split(separator: "\n").map(String.init) }
    if query.length > 0 {
      self.query = PercentEncoding.decodeQuery(
        UnsafeBufferPointer(start: raw.bytes + Int(query.at), count: Int(query.length)))
    }
    if raw.body_length > 0 { body = Data(bytes: raw.body, count: raw.body_length) }
  }
}

extension String {
  /// The part of `bytes` that a span names; bytes that are not UTF-8 become U+FFFD.
  init(bytes: UnsafePointer<UInt8>, span: chs_span) {
    self.init(decoding: UnsafeBufferPointer(start: bytes + Int(span.at), count: Int(span.length)), as: UTF8.self)
  }
}
