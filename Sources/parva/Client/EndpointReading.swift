import Foundation
import ParvaFormats
import ParvaHTTP
import ParvaWire

extension ServerConnection {
  /// The endpoints; with `after`, once their version is another one, nil where that takes longer than `wait` seconds.
  func endpoints(after version: String? = nil, wait: Int = 0) async throws -> EndpointList? {
    let path = "/v1/endpoints" + (version.map { "?after=\($0)&wait=\(wait)" } ?? "")
    let response = try await send("GET", path, accepting: [304])
    return response.status == 304 ? nil : try EndpointListReader.read(InputSource(response.body, format: .json))
  }

  /// Every workload that is registered or has servers, and the version of the endpoints.
  func proxied() async throws -> (workloads: [ProxiedWorkload], version: String) {
    let list = try await endpoints() ?? EndpointList(version: "", endpoints: [])
    let rows = try await rows("/v1/workloads", "workloads", most: 1_000)
    return (ProxiedWorkload.all(list, ids: rows.compactMap { $0["id"].text }), list.version)
  }
}
