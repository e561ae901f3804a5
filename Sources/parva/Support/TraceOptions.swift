import ArgumentParser
import ParvaEngine
import ParvaFormats

/// Recorded arrivals, where a verb takes them.
struct TraceOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      Recorded arrivals that workloads refer to by name, as NAME=FILE: a CSV with a column TIMESTAMP; may be given \
      several times.
      """)
  var trace: [String] = []

  func validate() throws {
    var names: Set<String> = []
    for text in trace {
      let name = try Self.parts(of: text).name
      guard names.insert(name).inserted else { throw ValidationError("--trace names '\(name)' twice.") }
    }
  }

  /// The traces by name.
  func traces() throws -> [String: ArrivalRecording] {
    var traces: [String: ArrivalRecording] = [:]
    for text in trace {
      let (name, file) = try Self.parts(of: text)
      traces[name] = try ArrivalRecordingReader.read(try InputSource.load(file, format: .csv))
    }
    return traces
  }

  /// The traces by name, when they hold all that `workloads` refer to.
  func traces(for workloads: [Workload]) throws -> [String: ArrivalRecording] {
    let traces = try traces()
    for workload in workloads {
      if case .trace(let name) = workload.arrivals, traces[name] == nil {
        throw CommandFailure(
          .badInput, "workload \(workload.id) arrives by trace \(name), which is not given; add --trace \(name)=FILE")
      }
    }
    return traces
  }

  private static func parts(of text: String) throws -> (name: String, file: String) {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex, text.index(after: equals) < text.endIndex
    else { throw ValidationError("--trace is NAME=FILE, not '\(text)'.") }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
  }
}
