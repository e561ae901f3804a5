import ArgumentParser
import Foundation
import Logging
import ParvaServing

/// Where traces go.
struct TracingOptions: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "URL of an OpenTelemetry collector that takes OTLP over HTTP, as http://127.0.0.1:4318 (default: no traces).",
      valueName: "url"))
  var otlpEndpoint: String?

  func validate() throws {
    guard let otlpEndpoint else { return }
    let parts = URLComponents(string: otlpEndpoint)
    guard let scheme = parts?.scheme?.lowercased(), ["http", "https"].contains(scheme), parts?.host?.isEmpty == false
    else {
      throw ValidationError("--otlp-endpoint must be an http or https URL, not '\(otlpEndpoint)'.")
    }
  }

  /// - Parameter service: `service.name` of its spans.
  func tracer(_ service: String, _ resource: [(name: String, value: String)] = [], logger: Logger) -> Tracer? {
    otlpEndpoint.map { url in
      let base = url.hasSuffix("/") ? String(url.dropLast()) : url
      return Tracer(Tracer.Settings(endpoint: base, service: service, resource: resource), logger: logger)
    }
  }
}
