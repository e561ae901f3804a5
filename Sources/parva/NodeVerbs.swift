import ArgumentParser
import Foundation
import ParvaFormats
import ParvaNode
import ParvaWire

/// `parva node state`: what the driver shows.
struct NodeStateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "state", abstract: "Show this machine's GPUs, MIG instances and processes as the driver reports them.")

  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json }

  @OptionGroup var options: NodeDriverOptions
  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .table

  func run() throws {
    let node = try options.observe(try options.opened())
    switch format {
    case .json:
      try Console.write(try WireWriter.json(node, isForPeople: true) + Data("\n".utf8))
    case .table:
      // The GPUs are shown all the same: they are what a person looks at who has to mend the records.
      let known = Result { try options.known() }
      try Console.write(NodeTable.text(node, known: try? known.get()))
      _ = try known.get()
    }
  }
}

/// `parva node apply`: makes the GPUs as a file says.
struct NodeApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Change this machine's MIG instances to what a file says, step by step, verified or undone.",
    discussion: "Exit code 4: the state was refused, or a step failed and everything was undone.")

  @OptionGroup var options: NodeDriverOptions
  @OptionGroup var file: NodeFileOptions
  @Flag(name: .long, help: "Turn MIG mode on where it is off; this may reset a GPU.")
  var manageMigMode = false
  @Flag(name: .long, help: "Print the steps and change nothing.")
  var dryRun = false
  @Flag(
    name: .long,
    help: """
      Also apply what is older than the verified revision, or differs from it under the same number: as the revision after it.
      """)
  var force = false

  func run() throws {
    let store = try options.store()
    let lock = try options.locked(store)
    defer { lock.release() }
    let driver = try options.opened(replaces: !dryRun)
    let runner = ApplyRunner(driver: driver, store: store)
    let apply = ApplyPlanner.Options(manageMIGMode: manageMigMode, adopt: file.adopt)
    do {
      if !dryRun { _ = try runner.resume(options: apply) }
      let known = try store.known()
      let wanted = try allowed(try file.wanted(on: try options.observe(driver), known: known), after: known)
      if dryRun {
        for step in try runner.dryRun(wanted, options: apply).steps { print(step) }
        return
      }
      try Self.report(try runner.apply(wanted, options: apply), revision: wanted.revision)
    } catch let refusal as ApplyRefusal {
      throw CommandFailure(.checkFailed, refusal.description)
    } catch let failure as ApplyJournal.Failure {
      throw CommandFailure(.unexpected, "\(failure.code): \(failure)")
    }
  }

  /// A file's plan under the number that it may have, by the rule that plans over HTTP are held to.
  private func allowed(_ wanted: NodeAssignment, after known: NodeStore.Known) throws -> NodeAssignment {
    guard let verified = known.verified?.wanted, let refusal = wanted.refusal(after: verified) else { return wanted }
    let next = known.nextRevision
    if force {
      Console.error("revision \(wanted.revision) of the file is applied as revision \(next)")
      return NodeAssignment(revision: next, gpus: wanted.gpus)
    }
    throw CommandFailure(
      .checkFailed,
      (refusal == .conflict
        ? "revision_conflict: revision \(wanted.version) was verified with other contents"
        : "revision_stale: revision \(wanted.version) is older than \(verified.version), which was verified")
        + "; give the file a higher revision, or --force applies it as revision \(next)")
  }

  private static func report(_ outcome: ApplyOutcome, revision: Int) throws {
    switch outcome {
    case .verified(let owned, let lost):
      for gpu in lost {
        Console.error(
          "\(gpu.gpu) does not answer (\(gpu.code)): \(gpu.owned.count) instances there are left as they are")
      }
      print("verified: revision \(revision), \(owned.count) instances")
    case .refused(let problems):
      throw CommandFailure(.checkFailed, "nothing was changed\n" + problems.map(\.description).joined(separator: "\n"))
    case .rolledBack(let failure, _):
      throw CommandFailure(.checkFailed, "undone and verified as before; failed was \(failure)")
    case .stuck(let failure, let rollback, _):
      throw CommandFailure(.unexpected, "failed was \(failure)\nand on the way back \(rollback)")
    }
  }
}

/// `parva node diff`: the steps between what is and what a file says.
struct NodeDiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Print the steps from the GPUs' state to what a file says. Exit code 4 when any are needed.")

  @OptionGroup var options: NodeDriverOptions
  @OptionGroup var file: NodeFileOptions

  func run() throws {
    let (steps, unread) = try nodeSteps(options, file)
    for step in steps { print(step) }
    for line in unread { Console.error(line) }
    if !steps.isEmpty || !unread.isEmpty { throw CommandFailure(.checkFailed) }
  }
}

