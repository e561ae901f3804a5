import ArgumentParser
import ParvaEngine
import ParvaFormats

/// How a simulation is run.
struct SimulationArguments: ParsableArguments {
  @Option(name: .long, help: "Seconds that are measured.")
  var duration = 60.0

  @Option(name: .long, help: "Seconds of arrivals before that, which fill the queues and are not counted.")
  var warmup = 10.0

  @Option(name: .long, help: "Seed of the first run.")
  var seed: UInt64 = 1

  @Option(name: .long, help: "Number of runs, with this seed and the following ones.")
  var seeds = 1

  @Option(
    name: .long,
    help: """
      Arrivals of all workloads instead of what each declares: poisson, deterministic, gamma:CV2 or trace:FILE, a CSV \
      with a column TIMESTAMP whose gaps are played in a circle at each workload's rate.
      """)
  var arrivals: String?

  @Option(name: .long, help: "Milliseconds that a free process waits for its batch to fill.")
  var maxWait = 0.0

  @Option(name: .long, help: "Most requests that wait on one segment; what comes beyond is lost.")
  var queueLimit = SimulationOptions().queueLimit

  @Option(
    name: .long,
    help: """
      What becomes of the requests on a segment that fails: lose, or retry on the others at once \
      (default: \(FailurePolicy.lose.rawValue)).
      """)
  var onFailure: String?

  func validate() throws {
    let seconds = InputLimits.simulatedSeconds
    guard seconds.contains(duration) else {
      throw ValidationError("--duration must be \(seconds.lowerBound) to \(seconds.upperBound) seconds.")
    }
    guard (0...seconds.upperBound).contains(warmup) else {
      throw ValidationError("--warmup must be 0 to \(seconds.upperBound) seconds.")
    }
    guard InputLimits.seed.contains(seed) else {
      throw ValidationError("--seed must be 0 to \(InputLimits.seed.upperBound).")
    }
    guard InputLimits.seeds.contains(seeds) else {
      throw ValidationError("--seeds must be \(InputLimits.seeds.lowerBound) to \(InputLimits.seeds.upperBound).")
    }
    guard (0...InputLimits.latencyMs.upperBound).contains(maxWait) else {
      throw ValidationError("--max-wait must be 0 to \(InputLimits.latencyMs.upperBound) milliseconds.")
    }
    guard InputLimits.queueLimit.contains(queueLimit) else {
      throw ValidationError(
        "--queue-limit must be \(InputLimits.queueLimit.lowerBound) to \(InputLimits.queueLimit.upperBound).")
    }
    _ = try policy
  }

  func options() throws -> SimulationOptions {
    SimulationOptions(
      duration: duration, warmup: warmup, seeds: (0..<seeds).map { seed &+ UInt64($0) },
      arrivals: try arrivals.map(Self.shape), longestWaitMs: maxWait, queueLimit: queueLimit,
      failurePolicy: try policy)
  }

  private var policy: FailurePolicy {
    get throws {
      guard let onFailure else { return .lose }
      guard let policy = FailurePolicy(rawValue: onFailure) else {
        throw ValidationError(
          "Unknown --on-failure '\(onFailure)'; there are \(FailurePolicy.allCases.map(\.rawValue).joined(separator: ", "))."
        )
      }
      return policy
    }
  }

  private static func shape(_ text: String) throws -> ArrivalShape {
    switch text {
    case "poisson": return .poisson
    case "deterministic": return .deterministic
    default:
      if text.hasPrefix("trace:") {
        return .recorded(try ArrivalRecordingReader.read(try InputSource.load(String(text.dropFirst(6)), format: .csv)))
      }
      guard text.hasPrefix("gamma:"), let cv2 = Double(text.dropFirst(6)) else {
        throw ValidationError("Unknown arrivals '\(text)'; there are poisson, deterministic, gamma:CV2 and trace:FILE.")
      }
      guard InputLimits.cv2.contains(cv2) else {
        throw ValidationError(
          "CV2 of gamma arrivals must be \(InputLimits.cv2.lowerBound) to \(InputLimits.cv2.upperBound).")
      }
      return .gamma(cv2: cv2)
    }
  }
}
