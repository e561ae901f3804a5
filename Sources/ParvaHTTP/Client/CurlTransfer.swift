import CCurl
import Foundation

/// One easy handle with what it sends and receives.
///
/// `@unchecked Sendable`: made by the caller, handed over with a command under the worker's lock, and from then on
/// touched by the worker's thread alone.
final class CurlTransfer: @unchecked Sendable {
  let handle: UnsafeMutableRawPointer
  var continuation: CheckedContinuation<Result<HTTPResponse, HTTPClientError>, Never>?
  var cancelled = false

  private let url: String
  private let limit: Int
  private let receive: (@Sendable (Data) -> Bool)?
  /// libcurl reads the request body from here until the transfer is over.
  private let body: UnsafeMutableRawBufferPointer
  private var fields: UnsafeMutablePointer<curl_slist>?
  private var response = HTTPResponse(status: 0)
  private var tooLarge = false
  private let cutsBodies: Bool
  private let targets: TargetGuard?
  private let isEncrypted: Bool
  /// libcurl reads it whenever it opens a socket.
  private let judge: UnsafeMutablePointer<ccurl_guard>
  /// Why the last address that was judged is none to connect to.
  private var refusal: TargetGuard.Refusal?
  private let errorText: UnsafeMutablePointer<CChar>

