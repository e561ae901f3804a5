/// An error answer by RFC 9457, thrown by handlers and rendered as `application/problem+json`.
///
/// `code` is stable: clients branch on it. Nothing secret may be put in any member.
package struct ProblemDetails: Error, Sendable, Hashable {
  package var status: Int
  /// Stable snake_case code, for example `not_found`.
  package var code: String
  /// One sentence for a person: what is wrong and what to do.
  package var detail: String
  /// JSON pointer (RFC 6901) into the request body, where the fault is in the body.
  package var pointer: String?
  /// Name of the query parameter, where the fault is in one.
  package var parameter: String?
  /// Everything that is wrong, in order, where that is more than what the members above tell of.
  package var errors: [Fault] = []
  /// How much is wrong in all, where ``errors`` has but the first of it.
  package var errorCount = 0
  /// Further response fields such as `Allow` or `Retry-After`.
  package var headers: HTTPHeaders

  /// One of several things that are wrong.
  package struct Fault: Sendable, Hashable {
    package var code: String
    package var detail: String
    package var pointer: String?
    /// From 1, where the body has lines.
    package var line: Int?

    package init(code: String, detail: String, pointer: String? = nil, line: Int? = nil) {
      (self.code, self.detail, self.pointer, self.line) = (code, detail, pointer, line)
    }
  }

  /// Most of what is wrong that an answer tells.
  package static let mostErrors = 100

  package init(
    status: Int, code: String, detail: String, pointer: String? = nil, parameter: String? = nil,
    headers: HTTPHeaders = HTTPHeaders()
  ) {
    self.status = status
    self.code = code
    self.detail = detail
    self.pointer = pointer
    self.parameter = parameter
    self.headers = headers
  }
}
