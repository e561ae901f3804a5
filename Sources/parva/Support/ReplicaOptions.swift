import ArgumentParser
import Foundation
import ParvaAPI
import ParvaControl
import ParvaFormats
import ParvaHTTP

/// How a controller runs beside others on a store that they share.
struct ReplicaOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      With a shared store: URL without a path at which the other replicas reach this one (default: the address of --listen, \
      where there is one that is no wildcard, nor loopback while no member of the store is on this machine).
      """)
  var advertise: String?

  @Option(
    name: .long,
    help: "With a shared store: seconds that a leader which is silent is waited for before another replica leads.")
  var lease = 5.0

  @Option(
    name: .long,
    help: """
      With a shared store: seconds that what a follower knows may be old before /readyz answers 503 (default: three leases).
      """)
  var maxStaleness: Double?

  @Option(
    name: .long,
    help: """
      File with a secret that all replicas have in common, whsec_ and base64 of 24 to 64 bytes: by it they know each other, and \
      whose client certificate another one has seen. Needed where callers have to show who they are.
      """)
  var peerSecretFile: String?

  @Option(
    name: .customLong("peer-ca"),
    help: "PEM of the authorities that the other replicas' certificates are checked against (default: the system's).")
  var peerCA: String?

  @Option(
    name: .long,
    help: "PEM of the certificate that is shown to the other replicas (default: the listener's), with --peer-key.")
  var peerCertificate: String?

  @Option(name: .long, help: "PEM of that certificate's key.")
  var peerKey: String?

  @Option(
    name: .long,
    help: """
      With a shared store: after how many entries of etcd's log a snapshot takes their place. Fewer: who begins reads less; more: \
      less is written.
      """)
  var etcdSnapshotEntries = StoreAccess().snapshotEntries

  @OptionGroup var etcd: EtcdOptions

  func validate() throws {
    guard (0.5...300).contains(lease) else { throw ValidationError("--lease must be 0.5 to 300 seconds.") }
    if let maxStaleness, !(0.1...86_400).contains(maxStaleness) {
      throw ValidationError("--max-staleness must be 0.1 to 86400 seconds.")
    }
    guard (10...100_000).contains(etcdSnapshotEntries) else {
      throw ValidationError("--etcd-snapshot-entries must be 10 to 100000.")
    }
    if let advertise, let fault = Self.fault(advertise) {
      throw ValidationError("--advertise '\(advertise)': \(fault).")
    }
    if (peerCertificate == nil) != (peerKey == nil) {
      throw ValidationError("--peer-certificate and --peer-key go together.")
    }
  }

  /// Whether any is given that means nothing with a store of one controller's own.
  var areAny: Bool {
    advertise != nil || lease != 5 || maxStaleness != nil || peerSecretFile != nil || peerCA != nil
      || peerCertificate != nil || etcdSnapshotEntries != StoreAccess().snapshotEntries || etcd.areAny
  }

  private static func fault(_ url: String) -> String? {
    if let fault = NodeSpecReader.addressFault(url) { return fault }
    let path = URLComponents(string: url)?.path ?? ""
    return path.isEmpty || path == "/" ? nil : "it must have no path"
  }

  // MARK: - What they come to

  var settings: ReplicaHost.Settings {
    var settings = ReplicaHost.Settings()
    settings.mostStaleness = .seconds(maxStaleness ?? lease * 3)
    return settings
  }

  func access() throws(CommandFailure) -> StoreAccess {
    var access = try etcd.access()
    access.lease = .seconds(lease)
    access.snapshotEntries = etcdSnapshotEntries
    return access
  }

  /// - Parameters:
  ///   - needsSecret: whether callers have to show who they are.
  ///   - isNear: whether all of the store is on this machine.
  func link(
    listening: [String], tls: TLSOptions, needsSecret: Bool, isNear: Bool
  ) throws(CommandFailure) -> PeerLink {
    var seal: PeerSeal?
    if let peerSecretFile {
      seal = PeerSeal(secret: try SecretFile.line(of: peerSecretFile))
      if seal == nil {
        throw CommandFailure(
          .badInput, "--peer-secret-file \(peerSecretFile) holds no whsec_ and base64 of 24 to 64 bytes")
      }
    } else if needsSecret {
      throw CommandFailure(
        .badInput, "with a shared store and callers who have to show who they are, replicas need --peer-secret-file")
    }
    let identity = HTTPClientConfiguration.TLS(
      caFile: peerCA, certificateFile: peerCertificate ?? tls.tlsCertificate, keyFile: peerKey ?? tls.tlsKey)
    let address = try address(listening, usesTLS: tls.tlsCertificate != nil, isNear: isNear)
    return PeerLink(address: address, seal: seal, tls: identity)
  }

  private func address(_ listening: [String], usesTLS: Bool, isNear: Bool) throws(CommandFailure) -> String {
    if let advertise { return advertise.hasSuffix("/") ? String(advertise.dropLast()) : advertise }
    let wildcards = ["*:", "0.0.0.0:", "[::]:", "unix:", "systemd"]
    guard listening.count == 1, let only = listening.first, !wildcards.contains(where: only.hasPrefix),
      !only.hasSuffix(":0")
    else {
      throw CommandFailure(.badInput, "say with --advertise at which URL the other replicas reach this one")
    }
    // Each would take itself for the leader's address.
    guard isNear || !ListenAddress.isLocal(only) else {
      throw CommandFailure(
        .badInput,
        "advertise_loopback: nothing but this machine reaches \(only), where this replica listens, and members of --store are on others: "
          + "say with --advertise at which URL the other replicas reach this one, which may be http://\(only) where all of "
          + "them run here")
    }
    return (usesTLS ? "https://" : "http://") + only
  }
}
