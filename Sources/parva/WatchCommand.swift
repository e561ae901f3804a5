import ArgumentParser

/// `parva watch`: what a controller has, and again whenever that changes.
struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Show what a controller has, and each row again when it changes, until interrupted: parva get --watch.",
    discussion:
      "parva watch plan, parva watch workloads -l team=vision; parva logs tells what has happened to one of them.")

  @OptionGroup var look: GetCommand

  func run() async throws {
    var look = look
    look.watch = true
    try await look.run()
  }
}
