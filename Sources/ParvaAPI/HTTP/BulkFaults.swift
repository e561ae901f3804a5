import ParvaFormats
import ParvaHTTP

/// What is wrong with a request about many things: the first hundred faults are told, each with its place, all are counted, up to
/// where somebody ends looking.
struct BulkFaults {
  private var first: ProblemDetails?
  private var faults: [ProblemDetails.Fault] = []
  private var count = 0
  /// Of the elements in which something was wrong.
  private var bytes = 0

  /// Whether so much is wrong that looking further helps nobody.
  var isFull: Bool { count >= InputLimits.refusals || bytes >= InputLimits.refusedBytes }

  mutating func add(_ problem: ProblemDetails) {
    if first == nil { first = problem }
    count += 1
    guard faults.count < ProblemDetails.mostErrors else { return }
    faults.append(ProblemDetails.Fault(code: problem.code, detail: problem.detail, pointer: problem.pointer))
  }

  mutating func add(_ status: Int, _ code: String, _ detail: String, _ pointer: String) {
    add(ProblemDetails(status: status, code: code, detail: detail, pointer: pointer))
  }

  /// Counts an element in which something was wrong.
  mutating func pass(bytes count: Int) { bytes += count }

  /// Throws the first of them with all others in it.
  func check() throws(ProblemDetails) {
    guard var problem = first else { return }
    if count > 1 {
      problem.detail += " (and \(count - 1) more\(isFull ? ", at which reading ended" : ""))"
      (problem.errors, problem.errorCount) = (faults, count)
    }
    throw problem
  }
}
