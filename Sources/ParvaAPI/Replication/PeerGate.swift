import ParvaHTTP

/// Looks at what comes from other replicas before anybody asks who it is from.
enum PeerGate {
  static let unverified = ProblemDetails(
    status: 403, code: "peer_unverified",
    detail:
      "This was passed on by somebody who does not show the replicas' secret (--peer-secret-file), or whose clock "
      + "is wrong; or it was changed on its way, or has come before.")

  /// Where a replica has passed a request on, its sender is who the replica has seen, and not the replica.
  ///
  /// - Throws: 403 `peer_unverified`.
  static func open(_ request: inout HTTPRequest, _ seal: PeerSeal?) throws(ProblemDetails) {
    guard request.headers[PeerSeal.by] != nil else { return }
    guard let seal else { return }
    guard seal.isRight(request) else { throw unverified }
    let identity = PeerSeal.identity(request.headers[PeerSeal.identity])
    (request.clientSubject, request.clientURIs) = (identity?.subject, identity?.uris ?? [])
  }
}
