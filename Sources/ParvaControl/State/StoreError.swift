/// Why a store cannot do what it was asked.
package struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Code: String, Hashable, Sendable, CaseIterable {
    /// The file cannot be opened or created.
    case cannotOpen = "store_cannot_open"
    /// Another process has it open.
    case inUse = "store_in_use"
    /// Written by a newer version of Parva.
    case tooNew = "store_too_new"
    /// Holds what this version did not write.
    case corrupt = "store_corrupt"
    /// There is no room to write: the disk or a quota is full.
    case full = "store_full"
    /// Reading or writing failed, for example by an I/O error.
    case failed = "store_failed"
    /// What keeps it does not answer, or has no majority: nothing can be written, and nobody knows of something newer.
    case unavailable = "store_unavailable"
    /// Another replica leads, or none does.
    case notLeader = "not_leader"
    /// What keeps it has not said whether the change was stored.
    case outcomeUnknown = "outcome_unknown"
    /// Nothing is stored on behalf of a dry run.
    case dryRun = "dry_run"
  }

  package var code: Code
  /// One sentence for a person: what is wrong, where, and what to do.
  package var message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  static let dryRun = StoreError(.dryRun, "This is a dry run: nothing is stored.")

  package var description: String { message }
}
