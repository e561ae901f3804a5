import Foundation
import Glibc
import ParvaHTTP
import Synchronization
import Testing

/// What becomes of requests over a kept connection that ends without an answer.
@Suite struct SentOnceTests {
  /// Answers the first request, and ends the connection of the second one and of all after it; unless it goes on, it listens no
  /// more from the second one on.
  private final class Fickle: Sendable {
    let port: UInt16
    private let requests = Mutex(0)

    var count: Int { requests.withLock(\.self) }

    init(goesOn: Bool) {
      let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_addr.s_addr = inet_addr("127.0.0.1")
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &name) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = bind(fd, $0, length)
          _ = listen(fd, 8)
          _ = getsockname(fd, $0, &length)
        }
      }
      port = UInt16(bigEndian: name.sin_port)
      Thread.detachNewThread { [self] in
        // A kept connection stays open beside the next one.
        while case let one = accept(fd, nil, nil), one >= 0 {
          Thread.detachNewThread { [self] in
            serve(one)
            // Whoever connects now is refused.
            if count > 1, !goesOn { shutdown(fd, Int32(SHUT_RDWR)) }
            close(one)
          }
        }
        close(fd)
      }
    }

    private func serve(_ one: Int32) {
      while receive(one), count < 2 {
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        _ = send(one, answer, answer.count, Int32(MSG_NOSIGNAL))
      }
    }

    /// Requests here come in one piece.
    private func receive(_ fd: Int32) -> Bool {
      var bytes = [UInt8](repeating: 0, count: 4096)
      guard recv(fd, &bytes, bytes.count, 0) > 0 else { return false }
      requests.withLock { $0 += 1 }
      return true
    }
  }

  private static func second(_ method: String, once: Bool, goesOn: Bool) async throws -> (HTTPClientError.Code?, Int) {
    let server = Fickle(goesOn: goesOn)
    var configuration = HTTPClientConfiguration()
    configuration.retries = 0
    let client = HTTPClient(configuration: configuration)
    let url = "http://127.0.0.1:\(server.port)/"
    _ = try await client.send(HTTPClientRequest(method: "GET", url: url))
    var request = HTTPClientRequest(method: method, url: url)
    request.isSentOnce = once
    do throws(HTTPClientError) {
      _ = try await client.send(request)
      return (nil, server.count)
    } catch {
      return (error.code, server.count)
    }
  }

  @Test(arguments: ["PUT", "DELETE", "POST"]) func whatIsSentOnceIsNeverSentAgain(_ method: String) async throws {
    let (code, count) = try await Self.second(method, once: true, goesOn: true)
    #expect(code == .transferFailed && count == 2)
  }

  @Test("what went out over a connection that ended is not said to be unsent when no other could be made")
  func whatWentOutMayHaveBeenDone() async throws {
    let (code, count) = try await Self.second("PUT", once: false, goesOn: false)
    #expect(code == .transferFailed && count == 2)
  }
}
