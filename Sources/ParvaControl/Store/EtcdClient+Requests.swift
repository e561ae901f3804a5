import Foundation

/// Parts of requests, as JSON. Nothing in them needs to be escaped.
extension EtcdClient {
  private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

  static func put(_ key: String, _ value: Data, lease: String = "0") -> String {
    """
    {"request_put":{"key":"\(base64(key))","value":"\(value.base64EncodedString())","lease":"\(lease)"}}
    """
  }

  /// - Parameter end: the first key that is not meant; nil for one key alone.
  static func range(_ key: String, to end: String? = nil, limit: Int = 0) -> String {
    let end = end.map { #","range_end":"\#(base64($0))""# } ?? ""
    return #"{"request_range":{"key":"\#(base64(key))"\#(end),"limit":"\#(limit)"}}"#
  }

  /// Whether there is a key.
  static func count(_ key: String) -> String {
    #"{"request_range":{"key":"\#(base64(key))","count_only":true}}"#
  }

  /// The last key of a range, without its value.
  static func last(_ key: String, to end: String) -> String {
    #"{"request_range":{"key":"\#(base64(key))","range_end":"\#(base64(end))","limit":"1","#
      + #""sort_order":"DESCEND","sort_target":"KEY","keys_only":true}}"#
  }

  static func delete(_ key: String, to end: String) -> String {
    #"{"request_delete_range":{"key":"\#(base64(key))","range_end":"\#(base64(end))"}}"#
  }

  /// A key was created at this revision; 0: it is not there.
  static func created(_ key: String, at revision: Int) -> String {
    #"{"key":"\#(base64(key))","target":"CREATE","result":"EQUAL","create_revision":"\#(revision)"}"#
  }

  /// A key's value was written at this revision; 0: it is not there.
  static func modified(_ key: String, at revision: Int) -> String {
    #"{"key":"\#(base64(key))","target":"MOD","result":"EQUAL","mod_revision":"\#(revision)"}"#
  }

  /// The body that asks for what changes in a range from a revision on.
  static func watch(_ key: String, to end: String, from revision: Int) -> String {
    #"{"create_request":{"key":"\#(base64(key))","range_end":"\#(base64(end))","start_revision":"\#(revision)"}}"#
  }

  func transaction(
    if compares: [String], then success: [String], else failure: [String] = [], patience: Duration? = nil
  ) async throws(Failure) -> TransactionResponse {
    let lists = [compares, success, failure].map { "[" + $0.joined(separator: ",") + "]" }
    return try await call(
      "/v3/kv/txn", #"{"compare":\#(lists[0]),"success":\#(lists[1]),"failure":\#(lists[2])}"#, patience: patience)
  }

  /// Asks for several ranges as they were at one moment, and no earlier one than when it was called.
  func read(_ ranges: [String], patience: Duration? = nil) async throws(Failure) -> (revision: Int, rows: [Range]) {
    let answer: TransactionResponse = try await call(
      "/v3/kv/txn", #"{"compare":[],"success":[\#(ranges.joined(separator: ","))],"failure":[]}"#, patience: patience,
      isRepeatable: true)
    let rows = (answer.responses ?? []).map { $0.responseRange ?? Range() }
    guard rows.count == ranges.count, let revision = answer.header.revision.flatMap({ Int($0) }) else {
      throw .unknown("etcd has answered less than it was asked")
    }
    return (revision, rows)
  }
}
