package import Logging

/// Every kind of store: a new one is an entry here. `--store` and the contract suite take them from this table.
package enum Stores {
  package struct Kind: Sendable {
    /// What an address of it begins with, before a colon.
    package let scheme: String
    package let summary: String
    /// - Parameter place: the rest of the address.
    package let open: @Sendable (_ place: String) throws(StoreError) -> any Store
  }

  /// A kind of store that several controllers share.
  package struct ReplicatedKind: Sendable {
    /// What an address of it begins with, before a colon.
    package let scheme: String
    package let summary: String
    /// - Parameter place: the rest of the address.
    package let open: @Sendable (_ place: String, StoreAccess, Logger?) async throws(StoreError) -> any ReplicatedStore
    /// Whether some of it is on this machine, so that all who share it may be.
    package let isNear: @Sendable (_ place: String, StoreAccess) throws(StoreError) -> Bool
    /// Copies all of it into a new file.
    package let backUp:
      @Sendable (_ place: String, StoreAccess, _ file: String) async throws(StoreError) -> SQLiteBackup.Contents
    /// Puts such a file in its place.
    package let restore:
      @Sendable (_ file: String, _ place: String, StoreAccess, _ replacing: Bool) async throws(StoreError)
        -> SQLiteBackup.Contents

    /// What follows the scheme.
    package func place(in address: String) -> String { String(address.dropFirst(scheme.count + 1)) }
  }

  package static let replicated: [ReplicatedKind] = [
    ReplicatedKind(
      scheme: "etcd", summary: "the members of etcd, as //HOST:PORT,HOST:PORT/PREFIX",
      open: { place, access, logger throws(StoreError) in
        try await EtcdStore(EtcdStore.Settings(place, access), logger: logger)
      },
      isNear: { place, access throws(StoreError) in try EtcdStore.Settings(place, access).isNear },
      backUp: { place, access, file throws(StoreError) in try await EtcdBackup.write(place, access, to: file) },
      restore: { file, place, access, replacing throws(StoreError) in
        try await EtcdBackup.restore(file, place, access, replacing: replacing)
      })
  ]

  /// The shared store at an address; nil where it is none of that kind.
  ///
  /// - Parameter logger: told what is waited for, and of snapshots.
  /// - Throws: what opening it throws.
  package static func openReplicated(
    _ address: String, _ access: StoreAccess, logger: Logger? = nil
  ) async throws(StoreError) -> (any ReplicatedStore)? {
    guard let kind = replicatedKind(of: address) else { return nil }
    return try await kind.open(kind.place(in: address), access, logger)
  }

  /// Nil for an address of a store of one controller's own.
  package static func replicatedKind(of address: String) -> ReplicatedKind? {
    let scheme = address.prefix { $0 != ":" }
    return scheme.count < address.count ? replicated.first { $0.scheme == scheme } : nil
  }

  package static let all: [Kind] = [
    Kind(scheme: "sqlite", summary: "one SQLite file") { place throws(StoreError) in try SQLiteStore(path: place) }
  ]

  /// The store at `SCHEME:PLACE`; an address without a scheme of the table is a place of the first kind.
  ///
  /// - Throws: what opening it throws.
  package static func open(_ address: String) throws(StoreError) -> any Store {
    let parts = address.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2, let kind = all.first(where: { $0.scheme == parts[0] }) {
      return try kind.open(String(parts[1]))
    }
    guard !address.contains("://") else {
      let kinds = (replicated.map { "\($0.scheme)://..." } + all.map { "\($0.scheme):FILE" }).joined(separator: ", ")
      throw StoreError(.cannotOpen, "\(address) is no kind of store; there are \(kinds), and a file's name alone.")
    }
    return try all[0].open(address)
  }
}

/// How a store that is reached over the network lets in who asks; files are PEM.
package struct StoreAccess: Sendable {
  /// Authorities to trust instead of the system's.
  package var caFile: String?
  /// Our certificate, with its key.
  package var certificateFile: String?
  package var keyFile: String?
  package var user: String?
  package var password: String?
  /// How long a leader that is silent is waited for.
  package var lease = Duration.seconds(5)
  /// After how many entries of a log another snapshot is made.
  package var snapshotEntries = 2000

  package init() {}
}