/// `parva node assert`: whether the GPUs are as a file says.
struct NodeAssertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "assert", abstract: "Exit with 0 when the GPUs are as a file says, with 4 when they are not.")

  @OptionGroup var options: NodeDriverOptions
  @OptionGroup var file: NodeFileOptions

  func run() throws {
    let (steps, unread) = try nodeSteps(options, file)
    if !unread.isEmpty { throw CommandFailure(.checkFailed, unread.joined(separator: "\n")) }
    if !steps.isEmpty { throw CommandFailure(.checkFailed, "the GPUs differ: \(steps.count) steps are needed") }
  }
}

/// The steps that a file needs, and a line for each GPU of it that cannot be read.
private func nodeSteps(
  _ options: NodeDriverOptions, _ file: NodeFileOptions
) throws -> (steps: [ApplyStep], unread: [String]) {
  let driver = try options.opened()
  let store = NodeStore(reading: options.directory)
  do {
    let node = try options.observe(driver)
    let wanted = try file.wanted(on: node, known: try options.known())
    let plan = try ApplyRunner(driver: driver, store: store).dryRun(
      wanted, options: ApplyPlanner.Options(manageMIGMode: true, adopt: file.adopt))
    // A GPU that the node has not at all was refused; one that is missing now is lost.
    let answering = Set(node.gpus.filter { $0.fault == nil }.map(\.uuid))
    let unread = wanted.gpus.filter { !$0.instances.isEmpty && !answering.contains($0.uuid) }.map { gpu in
      let code = plan.lost.first { $0.gpu == gpu.uuid }?.code ?? node.gpus.first { $0.uuid == gpu.uuid }?.fault
      return "\(gpu.uuid) does not answer (\(code ?? DriverError.notFound)): nothing can be said of the "
        + "\(gpu.instances.count) instances there"
    }
    let steps = plan.steps
    return (steps, unread)
  } catch let refusal as ApplyRefusal {
    throw CommandFailure(.checkFailed, refusal.description)
  } catch let failure as ApplyJournal.Failure {
    throw CommandFailure(.unexpected, "\(failure.code): \(failure)")
  }
}

/// `parva node export`: the GPUs' state in another tool's form, or ours.
struct NodeExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Print the GPUs' MIG instances as a file that apply reads.")

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case migParted = "mig-parted"
    case json
  }

  @OptionGroup var options: NodeDriverOptions
  @Option(name: .long, help: "Form of the file; mig-parted's has no placements.")
  var format: Format = .json

  func run() throws {
    let node = try options.observe(try options.opened())
    let known = Result { try options.known() }
    let lost = (try? known.get())?.lost(on: node) ?? []
    for gpu in node.gpus where gpu.fault != nil && !lost.contains(where: { $0.gpu == gpu.uuid }) {
      Console.error("GPU \(gpu.index) does not answer (\(gpu.fault ?? "")): the file says nothing of what stands there")
    }
    switch format {
    case .migParted:
      for (gpu, owned) in lost {
        Console.error("\(gpu) does not answer: the \(owned.count) instances on record there are not in the file")
      }
      do {
        try Console.write(MigPartedWriter.yaml(try MigPartedMapping.export(node)))
      } catch let refusal as MigPartedMapping.Refusal {
        throw CommandFailure(.checkFailed, "\(refusal.code): \(refusal.message)")
      }
    case .json:
      // A plan without a GPU ends what Parva has there: what is on record stays wanted.
      for (gpu, owned) in lost {
        Console.error(
          "\(gpu) does not answer: the \(owned.count) instances there are in the file as they are on record")
      }
      let answering = node.gpus.filter { $0.mig?.current == true }.map { gpu in
        WantedGPU(
          uuid: gpu.uuid,
          instances: gpu.instances.map { WantedInstance(profileID: $0.profileID, start: $0.start) })
      }
      let silent = lost.map { gpu, owned in
        WantedGPU(
          uuid: gpu, instances: owned.map { WantedInstance(profileID: $0.place.profileID, start: $0.place.start) })
      }
      let wanted = NodeAssignment(revision: try known.get().nextRevision, gpus: answering + silent)
      try Console.write(try WireWriter.json(wanted, isForPeople: true) + Data("\n".utf8))
    }
  }
}
