import ParvaFormats
import ParvaHTTP

/// What is wrong with a request about many things: the first hundred faults are told, each with its place, all are counted.
struct BulkFaults {
  private var first: ProblemDetails?
  private var faults: [ProblemDetails.Fault] = []
  private var count = 0

  mutating func add(_ problem: ProblemDetails) {
    if first == nil { first = problem }
    count += 1
    guard faults.count < ProblemDetails.mostErrors else { return }
    faults.append(ProblemDetails.Fault(code: problem.code, detail: problem.detail, pointer: problem.pointer))
  }

  mutating func add(_ status: Int, _ code: String, _ detail: String, _ pointer: String) {
    add(ProblemDetails(status: status, code: code, detail: detail, pointer: pointer))
  }

  /// Throws the first of them with all others in it.
  func check() throws(ProblemDetails) {
    guard var problem = first else { return }
    if count > 1 {
      problem.detail += " (and \(count - 1) more)"
      (problem.errors, problem.errorCount) = (faults, count)
    }
    throw problem
  }
}
