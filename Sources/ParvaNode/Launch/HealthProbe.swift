import Foundation
import Glibc
import ParvaHTTP

/// How a service is, as it says itself.
enum Health: Hashable, Sendable {
  /// Ready; requests under way where it tells them.
  case healthy(inFlight: Int?)
  case unhealthy(String, inFlight: Int?)
}

/// Asks a server on this machine how it is.
///
/// With a health path: 200 to 299 is healthy. An answer that is a JSON object may tell `inFlight`, the number of
/// requests under way; while a server drains, 0 twice in a row lets the node end it before its deadline. Without a path
/// a connection to the port is enough.
struct HealthProbe: Sendable {
  var port: Int
  var path: String?

  static let timeout = Duration.seconds(2)

  static func client() -> HTTPClient {
    var configuration = HTTPClient.Configuration()
    configuration.retries = 0
    configuration.timeout = timeout
    configuration.maxResponseBytes = 64 << 10
    configuration.followsProxies = false
    return HTTPClient(configuration: configuration)
  }

  func ask(_ client: HTTPClient) async -> Health {
    guard let path else { return await connect() }
    // A connection kept open would look like a request under way to a server that drains.
    let request = HTTPClientRequest(
      method: "GET", url: "http://127.0.0.1:\(port)\(path)", headers: ["Connection": "close"])
    do throws(HTTPClientError) {
      return Self.verdict(try await client.send(request))
    } catch {
      return .unhealthy("\(path) on port \(port) does not answer (\(error.code.rawValue))", inFlight: nil)
    }
  }

  static func verdict(_ response: HTTPResponse) -> Health {
    let object = try? JSONSerialization.jsonObject(with: response.body) as? [String: Any]
    let inFlight = (object?["inFlight"] as? NSNumber).flatMap { Int(exactly: $0) }
    if (200..<300).contains(response.status) { return .healthy(inFlight: inFlight) }
    return .unhealthy("the health endpoint answers \(response.status)", inFlight: inFlight)
  }

  /// A server that no longer accepts, with a full queue of connections, is one that does not answer; the kernel would try
  /// for minutes.
  private func connect() async -> Health {
    let flags = [SOCK_STREAM, SOCK_CLOEXEC, SOCK_NONBLOCK].reduce(0) { $0 | Int32($1.rawValue) }
    let descriptor = socket(AF_INET, flags, 0)
    guard descriptor >= 0 else { return .unhealthy("no socket is left", inFlight: nil) }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code == 0 { return .healthy(inFlight: nil) }
    guard errno == EINPROGRESS else { return .unhealthy("nobody listens on port \(port)", inFlight: nil) }
    let deadline = ContinuousClock.now + Self.timeout
    var one = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    while poll(&one, 1, 0) == 0 {
      guard ContinuousClock.now < deadline, (try? await Task.sleep(for: .milliseconds(20))) != nil else {
        return .unhealthy("port \(port) takes no connection", inFlight: nil)
      }
    }
    var fault: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &size)
    return fault == 0 ? .healthy(inFlight: nil) : .unhealthy("nobody listens on port \(port)", inFlight: nil)
  }
}
