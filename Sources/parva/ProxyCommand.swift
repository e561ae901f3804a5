import ArgumentParser
import ParvaFormats
import ParvaServing
import ParvaWire
import Synchronization

/// `parva proxy`: proxies that are told by command.
struct ProxyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "proxy", abstract: "Keep a proxy as the controller tells.", subcommands: [ProxyHAProxyCommand.self])
}

/// `parva proxy haproxy`: weights, states and addresses over HAProxy's socket.
struct ProxyHAProxyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "haproxy",
    abstract: "Bring the controller's endpoints to a running HAProxy over its socket.",
    discussion: """
      For a configuration that parva export haproxy has written. Ends with 4 where HAProxy cannot be brought there by \
      commands: then that file has to be written anew and HAProxy reloaded. With --watch it goes on until interrupted, \
      says so, and finds a HAProxy again that was started anew.
      """)

  @Option(name: .long, help: "Path of HAProxy's socket, with level admin.")
  var socket = ExportHAProxyCommand.defaultSocket
  @Flag(name: [.customShort("w"), .long], help: "Go on with every change of the endpoints, until interrupted.")
  var watch = false
  @OptionGroup var server: ServerOptions

  func validate() throws { try HAProxySocket.check(socket) }

  func run() async throws {
    let connection = try server.connection()
    let haproxy = HAProxySocket(path: socket)
    if watch { return await follow(connection, haproxy) }
    guard let list = try await connection.endpoints() else { return }
    let lacks = try await Self.bring(list, to: haproxy)
    for lack in lacks { Console.error(Self.text(lack)) }
    if !lacks.isEmpty { throw CommandFailure(.checkFailed) }
  }

  private static func text(_ lack: HAProxyUpdate.Lack) -> String {
    "\(lack): write the file anew (parva export haproxy) and reload HAProxy"
  }

  /// Has the HAProxy hold the endpoints, as far as commands go. Answers what they cannot bring.
  private static func bring(_ list: EndpointList, to haproxy: HAProxySocket) async throws -> [HAProxyUpdate.Lack] {
    let workloads = ProxiedWorkload.all(list)
    let update = HAProxyUpdate(workloads, held: try await haproxy.servers())
    guard !update.commands.isEmpty else { return update.lacks }
    let answers = try await haproxy.send(update.commands)
    // What it holds then is what counts, not what it answers.
    let rest = HAProxyUpdate(workloads, held: try await haproxy.servers())
    guard let left = rest.commands.first else { return rest.lacks }
    throw CommandFailure(
      .unexpected, "HAProxy at \(haproxy.path) does not take '\(left)': \(answers.isEmpty ? "no answer" : answers)")
  }

  // MARK: - Following

  /// Looks every second, so that a HAProxy that was started anew is found, and at once when the endpoints are others.
  private func follow(_ connection: ServerConnection, _ haproxy: HAProxySocket) async {
    let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let newest = Newest()
    let signals = TerminationSignal()
    await withTaskGroup { tasks in
      tasks.addTask {
        while !Task.isCancelled {
          try? await Task.sleep(for: .seconds(1))
          wake.yield()
        }
      }
      tasks.addTask { await Self.listen(to: connection, newest) { wake.yield() } }
      tasks.addTask { await Self.keep(haproxy, newest, wakes) }
      await signals.wait {}
      wake.finish()
      tasks.cancelAll()
    }
  }

  /// Where the controller is away, what was told last stands.
  private static func listen(
    to connection: ServerConnection, _ newest: Newest, _ wake: @Sendable () -> Void
  ) async {
    let voice = Voice()
    while !Task.isCancelled {
      do {
        if let list = try await connection.endpoints(after: newest.list?.version, wait: 30) {
          newest.take(list)
          wake()
        }
        voice.say(nil)
      } catch {
        if !Task.isCancelled { voice.say(message(of: error)) }
        try? await Task.sleep(for: .milliseconds(500))
      }
    }
  }

  private static func keep(_ haproxy: HAProxySocket, _ newest: Newest, _ wakes: AsyncStream<Void>) async {
    let (version, trouble, lack) = (Voice(), Voice(), Voice())
    for await _ in wakes {
      guard let list = newest.list else { continue }
      do {
        let lacks = try await bring(list, to: haproxy)
        trouble.say(nil)
        lack.say(lacks.isEmpty ? nil : lacks.map(text).joined(separator: "\n"))
        version.say("HAProxy holds the endpoints of version \(list.version)\(lacks.isEmpty ? "" : " in part")")
      } catch {
        trouble.say(message(of: error))
        version.say(nil)
      }
    }
  }

  private static func message(of error: any Error) -> String {
    if let failure = error as? CommandFailure { return failure.message ?? "" }
    return "\(error)"
  }
}

/// The endpoints as they were told last.
private final class Newest: Sendable {
  private let state = Mutex<EndpointList?>(nil)

  var list: EndpointList? { state.withLock { $0 } }

  func take(_ list: EndpointList) { state.withLock { $0 = list } }
}

/// Says each thing once, until it is another.
private final class Voice: Sendable {
  private let last = Mutex<String?>(nil)

  func say(_ text: String?) {
    let isNew = last.withLock { last in
      defer { last = text }
      return last != text
    }
    if let text, isNew { Console.error(text) }
  }
}
