import CCurl
import Foundation

/// An HTTP/1.1 client on libcurl: all transfers run on one thread, connections are kept and shared.
///
/// Transfers under way fail with `closed` when the client is shut down or goes away.
package final class HTTPClient: Sendable {
  package typealias Configuration = HTTPClientConfiguration

  private let configuration: Configuration
  private let worker: CurlWorker

  package init(configuration: Configuration = Configuration()) {
    self.configuration = configuration
    worker = CurlWorker(configuration: configuration)
  }

  deinit { worker.stop() }

  /// Ends every transfer and the thread; later requests fail with `closed`.
  package func shutdown() { worker.stop() }

  /// Sends a request and gathers its response.
  ///
  /// It is repeated after connection failures, and after 429, 502, 503 and 504, where `isRepeatable` or where nothing
  /// was sent; a `Retry-After` in seconds is honoured. Cancelling the task cancels the transfer.
  package func send(_ request: HTTPClientRequest) async throws(HTTPClientError) -> HTTPResponse {
    let timeout = request.timeout ?? configuration.timeout
    let end = ContinuousClock.now + timeout
    var attempt = 0
    while true {
      let left = end - .now
      let result: Result<HTTPResponse, HTTPClientError>
      do throws(HTTPClientError) {
        result = .success(try await worker.perform(request, timeout: left))
      } catch {
        result = .failure(error)
      }
      guard attempt < configuration.retries, let pause = pause(after: result, to: request, attempt: attempt),
        ContinuousClock.now + pause < end
      else { return try result.get() }
      attempt += 1
      do {
        try await Task.sleep(for: pause)
      } catch {
        throw HTTPClientError(code: .cancelled, message: "\(request.url): cancelled while waiting to repeat")
      }
    }
  }

  /// How long to wait before another attempt; nil when there must be none.
  private func pause(
    after result: Result<HTTPResponse, HTTPClientError>, to request: HTTPClientRequest, attempt: Int
  ) -> Duration? {
    // Full jitter: clients that failed together do not come back together.
    let most = configuration.retryPause * Double(1 << min(attempt, 10))
    let drawn = most * Double.random(in: 0...1)
    switch result {
    case .failure(let error):
      switch error.code {
      case .connectFailed: return drawn
      case .transferFailed: return request.isRepeatable ? drawn : nil
      default: return nil
      }
    case .success(let response):
      guard [429, 502, 503, 504].contains(response.status), request.isRepeatable else { return nil }
      guard let wanted = response.headers["Retry-After"].flatMap({ Int($0) }), wanted >= 0 else { return drawn }
      return .seconds(wanted) + drawn
    }
  }
}
