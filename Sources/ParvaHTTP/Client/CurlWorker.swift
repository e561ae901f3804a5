import CCurl
import Foundation
import Synchronization

/// The thread that drives libcurl's multi interface.
///
/// `@unchecked Sendable`: `multi` is set once; its thread alone uses it, except for `curl_multi_wakeup`, which
/// libcurl allows from any thread, and which is called only under the lock that also guards `stopped`.
final class CurlWorker: @unchecked Sendable {
  private enum Command {
    case start(CurlTransfer)
    case cancel(CurlTransfer)
  }

  private struct State {
    var commands: [Command] = []
    var stopped = false
    /// The multi handle is gone; nothing may be woken any more.
    var finished = false
  }

  private static let library: CURLcode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

  private let configuration: HTTPClientConfiguration
  private let multi: UnsafeMutableRawPointer?
  private let state = Mutex(State())

  init(configuration: HTTPClientConfiguration) {
    self.configuration = configuration
    multi = Self.library == CURLE_OK ? curl_multi_init() : nil
    guard let multi else {
      state.withLock { $0.stopped = true }
      return
    }
    ccurl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost)
    let thread = Thread { self.run() }
    thread.name = "parva-http-client"
    thread.start()
  }

  func stop() {
    state.withLock { state in
      state.stopped = true
      if !state.finished { curl_multi_wakeup(multi) }
    }
  }

  func perform(_ request: HTTPClientRequest, timeout: Duration) async throws(HTTPClientError) -> HTTPResponse {
    guard timeout > .zero else { throw HTTPClientError(code: .timeout, message: "\(request.url): out of time") }
    let transfer = try CurlTransfer(request, configuration: configuration, timeout: timeout)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        transfer.continuation = continuation
        if !post(.start(transfer)) { transfer.fail(.closed, "the client is shut down") }
      }
    } onCancel: {
      _ = post(.cancel(transfer))
    }
    return try result.get()
  }

  /// False when the worker has stopped.
  private func post(_ command: Command) -> Bool {
    state.withLock { state in
      guard !state.stopped else { return false }
      state.commands.append(command)
      curl_multi_wakeup(multi)
      return true
    }
  }

  // MARK: On the thread

  private func run() {
    var running: [UnsafeMutableRawPointer: CurlTransfer] = [:]
    while true {
      let (commands, stopped) = state.withLock { state in
        defer { state.commands = [] }
        return (state.commands, state.stopped)
      }
      for command in commands { apply(command, to: &running) }
      if stopped { break }
      var count: Int32 = 0
      curl_multi_perform(multi, &count)
      collect(&running)
      curl_multi_poll(multi, nil, 0, 60_000, nil)
    }
    for transfer in running.values {
      curl_multi_remove_handle(multi, transfer.handle)
      transfer.fail(.closed, "the client was shut down")
    }
    state.withLock { state in
      state.finished = true
      curl_multi_cleanup(multi)
    }
  }

  private func apply(_ command: Command, to running: inout [UnsafeMutableRawPointer: CurlTransfer]) {
    switch command {
    case .start(let transfer):
      if transfer.cancelled {
        transfer.fail(.cancelled, "cancelled before it was sent")
      } else if curl_multi_add_handle(multi, transfer.handle) == CURLM_OK {
        running[transfer.handle] = transfer
      } else {
        transfer.fail(.transferFailed, "cannot be started")
      }
    case .cancel(let transfer):
      transfer.cancelled = true
      guard running.removeValue(forKey: transfer.handle) != nil else { return }
      curl_multi_remove_handle(multi, transfer.handle)
      transfer.fail(.cancelled, "cancelled")
    }
  }

  private func collect(_ running: inout [UnsafeMutableRawPointer: CurlTransfer]) {
    var code = CURLE_OK
    while let handle = ccurl_multi_finished(multi, &code) {
      curl_multi_remove_handle(multi, handle)
      running.removeValue(forKey: handle)?.finish(code)
    }
  }
}
