package import Foundation

/// One row of the audit: who has done what, and what came of it.
package struct AuditEntry: Hashable, Sendable {
  /// Place in the audit, which grows from row to row; the store gives it.
  package var number = 0
  package var time: Date
  /// Id of the caller.
  package var who: String
  /// Its name.
  package var name: String
  package var method: String
  package var path: String
  /// What it was about, for example `workloads/web`.
  package var resource: String
  package var requestID: String
  package var status: Int
  /// Revision and hash of the resource before the change; nil where there was none.
  package var before: String?
  /// The same after it.
  package var after: String?
  /// Whether something was changed; else the request was refused, or wanted what was so already.
  package var isChange: Bool

  package init(
    time: Date, who: String, name: String, method: String, path: String, resource: String, requestID: String,
    status: Int, before: String? = nil, after: String? = nil, isChange: Bool
  ) {
    self.time = time
    self.who = who
    self.name = name
    self.method = method
    self.path = path
    self.resource = resource
    self.requestID = requestID
    self.status = status
    self.before = before
    self.after = after
    self.isChange = isChange
  }
}

/// Which rows of the audit somebody asks for.
package struct AuditFilter: Hashable, Sendable {
  /// Id or name of the caller.
  package var who: String?
  /// The resource, and those below it.
  package var resource: String?
  package var since: Date?

  package init(who: String? = nil, resource: String? = nil, since: Date? = nil) {
    self.who = who
    self.resource = resource
    self.since = since
  }
}

/// Where a page of the audit begins, and which way it goes.
package enum AuditPage: Hashable, Sendable {
  /// Newest first, from below a number, nil for the newest.
  case before(Int?)
  /// Oldest first, from above a number.
  case after(Int)
}

/// Which rows of the audit are kept.
package struct AuditRetention: Hashable, Sendable {
  /// Most rows of changes. Of what was refused, and of what changed nothing, a tenth of that is kept beside them: whoever
  /// is refused often pushes out nobody's changes.
  package var count: Int
  /// In seconds.
  package var age: TimeInterval

  package init(count: Int = 200_000, age: TimeInterval = 90 * 86_400) {
    self.count = count
    self.age = age
  }

  package var countOfOthers: Int { max(1, count / 10) }
}
