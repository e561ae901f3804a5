import Glibc

/// nvidia-smi as a command: what NVML has no call for, and what is left without NVML.
package enum SMICommand {
  static let timeout: Double = 60
  /// Of a reset, which takes longer on machines with many GPUs and must not be broken off.
  static let resetTimeout: Double = 300

  static func run(_ arguments: [String], path: String = "nvidia-smi") throws(DriverError) -> String {
    let call = "nvidia-smi " + arguments.joined(separator: " ")
    let seconds = arguments.first == "-r" ? resetTimeout : timeout
    let result: ChildCommand.Result
    do throws(ChildCommand.Failure) {
      result = try ChildCommand.run(path, arguments, timeout: seconds)
    } catch {
      let code = error.errno
      throw DriverError(
        code: code == ENOENT || code == EACCES ? "nvidia_smi_missing" : "operating_system", call: call,
        detail: "\(path) cannot be started: \(String(cString: strerror(code)))")
    }
    if result.timedOut {
      throw DriverError(code: "timeout", call: call, detail: "no end within \(Int(seconds)) seconds")
    }
    let said = (result.output + result.errors).split(separator: "\n").last.map(String.init) ?? "nothing printed"
    // A GPU that is lost is named among the others, on whichever stream, and may make the whole command fail.
    let isListing = arguments.first == "-L" || arguments.first?.hasPrefix("--query-gpu=") == true
    if result.status != 0 {
      let error = DriverError(code: SMIParser.code(of: result.output + result.errors), call: call, detail: said)
      guard isListing, error.code == "gpu_is_lost" else { throw error }
    }
    return isListing ? result.output + result.errors : result.output
  }

  /// Resets one GPU so that its pending MIG mode comes into force.
  package static let reset: @Sendable (String) throws(DriverError) -> Void = { (uuid: String) throws(DriverError) in
    _ = try run(["-r", "-i", uuid])
  }
}
