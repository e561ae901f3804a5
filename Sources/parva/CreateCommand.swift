import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP

/// `parva create`: what is not described by a file of workloads.
struct CreateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create", abstract: "Make a namespace, or put profiles of models.",
    discussion: "Workloads are made by parva apply -f, tokens by parva token create, windows by parva window.",
    subcommands: [Namespace.self, Profile.self])

  /// `parva create namespace`.
  struct Namespace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "namespace",
      abstract: "Make a namespace, with what it may have at most; needs the role admin.",
      discussion: """
        parva create namespace vision --gpus 8 --workloads 200 --rate 50000 --weight 2. What is not given has no bound. With \
        --replace one that is there gets these bounds and keeps those that are not given; 'none' takes one away.
        """, aliases: ["ns"])

    @Argument(help: "Its name.")
    var name: String

    @Option(help: "Most GPUs that plans give it; parts of one count. 'none' is no bound.")
    var gpus: Bound?

    @Option(help: "Most workloads that are registered in it, or 'none'.")
    var workloads: Bound?

    @Option(help: "Most requests/s of all of them together, or 'none'.")
    var rate: Bound?

    @Option(help: "Its weight where GPUs are scarce, 0.001 to 1000 (default: 1).")
    var weight: Double?

    @Flag(help: "One that is there gets these bounds, and keeps what is not given; without it that is refused.")
    var replace = false

    @OptionGroup var trial: DryRunOption
    @OptionGroup var server: ServerOptions

    /// A number, or none.
    struct Bound: ExpressibleByArgument {
      let value: Double?

      init?(argument: String) {
        value = Double(argument)
        if value == nil && argument != "none" { return nil }
      }
    }

    /// - Parameter standing: what is there; null where nothing is.
    private func document(over standing: JSONValue = .null) throws -> Data {
      var quota: [String: JSONValue] = [:]
      for (name, bound) in [("gpus", gpus), ("workloads", workloads), ("rate", rate)] {
        quota[name] =
          bound.map { $0.value.map { .number($0) } }
          ?? (standing["quota"][name] == .null ? nil : standing["quota"][name])
      }
      var members: [String: JSONValue] = ["name": .string(name), "quota": .object(quota)]
      members["weight"] = weight.map { .number($0) } ?? (standing["weight"] == .null ? nil : standing["weight"])
      return try WireWriter.json(JSONValue.object(members))
    }

    /// Judges it as the controller does.
    func validate() throws {
      do {
        _ = try NamespaceSpecReader.read(InputSource(try document(), format: .json))
      } catch let errors as InputErrors {
        throw ValidationError(errors.errors.map(\.message).joined(separator: "\n"))
      }
    }

    func run() async throws {
      let connection = try server.connection()
      let path = "/v1/namespaces"
      let outcome =
        replace
        ? try await trial.put("\(path)/\(ServerConnection.escaped(name))", to: connection) { try document(over: $0) }
        : try await trial.send("POST", path, body: try document(), to: connection)
      let end = outcome.status == 201 ? "created" : "replaced"
      try Console.write("namespaces/\(name) \(trial.isOn ? "would be \(end)" : end)\n")
      try trial.finish(outcome.changes)
    }
  }

  /// `parva create profile`.
  struct Profile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "profile",
      abstract: "Put profiles of a file at a controller, over those that are there.",
      discussion: """
        parva create profile -f mymodel.csv --model mymodel --product A100-80GB. With a namespace's token, or --namespace, they \
        count for the workloads of that namespace alone. parva delete profile lets what was there before show through again.
        """)

    @Option(
      name: [.customShort("f"), .customLong("file")], help: "Profiles as JSON, YAML or CSV; - is standard input.",
      completion: .file())
    var file: String

    @Option(help: "Model of a file in the published format (default: the file's name).")
    var model: String?

    @Option(
      help: "GPU product that such a file was measured on (default: \(ProfileReader.defaultProduct)).",
      completion: .list(ProductCatalogue.all.map(\.name)))
    var product: String?

    @OptionGroup var scope: ScopeOptions
    @OptionGroup var trial: DryRunOption
    @OptionGroup var server: ServerOptions

    func validate() throws { _ = try measured }

    private var measured: GPUProduct {
      get throws {
        let name = product ?? ProfileReader.defaultProduct
        guard let found = ProductCatalogue.product(named: name) else {
          throw ValidationError(
            "Unknown product '\(name)'; known are \(ProductCatalogue.all.map(\.name).joined(separator: ", ")).")
        }
        return found
      }
    }

    func run() async throws {
      let profiles = try ProfileReader.read(try InputSource.load(file), model: model, product: try measured)
      let connection = try server.connection()
      let scope = try await scope.scope(connection)
      if let name = scope.name, let other = profiles.lazy.compactMap(\.namespace).first(where: { $0 != name }) {
        throw CommandFailure(
          .badInput, "\(file): a profile is of the namespace \(other), and only \(name) is spoken of")
      }
      let kind = try ResourceKind.named("profiles")
      var (changes, refused) = (false, false)
      for profile in profiles {
        let view = ResourceView(scope: scope, product: profile.product)
        do {
          let outcome = try await trial.put(
            try view.path(kind, to: profile.model), to: connection
          ) { _ in ProfileWriter.json(profile) }
          changes = changes || outcome.changes
          let end = outcome.status == 201 ? "created" : "replaced"
          try Console.write(
            "profiles/\(profile.model) on \(profile.product) \(trial.isOn ? "would be \(end)" : end)\n")
        } catch let failure as CommandFailure {
          Console.error("profiles/\(profile.model) on \(profile.product): \(failure.message ?? "")")
          if failure.status != .badInput { throw CommandFailure(failure.status) }
          refused = true
        }
      }
      if refused { throw CommandFailure(.badInput) }
      try trial.finish(changes)
    }
  }
}
