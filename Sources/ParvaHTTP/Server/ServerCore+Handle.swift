import CHTTPServer
import Foundation
import Logging

extension ServerCore {
  /// A body that nobody wants is read up to this size, so that the connection survives; beyond, the answer ends the connection.
  private static let unwantedBodyLimit: UInt64 = 64 << 10

  /// How much of a body is welcome, before any of it is read.
  func verdict(on request: chs_request) -> chs_verdict {
    let method = String(bytes: request.bytes, span: request.head.pointee.method)
    let path = String(decoding: UnsafeRawBufferPointer(start: request.path, count: request.path_length), as: UTF8.self)
    let length = request.head.pointee.content_length
    let router = router
    let small = (0...Int64(Self.unwantedBodyLimit)).contains(length)
    if let route = router.route(method: method, path: path) {
      let limit = UInt64(clamping: route.bodyLimit)
      // A small body is read in any case, and the gate is asked once: when the request is whole.
      if router.gate == nil || (small && length <= route.bodyLimit) {
        return chs_verdict(body_limit: limit, unread: false, holder: 0)
      }
      var request = HTTPRequest(request)
      if router.letsIn(&request) {
        return chs_verdict(body_limit: limit, unread: false, holder: Self.holder(request.caller))
      }
    }
    return chs_verdict(body_limit: small ? Self.unwantedBodyLimit : .max, unread: !small, holder: 0)
  }

  /// For whom a large body counts; 0: for nobody.
  private static func holder(_ caller: Caller?) -> UInt64 {
    guard let caller else { return 0 }
    var hasher = Hasher()
    hasher.combine(caller.share)
    return UInt64(UInt(bitPattern: hasher.finalize())) | 1
  }

  /// Answers at once, or returns the exchange that will.
  func handle(_ raw: chs_request, _ token: chs_exchange) -> UnsafeMutableRawPointer? {
    let began = accessLog ? ContinuousClock.now : nil
    var request = HTTPRequest(raw)
    request.identify()
    let response: HTTPResponse
    let router = router
    switch router.resolve(&request) {
    case .answer(let ready):
      response = ready
    case .route where raw.unread, .wait where raw.unread:
      // The gate refused it when its head came and has changed its mind since, or may: without its body it cannot be served.
      response = Router.tryAgain.response(requestID: request.requestID)
    case .wait(let wait):
      let exchange = Exchange(
        core: self, router: router, token: token, request: request, held: HeldBody(raw: raw.held), began: began)
      exchange.run(after: wait)
      return Unmanaged.passRetained(exchange).toOpaque()
    case .route(let index):
      let beginning = router.begin(index, request)
      guard case .answer(let ready)? = beginning else {
        // What has begun has taken from the body what it needs: it may wait for long.
        if beginning != nil { request.body = Data() }
        let exchange = Exchange(
          core: self, router: router, token: token, request: request, held: HeldBody(raw: raw.held), began: began)
        exchange.run(route: index, from: beginning)
        return Unmanaged.passRetained(exchange).toOpaque()
      }
      response = ready
    }
    guard response.stream == nil, !ContentCoding.isHeavy(response, for: request) else {
      let exchange = Exchange(
        core: self, router: router, token: token, request: request, held: HeldBody(raw: raw.held), began: began)
      exchange.finish(response)
      return Unmanaged.passRetained(exchange).toOpaque()
    }
    let finished = router.finish(response, of: request)
    send(finished, token)
    log(request, finished, began)
    return nil
  }

  /// Answers what never became a request.
  func refuse(_ error: chs_error, _ token: chs_exchange, _ peer: UnsafePointer<CChar>?) {
    let requestID = RequestID.next()
    let code = String(cString: chs_error_code(error))
    var response = ProblemDetails(
      status: Int(chs_error_status(error)), code: code, detail: String(cString: chs_error_sentence(error))
    ).response(requestID: requestID)
    response.headers.add("X-Request-Id", requestID)
    if error == CHS_BODY_MEMORY_FULL || error == CHS_BODY_SHARE_FULL { response.headers["Retry-After"] = "1" }
    send(response, token)
    logger.debug(
      "request refused",
      metadata: ["code": "\(code)", "request_id": "\(requestID)", "peer": "\(peer.map { String(cString: $0) } ?? "")"])
  }

  /// Hands a whole response, or the head of a streamed one, to the loop.
  func send(_ response: HTTPResponse, _ token: chs_exchange) {
    var raw = chs_response()
    raw.status = UInt16(clamping: response.status)
    raw.stream = response.stream != nil
    raw.declared_length = -1
    if response.body.isEmpty, let declared = response.headers["Content-Length"] {
      raw.declared_length = Int64(declared) ?? -1
    }
    response.headers.withWireBytes { fields in
      raw.fields = UnsafeRawPointer(fields.baseAddress)?.assumingMemoryBound(to: CChar.self)
      raw.fields_length = fields.count
      response.body.withUnsafeBytes { body in
        raw.body = body.baseAddress
        raw.body_length = body.count
        if body.count >= BodyOwner.threshold { BodyOwner.keep(response.body, in: &raw) }
        chs_respond(server, token, &raw)
      }
    }
  }

  func log(_ request: HTTPRequest, _ response: HTTPResponse, _ began: ContinuousClock.Instant?) {
    guard let began else { return }
    let elapsed = (ContinuousClock.now - began) / .microseconds(1)
    logger.info(
      "request",
      metadata: [
        "method": "\(request.method)", "path": "\(request.path.withoutTokens)", "status": "\(response.status)",
        "bytes": "\(response.body.count)", "microseconds": "\(Int(elapsed))", "request_id": "\(request.requestID)",
        "peer": "\(request.remoteAddress ?? "")", "principal": "\(request.caller?.name ?? "")",
        "trace": "\(request.traceParent?.traceID ?? "")",
      ])
  }
}

/// Keeps a large body alive while the loop sends it, so that slow readers of one plan share its bytes.
private final class BodyOwner {
  static let threshold = 32 << 10
  private let body: Data

  private init(_ body: Data) { self.body = body }

  /// Data of this size keeps its bytes in one heap block, which neither moves nor changes while a copy of the value
  /// exists; so the pointer outlives `withUnsafeBytes`.
  static func keep(_ body: Data, in raw: inout chs_response) {
    raw.owner = Unmanaged.passRetained(BodyOwner(body)).toOpaque()
    raw.release = { owner in Unmanaged<BodyOwner>.fromOpaque(owner!).release() }
  }
}
