/// Leases (etcd's gateway, `/v3/lease/`): what is put with one goes when nobody has renewed it in time.
extension EtcdClient {
  /// An answer in which nothing is looked at.
  struct Nothing: Decodable {}

  struct Lease: Decodable {
    var id: String
    /// Seconds that etcd has granted, as text; nil where it says none.
    private var time: String?

    enum CodingKeys: String, CodingKey { case id = "ID", time = "TTL" }

    var seconds: Int? { time.flatMap { Int($0) } }
  }

  func grantLease(seconds: Int) async throws(Failure) -> Lease {
    try await call("/v3/lease/grant", #"{"TTL":"\#(seconds)"}"#)
  }

  /// Renews a lease.
  ///
  /// - Returns: seconds that it has from now on; nil where it has ended.
  func keepLease(_ id: String, patience: Duration? = nil) async throws(Failure) -> Int? {
    struct Kept: Decodable {
      struct Result: Decodable {
        var time: String?

        enum CodingKeys: String, CodingKey { case time = "TTL" }
      }

      var result: Result?
    }
    let kept: Kept = try await call("/v3/lease/keepalive", #"{"ID":"\#(id)"}"#, patience: patience)
    return kept.result?.time.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
  }

  /// Whether no member has raised the alarm NOSPACE, under which etcd takes nothing.
  func hasRoom() async throws(Failure) -> Bool {
    struct Status: Decodable { var errors: [String]? }
    let status: Status = try await call("/v3/maintenance/status", "{}")
    return !(status.errors ?? []).contains { $0.contains("NOSPACE") }
  }

  /// Ends a lease, and what was put with it. Where that fails it ends by itself.
  func revokeLease(_ id: String) async {
    let _: Nothing? = try? await call("/v3/lease/revoke", #"{"ID":"\#(id)"}"#)
  }
}
