import Foundation
import ParvaHTTP

/// The files of Certificates/.
enum Certificates {
  static func path(_ name: String) -> String {
    Bundle.module.url(forResource: "Certificates", withExtension: nil)!.appendingPathComponent("\(name).pem").path
  }

  static var serverTLS: HTTPServer.Configuration.TLS {
    .init(certificateFile: path("server"), keyFile: path("server-key"))
  }

  static func client(_ name: String? = nil, trusting authority: String = "authority") -> HTTPClient {
    var configuration = HTTPClient.Configuration()
    configuration.retries = 0
    configuration.tls.caFile = path(authority)
    if let name {
      configuration.tls.certificateFile = path(name)
      configuration.tls.keyFile = path("\(name)-key")
    }
    return HTTPClient(configuration: configuration)
  }
}
