import ArgumentParser
import ParvaHTTP

/// Certificates of a listener.
struct TLSOptions: ParsableArguments {
  @Option(name: .long, help: "PEM certificate chain of the listener; read again on SIGHUP.")
  var tlsCertificate: String?
  @Option(name: .long, help: "PEM key of the listener; read again on SIGHUP.")
  var tlsKey: String?
  @Option(
    name: .customLong("tls-client-ca"),
    help: "PEM of the authorities whose client certificates are let in (mutual TLS); read again on SIGHUP.")
  var tlsClientCA: String?

  func validate() throws {
    if (tlsCertificate == nil) != (tlsKey == nil) {
      throw ValidationError("--tls-certificate and --tls-key belong together.")
    }
    if tlsClientCA != nil && tlsCertificate == nil { throw ValidationError("--tls-client-ca needs --tls-certificate.") }
  }

  /// - Parameter clientRequired: whether the handshake fails without a client certificate, where an authority is named.
  func configuration(clientRequired: Bool) -> HTTPServerConfiguration.TLS? {
    guard let tlsCertificate, let tlsKey else { return nil }
    return HTTPServerConfiguration.TLS(
      certificateFile: tlsCertificate, keyFile: tlsKey, clientCAFile: tlsClientCA, clientRequired: clientRequired)
  }
}
