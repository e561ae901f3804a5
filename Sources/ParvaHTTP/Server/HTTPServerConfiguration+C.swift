import CHTTPServer
import Foundation

extension HTTPServerConfiguration {
  /// The same limits as C reads them; the pointers in it live as long as the call.
  func withC<Result>(_ body: (inout chs_config) -> Result) -> Result {
    var texts: [UnsafeMutablePointer<CChar>?] = []
    func keep(_ text: String?) -> UnsafePointer<CChar>? {
      guard let text else { return nil }
      let copy = strdup(text)
      texts.append(copy)
      return UnsafePointer(copy)
    }
    defer { texts.forEach { free($0) } }
    let names = addresses.map { keep($0) }
    return names.withUnsafeBufferPointer { names in
      var config = chs_config()
      config.addresses = names.baseAddress
      config.address_count = names.count
      config.loops = UInt32(clamping: loops)
      config.backlog = UInt32(clamping: backlog)
      config.max_connections = UInt32(clamping: maxConnections)
      config.max_connections_per_address = UInt32(clamping: maxConnectionsPerAddress)
      config.max_requests_per_connection = UInt32(clamping: maxRequestsPerConnection)
      config.header_timeout_ms = headerTimeout.milliseconds
      config.body_timeout_ms = bodyTimeout.milliseconds
      config.idle_timeout_ms = idleTimeout.milliseconds
      config.write_timeout_ms = writeTimeout.milliseconds
      config.linger_timeout_ms = lingerTimeout.milliseconds
      config.min_rate = UInt32(clamping: minimumRate)
      config.small_body = UInt32(clamping: smallBodyBytes)
      config.body_memory = UInt64(clamping: maxBodyMemory)
      config.body_share = UInt64(clamping: maxBodyMemoryPerCaller)
      config.stream_high_water = UInt32(clamping: streamHighWater)
      config.parse.target_bytes = UInt32(clamping: maxTargetBytes)
      config.parse.head_bytes = UInt32(clamping: maxHeadBytes)
      config.parse.fields = UInt32(clamping: maxFields)
      config.parse.extension_bytes = UInt32(clamping: maxChunkExtensionBytes)
      config.parse.trailer_bytes = UInt32(clamping: maxTrailerBytes)
      if let tls {
        config.tls.certificate_file = keep(tls.certificateFile)
        config.tls.key_file = keep(tls.keyFile)
        config.tls.client_ca_file = keep(tls.clientCAFile)
        config.tls.client_required = tls.clientRequired
        config.tls.kernel = tls.kernel
      }
      return body(&config)
    }
  }
}

extension Duration {
  /// Whole milliseconds, at least 0 and at most what 32 bits hold.
  var milliseconds: UInt32 {
    let (seconds, attoseconds) = components
    return UInt32(
      clamping: seconds.multipliedReportingOverflow(by: 1000).partialValue + attoseconds / 1_000_000_000_000_000)
  }
}
