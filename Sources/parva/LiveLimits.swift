import ArgumentParser
import Foundation
import Logging
import ParvaAPI
import ParvaHTTP
import Synchronization

/// The limits that a controller goes by, which SIGHUP brings in line with what is configured now.
final class LiveLimits: Sendable {
  private struct State: Sendable {
    var options: RateLimitOptions
    /// As everything was configured when the process began.
    var settings: [VerbConfiguration.Setting]
  }

  let limiter: RateLimiter
  private let state: Mutex<State>

  init(_ options: RateLimitOptions) {
    limiter = RateLimiter(options.rates)
    state = Mutex(State(options: options, settings: (try? Self.configuration())?.settings ?? []))
  }

  /// For the table of routes.
  var streams: @Sendable () -> StreamLimits { { self.state.withLock(\.options.streams) } }

  private static func configuration() throws -> VerbConfiguration? {
    try VerbConfiguration.of(Array(CommandLine.arguments.dropFirst()))
  }

  /// Looks at command line, environment and file again. What cannot be read leaves everything in force as it is.
  func reload(_ server: HTTPServer, _ logger: Logger) {
    do {
      guard let configuration = try Self.configuration(),
        let verb = try ParvaCommand.parseAsRoot(configuration.arguments) as? ServeCommand
      else { return }
      let options = verb.limits
      let (changes, elsewhere) = state.withLock { state in
        let changes = options.changes(from: state.options)
        state.options = options
        return (changes, Self.others(state.settings, configuration.settings))
      }
      limiter.replace(with: options.rates)
      server.setBodyMemory(options.bodyMemory, perCaller: options.bodyMemoryPerCaller)
      logger.info("read limits again", metadata: ["changed": "\(changes ?? "nothing")"])
      if !elsewhere.isEmpty {
        logger.warning(
          "options that count from the next start on have changed",
          metadata: ["options": "\(elsewhere.joined(separator: " "))"])
      }
    } catch {
      let cause = (error as? CommandFailure)?.message ?? ServeCommand.message(for: error)
      logger.error("limits not read again; the old ones stay", metadata: ["cause": "\(cause)"])
    }
  }

  /// Options with another value than at the start that SIGHUP does not bring in.
  private static func others(
    _ before: [VerbConfiguration.Setting], _ now: [VerbConfiguration.Setting]
  ) -> [String] {
    func values(_ settings: [VerbConfiguration.Setting]) -> [String: [String]] {
      Dictionary(settings.map { ($0.option.name, $0.values) }, uniquingKeysWith: { first, _ in first })
    }
    let (before, now) = (values(before), values(now))
    return Set(before.keys).union(now.keys).subtracting(RateLimitOptions.names).filter { before[$0] != now[$0] }
      .sorted()
  }
}
