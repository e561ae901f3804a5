import Foundation
import ParvaFormats
import ParvaHTTP

/// The options of `parva serve` that replicas should have alike, as each tells the others of them.
enum SharedOptions {
  /// Those that are one machine's own: its addresses, files, logs and secrets.
  static let own: Set<String> = [
    "listen", "store", "advertise", "max-staleness", "peer-secret-file", "peer-ca", "peer-certificate", "peer-key",
    "etcd-ca", "etcd-certificate", "etcd-key", "etcd-user", "etcd-password-file", "tls-certificate", "tls-key",
    "tls-client-ca",
    "token-file", "certificate-roles", "loops", "access-log", "log-level", "log-format", "otlp-endpoint", "oidc-ca",
    "oidc-keys", "webhook-ca", "webhook-secret-file", "node-secrets", "node-ca", "node-certificate", "node-key",
    "metrics-workloads",
  ]

  /// Those and the limits, which SIGHUP may change at any replica while what it told at its start stays.
  private static let untold = own.union(RateLimitOptions.names)

  /// Those that name files whose contents count.
  static let files: Set<String> = ["profiles", "pools", "trace"]

  private static let mostBytes = 200

  /// Values by name; of several, all with commas between them.
  static func told(_ settings: [VerbConfiguration.Setting]) -> [String: String] {
    var told: [String: String] = [:]
    for setting in settings where !untold.contains(setting.option.name) {
      let isFile = files.contains(setting.option.name)
      let values = setting.option.takesValue ? setting.values.map { isFile ? contents($0) : $0 } : ["true"]
      let text = values.joined(separator: ",")
      told[setting.option.name] =
        text.utf8.count <= mostBytes ? text : ContentDigest.sha256(of: Data(text.utf8)).map { "sha256:\($0)" }
    }
    return told
  }

  /// What a file holds, by its digest; what is no file stays as it is.
  private static func contents(_ path: String) -> String {
    guard let bytes = FileManager.default.contents(atPath: path), let digest = ContentDigest.sha256(of: bytes) else {
      return path
    }
    return "sha256:\(digest.prefix(16))"
  }
}
