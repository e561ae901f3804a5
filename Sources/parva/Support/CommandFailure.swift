/// Codes with which the process ends; other people's scripts branch on them.
enum ExitStatus: Int32 {
  case done = 0
  case unexpected = 1
  case badInput = 2
  case infeasible = 3
  case checkFailed = 4
}

/// A verb's end other than success, with what a person is told.
struct CommandFailure: Error {
  let status: ExitStatus
  /// Printed to standard error; nil where the verb has said it all.
  let message: String?

  init(_ status: ExitStatus, _ message: String? = nil) {
    self.status = status
    self.message = message
  }
}
