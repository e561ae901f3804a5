import ArgumentParser
import Foundation
import ParvaControl

/// `parva backup`: the controller's store as one file.
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copy a controller's store into a new file, while the controller runs or not.",
    discussion: """
      The file holds all that was acknowledged when the copy began, and secrets of nodes with it: only its owner may read \
      it. It is complete when it is there.
      """)

  @Argument(help: "The file to make.", completion: .file())
  var file: String

  @OptionGroup var place: StorePlace

  func run() async throws {
    let contents: SQLiteBackup.Contents
    do throws(StoreError) {
      if let kind = Stores.replicatedKind(of: place.path) {
        contents = try await kind.backUp(kind.place(in: place.path), place.access(), file)
      } else {
        contents = try SQLiteBackup.write(place.path, to: file)
      }
    } catch {
      throw CommandFailure(StorePlace.status(error), error.message)
    }
    try Console.write("\(file): \(StorePlace.text(contents))\n")
  }
}

/// `parva restore`: such a file in place of a store.
struct RestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Put a backup in the place of a controller's store, while nobody writes it.",
    discussion: """
      With a file of its own the controller must not run; with etcd no controller may lead, and those that follow read what is put \
      there. What nodes have accepted since the backup was made stays newer than what the controller knows: after its start new \
      plans get revisions above what nodes report.
      """)

  @Argument(help: "A file that `parva backup` has made.", completion: .file())
  var file: String

  @OptionGroup var place: StorePlace

  @Flag(
    name: .long,
    help:
      "Replace the store that is there: a file is kept as STORE.before-restore, of etcd nothing is kept (`parva backup` does)."
  )
  var force = false

  func run() async throws {
    let kind = Stores.replicatedKind(of: place.path)
    do {
      let contents =
        if let kind {
          try await kind.restore(file, kind.place(in: place.path), place.access(), force)
        } else {
          try SQLiteBackup.restore(file, to: place.path, replacing: force)
        }
      try Console.write("\(place.path): \(StorePlace.text(contents))\n")
    } catch let error as StoreError {
      let kept =
        kind == nil ? "keeps what is there as STORE.before-restore" : "replaces it; parva backup keeps it before"
      let hint = error.code == .cannotOpen && !force ? " --force \(kept)." : ""
      throw CommandFailure(StorePlace.status(error), error.message + hint)
    }
  }
}

/// Where the controller of this machine keeps what it knows.
struct StorePlace: ParsableArguments {
  @Option(name: .customLong("store"), help: "The store; as `serve` takes it, and at the same place without it.")
  var given: String?

  @OptionGroup var etcd: EtcdOptions

  func access() throws(StoreError) -> StoreAccess {
    do {
      return try etcd.access()
    } catch {
      throw StoreError(.cannotOpen, error.message ?? "")
    }
  }

  var path: String {
    let address = given ?? Self.usual
    return address.hasPrefix("sqlite:") ? String(address.dropFirst("sqlite:".count)) : address
  }

  /// By the XDG base directory specification.
  static var usual: String {
    let environment = ProcessInfo.processInfo.environment
    let state = environment["XDG_STATE_HOME"] ?? ""
    let folder = state.hasPrefix("/") ? state : NSHomeDirectory() + "/.local/state"
    return folder + "/parva/controller.sqlite"
  }

  static func text(_ contents: SQLiteBackup.Contents) -> String {
    let plan = contents.planRevision.map { "plan revision \($0)" } ?? "no plan"
    return "\(contents.workloads) workloads at revision \(contents.demandRevision), \(plan), \(contents.nodes) nodes, "
      + "\(contents.bytes) bytes"
  }

  static func status(_ error: StoreError) -> ExitStatus {
    switch error.code {
    case .cannotOpen, .inUse, .tooNew, .corrupt: .badInput
    case .full, .failed, .unavailable, .notLeader, .outcomeUnknown, .dryRun: .unexpected
    }
  }
}
