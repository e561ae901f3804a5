/// A host with a port, as URLs and configurations have it.
package enum HostPort {
  package static func text(_ host: String, _ port: Int?) -> String {
    (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "")
  }
}