  init(
    _ request: HTTPClientRequest, configuration: HTTPClientConfiguration, timeout: Duration
  ) throws(HTTPClientError) {
    guard let handle = curl_easy_init() else {
      throw HTTPClientError(code: .transferFailed, message: "\(request.url): libcurl has no handle left")
    }
    self.handle = handle
    url = request.url
    limit = configuration.maxResponseBytes
    receive = request.receive
    cutsBodies = configuration.cutsBodies
    targets = configuration.targets
    isEncrypted = request.url.lowercased().hasPrefix("https://")
    judge = .allocate(capacity: 1)
    judge.initialize(
      to: ccurl_guard(
        judge: { address, length, context in
          CurlTransfer.of(context).mayConnect(UnsafeBufferPointer(start: address, count: length))
        }, context: nil))
    body = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, request.body.count), alignment: 1)
    request.body.copyBytes(to: body)
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    try configure(request, configuration, timeout)
  }

  deinit {
    curl_easy_cleanup(handle)
    curl_slist_free_all(fields)
    body.deallocate()
    errorText.deallocate()
    judge.deallocate()
  }

  private func configure(
    _ request: HTTPClientRequest, _ configuration: HTTPClientConfiguration, _ timeout: Duration
  ) throws(HTTPClientError) {
    set(CURLOPT_ERRORBUFFER, pointer: errorText)
    // Signals cannot be used for timeouts in a process with threads.
    set(CURLOPT_NOSIGNAL, 1)
    ccurl_restrict_protocols(handle)
    set(CURLOPT_PATH_AS_IS, 1)
    if !configuration.followsProxies { set(CURLOPT_PROXY, "") }
    set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    set(CURLOPT_CONNECTTIMEOUT_MS, Int(configuration.connectTimeout.milliseconds))
    set(CURLOPT_TIMEOUT_MS, max(1, Int(timeout.milliseconds)))
    set(CURLOPT_ACCEPT_ENCODING, "")
    set(CURLOPT_USERAGENT, "parva")
    set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    if let path = configuration.tls.caFile { set(CURLOPT_CAINFO, path) }
    if let path = configuration.tls.certificateFile { set(CURLOPT_SSLCERT, path) }
    if let path = configuration.tls.keyFile { set(CURLOPT_SSLKEY, path) }
    if let path = configuration.unixSocketPath { set(CURLOPT_UNIX_SOCKET_PATH, path) }
    // On a kept connection that the peer has just closed, libcurl sends again by itself: only where that is safe.
    if !request.isRepeatable { set(CURLOPT_FRESH_CONNECT, 1) }
    try setMethodAndBody(request)
    try setFields(request)
    set(CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      CurlTransfer.of(context).receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    set(CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      CurlTransfer.of(context).receiveField(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    let context = Unmanaged.passUnretained(self).toOpaque()
    set(CURLOPT_WRITEDATA, pointer: context)
    set(CURLOPT_HEADERDATA, pointer: context)
    guard targets != nil else { return }
    judge.pointee.context = context
    guard ccurl_set_guard(handle, judge) == CURLE_OK else { throw bad("libcurl takes no judge of addresses") }
    ccurl_set_quick_exit(handle)
  }

  private func setMethodAndBody(_ request: HTTPClientRequest) throws(HTTPClientError) {
    guard !request.url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
      throw bad("the URL has a space or control")
    }
    set(CURLOPT_URL, request.url)
    guard !request.method.isEmpty, request.method.utf8.allSatisfy({ (0x41...0x5a).contains($0) }) else {
      throw bad("the method \(request.method) is not upper-case letters")
    }
    if request.method == "HEAD" {
      set(CURLOPT_NOBODY, 1)
      return
    }
    if !request.body.isEmpty || ["POST", "PUT", "PATCH"].contains(request.method) {
      ccurl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count))
      set(CURLOPT_POSTFIELDS, pointer: body.baseAddress)
    }
    set(CURLOPT_CUSTOMREQUEST, request.method)
  }

  private func setFields(_ request: HTTPClientRequest) throws(HTTPClientError) {
    // Without these libcurl would announce a form, and wait for 100 (Continue) before large bodies.
    if request.headers["Content-Type"] == nil { fields = curl_slist_append(fields, "Content-Type:") }
    fields = curl_slist_append(fields, "Expect:")
    for field in request.headers.fields {
      let clean = (field.name + field.value).utf8.allSatisfy { ($0 >= 0x20 || $0 == 0x09) && $0 != 0x7f }
      guard clean, !field.name.isEmpty, !field.name.utf8.contains(UInt8(ascii: ":")) else {
        throw bad("the header \(field.name.debugDescription) has a control character or no name")
      }
      fields = curl_slist_append(fields, field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
    }
    set(CURLOPT_HTTPHEADER, pointer: fields)
  }

  private func bad(_ why: String) -> HTTPClientError { HTTPClientError(code: .badRequest, message: "\(url): \(why)") }

  private func set(_ option: CURLoption, _ value: Int) { ccurl_set_long(handle, option, value) }
  private func set(_ option: CURLoption, _ value: String) { ccurl_set_string(handle, option, value) }
  private func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
    ccurl_set_pointer(handle, option, pointer)
  }
  private func set(_ option: CURLoption, _ receiver: ccurl_receiver) { ccurl_set_receiver(handle, option, receiver) }

  // MARK: On the worker's thread

  private static func of(_ context: UnsafeMutableRawPointer?) -> CurlTransfer {
    Unmanaged<CurlTransfer>.fromOpaque(context!).takeUnretainedValue()
  }

  private func mayConnect(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let address = NetworkAddress(bytes: Array(bytes)) else {
      refusal = .unknownFamily
      return false
    }
    refusal = targets?.refusal(of: address, isEncrypted: isEncrypted)
    return refusal == nil
  }

  /// Anything but the count of bytes makes libcurl end the transfer.
  private func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
    if let receive {
      var status = 0
      ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
      if status == 200 { return receive(Data(bytes)) ? bytes.count : 0 }
    }
    guard response.body.count + bytes.count <= limit else {
      tooLarge = true
      return 0
    }
    response.body.append(contentsOf: bytes)
    return bytes.count
  }

  private func receiveField(_ bytes: UnsafeRawBufferPointer) -> Int {
    let line = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    if line.hasPrefix("HTTP/") {
      // An interim response (RFC 9110, section 15.2) may have come before.
      response = HTTPResponse(status: 0)
    } else if let colon = line.firstIndex(of: ":") {
      response.headers.add(
        String(line[..<colon]), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
    }
    return bytes.count
  }

  func finish(_ code: CURLcode) {
    let isCut = tooLarge && cutsBodies && code == CURLE_WRITE_ERROR
    guard code != CURLE_OK && !isCut else {
      var status = 0
      ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
      response.status = status
      resume(.success(response))
      return
    }
    if let refusal, code == CURLE_COULDNT_CONNECT { return fail(.targetForbidden, "\(refusal)") }
    let detail = errorText[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorText)
    var sent = 0
    ccurl_get_long(handle, CURLINFO_REQUEST_SIZE, &sent)
    // libcurl may have sent it over a kept connection before, and not have come to another one.
    let isLate = sent > 0 && [.connectFailed, .tlsFailed].contains(Self.classify(code))
    if tooLarge { return fail(.bodyTooLarge, "the response is larger than \(limit) bytes") }
    fail(isLate ? .transferFailed : Self.classify(code), detail)
  }

  func fail(_ code: HTTPClientError.Code, _ detail: String) {
    resume(.failure(HTTPClientError(code: code, message: "\(url): \(detail)", cause: detail)))
  }

  private func resume(_ result: Result<HTTPResponse, HTTPClientError>) {
    continuation?.resume(returning: result)
    continuation = nil
  }

  private static func classify(_ code: CURLcode) -> HTTPClientError.Code {
    switch code {
    case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .connectFailed
    case CURLE_OPERATION_TIMEDOUT: .timeout
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .badRequest
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
      .tlsFailed
    default: .transferFailed
    }
  }
}
