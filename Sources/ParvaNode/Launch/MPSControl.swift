import Foundation
import ParvaWire

/// Speaks to the MPS control daemon of one MIG device: each command goes to the standard input of a
/// nvidia-cuda-mps-control of its own, which hands it to the daemon behind CUDA_MPS_PIPE_DIRECTORY.
struct MPSControl: Sendable {
  enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The daemon did not answer: what was said instead.
    case unanswered(String)
    /// A setting that reads back as another.
    case notTaken(setting: String, wanted: String, got: String)

    var description: String {
      switch self {
      case .unanswered(let said): "the MPS daemon does not answer: \(said)"
      case .notTaken(let setting, let wanted, let got): "MPS took \(got) for \(setting), not \(wanted)"
      }
    }
  }

  /// Clients of the daemon of an instance with `slices` of the GPU's `whole` compute slices, at most: 48 from Volta on (R590
  /// takes 60), and on MIG in proportion. Where the slices are not known, as many as the GPU takes.
  static func clientLimit(slices: Int, of whole: Int) -> Int { whole > 0 ? max(1, 48 * slices / whole) : 48 }

  /// nvidia-cuda-mps-control, or what stands in for it.
  var program: String
  var environment: [String: String]
  var timeout = 5.0

  private func send(_ command: String, timeout: Double? = nil) throws(Failure) -> String {
    let result: ChildCommand.Result
    do {
      result = try ChildCommand.run(
        program, [], environment: environment, input: command + "\n", timeout: timeout ?? self.timeout)
    } catch {
      throw .unanswered("\(program) cannot be started")
    }
    let said = (result.output + result.errors).trimmingCharacters(in: .whitespacesAndNewlines)
    if result.timedOut { throw .unanswered("no answer to \(command) within \(timeout ?? self.timeout) s") }
    // The client ends with 0 or 1 in different releases when nobody listens; its text is the same.
    if result.status != 0 || said.contains("Cannot find MPS control daemon process") {
      throw .unanswered(said.isEmpty ? "status \(result.status)" : LogTail.cleaned(said))
    }
    return said
  }

  /// Process ids of the servers that the daemon has started; none before the first client came.
  func servers() throws(Failure) -> [Int] {
    try send("get_server_list").split(whereSeparator: \.isNewline).compactMap {
      Int($0.trimmingCharacters(in: .whitespaces))
    }
  }

  /// Process ids of the clients of a server.
  func clients(of server: Int) throws(Failure) -> [Int] {
    try send("get_client_list \(server)").split(whereSeparator: \.isNewline).compactMap {
      Int($0.trimmingCharacters(in: .whitespaces))
    }
  }

  /// Sets the defaults and reads them back. They hold for servers that start later, so this comes before any client.
  func configure(_ settings: MPSSettings) throws(Failure) {
    if let share = settings.activeThreadPercentage {
      let wanted = Self.text(share)
      _ = try send("set_default_active_thread_percentage \(wanted)")
      let got = try send("get_default_active_thread_percentage")
      guard let value = Self.numbers(got).last, abs(value - share) < 0.5 else {
        throw .notTaken(setting: "the default active thread percentage", wanted: wanted, got: LogTail.cleaned(got))
      }
    }
    if let limit = settings.pinnedMemoryLimitMiB {
      // The device index counts within CUDA_VISIBLE_DEVICES, which holds one.
      _ = try send("set_default_device_pinned_mem_limit 0 \(limit)M")
      let got = try send("get_default_device_pinned_mem_limit 0")
      guard Self.mebibytes(got) == limit else {
        throw .notTaken(setting: "the pinned memory limit", wanted: "\(limit)M", got: LogTail.cleaned(got))
      }
    }
  }

  /// Ends the daemon and its servers: at once where no client is left, else after `seconds`.
  func quit(within seconds: Double) throws(Failure) {
    _ = try send("quit -t \(Int(seconds.rounded(.up)))", timeout: seconds + timeout)
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(value)
  }

  static func numbers(_ text: String) -> [Double] {
    text.split { !($0.isASCII && ($0.isNumber || $0 == ".")) }.compactMap { Double($0) }
  }

  /// The last amount in the text, `4096M`, `4G` or `4096MB`, in MiB.
  static func mebibytes(_ text: String) -> Int? {
    let words = text.uppercased().split { $0.isWhitespace || $0 == ":" || $0 == "," }
    for word in words.reversed() {
      let digits = word.prefix { $0.isASCII && $0.isNumber }
      guard let value = Int(digits) else { continue }
      switch word.dropFirst(digits.count) {
      case "M", "MB", "MIB": return value
      case "G", "GB", "GIB": return value.multipliedReportingOverflow(by: 1024).partialValue
      default: continue
      }
    }
    return nil
  }
}
