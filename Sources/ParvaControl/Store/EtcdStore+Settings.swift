import Foundation
import ParvaHTTP

extension EtcdStore {
  struct Settings: Sendable {
    var client: EtcdClient.Settings
    /// What all keys begin with.
    var prefix: String
    var lease = Duration.seconds(5)
    /// After how many entries another snapshot is made.
    var snapshotEntries: Int
    /// Whether all members are on this machine: then all replicas may be.
    let isNear: Bool
    /// Where copies are.
    var place = FileManager.default.temporaryDirectory
    /// What this version writes; a test has others.
    var schema = EtcdStore.schema

    /// - Parameter place: `//host:port,host:port/prefix`; `https` is spoken where certificates are named.
    init(_ place: String, _ access: StoreAccess) throws(StoreError) {
      let parts = place.dropFirst(2).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      let isSecret = access.caFile != nil || access.certificateFile != nil
      let members = (parts.first ?? "").split(separator: ",", omittingEmptySubsequences: false)
      let hosts = members.compactMap { Self.url(of: $0, isSecret ? "https" : "http") }
      let path = (parts.count == 2 ? parts[1] : "").split(separator: "/").joined(separator: "/")
      prefix = path.isEmpty ? "parva" : path
      guard !place.contains("@") else {
        throw StoreError(
          .cannotOpen,
          "A place in etcd names no user: write etcd://HOST:PORT,HOST:PORT/PREFIX, and the user as --etcd-user.")
      }
      let isPlain = prefix.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./".contains($0)) }
      guard place.hasPrefix("//"), hosts.count == members.count, isPlain else {
        throw StoreError(.cannotOpen, "etcd:\(place) is no place in etcd: write etcd://HOST:PORT,HOST:PORT/PREFIX.")
      }
      let near = hosts.filter { NetworkAddress.isLoopback(host: URL(string: $0)?.host() ?? "") }
      isNear = near.count == hosts.count
      guard isSecret || isNear || access.user == nil else {
        throw StoreError(
          .cannotOpen,
          "--etcd-user would send its password in the clear: name with --etcd-ca who signs the certificates of etcd.")
      }
      for (path, option) in [
        (access.caFile, "--etcd-ca"), (access.certificateFile, "--etcd-certificate"), (access.keyFile, "--etcd-key"),
      ] {
        guard let path, !FileManager.default.isReadableFile(atPath: path) else { continue }
        throw StoreError(.cannotOpen, "\(path), which \(option) names, cannot be read.")
      }
      client = EtcdClient.Settings(endpoints: hosts)
      client.tls.caFile = access.caFile
      client.tls.certificateFile = access.certificateFile
      client.tls.keyFile = access.keyFile
      (client.user, client.password, lease) = (access.user, access.password, access.lease)
      snapshotEntries = access.snapshotEntries
    }

    /// Nil for what is no host with or without a port; without, it is etcd's own.
    private static func url(of member: Substring, _ scheme: String) -> String? {
      guard let parts = URLComponents(string: "\(scheme)://\(member)"), let host = parts.host, !host.isEmpty,
        parts.user == nil, parts.path.isEmpty, parts.query == nil, parts.fragment == nil,
        parts.port.map({ (1...65_535).contains($0) }) ?? !member.hasSuffix(":")
      else { return nil }
      return parts.port == nil ? "\(scheme)://\(member):2379" : "\(scheme)://\(member)"
    }
  }
}
