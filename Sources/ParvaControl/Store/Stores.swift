/// Every kind of store: a new one is an entry here. `--store` and the contract suite take them from this table.
package enum Stores {
  package struct Kind: Sendable {
    /// What an address of it begins with, before a colon.
    package let scheme: String
    package let summary: String
    /// - Parameter place: the rest of the address.
    package let open: @Sendable (_ place: String) throws(StoreError) -> any Store
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
    return try all[0].open(address)
  }
}
