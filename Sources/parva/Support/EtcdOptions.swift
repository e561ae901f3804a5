import ArgumentParser
import Foundation
import ParvaControl

/// How etcd lets in who asks.
struct EtcdOptions: ParsableArguments {
  @Option(name: .customLong("etcd-ca"), help: "PEM of the authorities that etcd's certificates are checked against.")
  var etcdCA: String?

  @Option(name: .long, help: "PEM of the certificate that is shown to etcd, with --etcd-key.")
  var etcdCertificate: String?

  @Option(name: .long, help: "PEM of that certificate's key.")
  var etcdKey: String?

  @Option(name: .long, help: "User of etcd, with --etcd-password-file.")
  var etcdUser: String?

  @Option(name: .long, help: "File with that user's password.")
  var etcdPasswordFile: String?

  var areAny: Bool {
    etcdCA != nil || etcdCertificate != nil || etcdKey != nil || etcdUser != nil || etcdPasswordFile != nil
  }

  func validate() throws {
    if (etcdCertificate == nil) != (etcdKey == nil) {
      throw ValidationError("--etcd-certificate and --etcd-key go together.")
    }
    if (etcdUser == nil) != (etcdPasswordFile == nil) {
      throw ValidationError("--etcd-user and --etcd-password-file go together.")
    }
  }

  func access() throws(CommandFailure) -> StoreAccess {
    var access = StoreAccess()
    (access.caFile, access.certificateFile, access.keyFile) = (etcdCA, etcdCertificate, etcdKey)
    access.user = etcdUser
    access.password = try etcdPasswordFile.map { path throws(CommandFailure) in try SecretFile.line(of: path) }
    return access
  }
}

/// Files with one secret each.
enum SecretFile {
  static func line(of path: String) throws(CommandFailure) -> String {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw CommandFailure(.badInput, "\(path) cannot be read as text")
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
