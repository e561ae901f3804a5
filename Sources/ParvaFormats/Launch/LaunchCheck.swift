import ParvaWire

/// What every launch must keep, from a workload or from a node's slice.
enum LaunchCheck {
  static let ports = 1...65_535
  static let stopTimeout = 0.0...3600.0
  static let memoryMiB = 1...100_000_000
  static let cpus = 0.01...1024.0
  /// Items of `args` and of `env`.
  static let items = 256
  static let textBytes = 4096
  static let nameBytes = 128

  /// Tells `refuse` the code, the message, the path below the launch and the value of everything that is wrong.
  ///
  /// - Parameter missing: placeholders that have no value where this launch stands.
  static func check(
    _ launch: LaunchSpec, missing: Set<LaunchTemplate.Placeholder> = [],
    refuse: (InputError.Code, String, [String], String?) -> Void
  ) {
    var missing = missing
    if launch.port == nil { missing.insert(.port) }
    func text(_ text: String, _ path: [String]) {
      if text.utf8.count > textBytes {
        refuse(.outOfRange, "at most \(textBytes) bytes", path, String(text.prefix(40)))
      } else if text.utf8.contains(0) {
        refuse(.outOfRange, "no text of a launch may hold a zero byte", path, nil)
      }
      do throws(LaunchTemplate.Refusal) {
        for placeholder in try LaunchTemplate.placeholders(in: text) where missing.contains(placeholder) {
          refuse(
            .contradiction, "{\(placeholder.rawValue)} is used and there is no \(placeholder.rawValue)", path, text)
        }
      } catch {
        refuse(.unknownKey, error.description, path, text)
      }
    }
    func range<Value: Comparable>(_ name: String, _ value: Value?, _ message: (Value) -> String?, _ path: [String]) {
      if let value, let message = message(value) { refuse(.outOfRange, message, path, "\(value)") }
    }

    if launch.command.isEmpty { refuse(.empty, "a command is needed", ["command"], nil) }
    text(launch.command, ["command"])
    let (args, env) = (launch.args ?? [], launch.env ?? [:])
    if args.count > items { refuse(.outOfRange, "at most \(items) arguments", ["args"], String(args.count)) }
    for (index, arg) in args.prefix(items).enumerated() { text(arg, ["args", String(index)]) }
    if env.count > items { refuse(.outOfRange, "at most \(items) variables", ["env"], String(env.count)) }
    for (name, value) in env.sorted(by: { $0.key < $1.key }).prefix(items) {
      if let message = nameFault(name) { refuse(.invalidName, message, ["env", name], name) }
      text(value, ["env", name])
    }
    if let workdir = launch.workdir {
      if !workdir.hasPrefix("/") { refuse(.outOfRange, "workdir must be an absolute path", ["workdir"], workdir) }
      text(workdir, ["workdir"])
    }
    range("port", launch.port, { RangeCheck.message("port", $0, ports) }, ["port"])
    if let health = launch.health {
      if !health.hasPrefix("/") || health.contains(" ") || launch.port == nil {
        refuse(
          .contradiction, "health is a path that begins with /, holds no space, and needs a port", ["health"], health)
      }
      text(health, ["health"])
    }
    range(
      "stopTimeout", launch.stopTimeout, { RangeCheck.message("stopTimeout", $0, stopTimeout, unit: "s") },
      ["stopTimeout"])
    range(
      "memoryMiB", launch.limits?.memoryMiB, { RangeCheck.message("memoryMiB", $0, memoryMiB) },
      ["limits", "memoryMiB"])
    range("cpus", launch.limits?.cpus, { RangeCheck.message("cpus", $0, cpus) }, ["limits", "cpus"])
  }

  /// Letters, digits and underscores (POSIX, Base Definitions 8.1), and none of the names that the node sets itself.
  private static func nameFault(_ name: String) -> String? {
    let bytes = name.utf8
    let isName =
      !bytes.isEmpty && bytes.count <= nameBytes && !(0x30...0x39).contains(bytes.first ?? 0)
      && bytes.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || $0 == 0x5f }
    if !isName { return "a variable's name is letters, digits and _, at most \(nameBytes)" }
    let isOurs =
      name.hasPrefix("PARVA_") || name.hasPrefix("CUDA_MPS_") || name == "CUDA_VISIBLE_DEVICES"
    return isOurs ? "\(name) is set by the node" : nil
  }
}
