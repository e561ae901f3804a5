package import Foundation
import ParvaFormats
import ParvaHTTP

/// Reads an issuer's keys where its settings say.
package struct IssuerKeySource: Sendable {
  /// Why there are none: a sentence for the log.
  package struct Failure: Error, Sendable, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
  }

  private let settings: IssuerSettings
  private let client: HTTPClient

  package init(_ settings: IssuerSettings) {
    self.settings = settings
    var configuration = HTTPClient.Configuration()
    configuration.tls.caFile = settings.caFile
    configuration.timeout = settings.timeout
    configuration.connectTimeout = settings.timeout
    configuration.maxResponseBytes = JSONWebKeySet.bytes
    // The next reading is the repetition.
    configuration.retries = 0
    client = HTTPClient(configuration: configuration)
  }

  /// The document of keys. At most twice the settings' time.
  package func read() async throws(Failure) -> Data {
    switch settings.keys {
    case .discovered: return try await get(try await discovered())
    case .url(let url): return try await get(url)
    case .file(let path):
      do throws(InputErrors) {
        return try InputSource.load(path, format: .json, limit: JSONWebKeySet.bytes, isRegular: true).data
      } catch {
        throw Failure("\(error.first)")
      }
    }
  }

  /// `jwks_uri` (OpenID Connect Discovery 1.0, sections 4.1 to 4.3).
  private func discovered() async throws(Failure) -> String {
    let issuer = settings.issuer.hasSuffix("/") ? String(settings.issuer.dropLast()) : settings.issuer
    let url = issuer + "/.well-known/openid-configuration"
    let data = try await get(url)
    guard let document = try? InputSource(data, format: .json).value(limit: JSONWebKeySet.bytes) else {
      throw Failure("\(url): is not JSON")
    }
    guard document["issuer"].text == settings.issuer else { throw Failure("\(url): speaks for another issuer") }
    guard let keys = document["jwks_uri"].text, IssuerSettings.isTrustworthy(keys) else {
      throw Failure("\(url): jwks_uri is missing, or not https")
    }
    return keys
  }

  private func get(_ url: String) async throws(Failure) -> Data {
    let response: HTTPResponse
    do throws(HTTPClientError) {
      response = try await client.send(
        HTTPClientRequest(method: "GET", url: url, headers: ["Accept": "application/json"]))
    } catch {
      throw Failure(error.description)
    }
    guard response.status == 200 else { throw Failure("\(url): answers \(response.status)") }
    return response.body
  }
}
