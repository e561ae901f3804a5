import ArgumentParser
import Foundation
import ParvaFormats

/// `parva context`: controllers under names of the user's.
struct ContextCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "context", abstract: "Keep controllers under names, and say which one is meant.",
    discussion: "They stand in $PARVA_CONFIG, or in parva/config.yaml of the user's folder of configurations.",
    subcommands: [List.self, Set.self, Use.self, Remove.self])

  /// `parva context list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Show the contexts; * marks the current one.")

    func run() throws {
      let known = try ClientContexts.load()
      for (name, context) in known.contexts.sorted(by: { $0.key < $1.key }) {
        let namespace = context.namespace.map { "  in \($0)" } ?? ""
        try Console.write("\(name == known.current ? "*" : " ") \(name)  \(context.server)\(namespace)\n")
      }
    }
  }

  /// `parva context set`.
  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Make a context, or change one; the first is the current one.",
      discussion: "What is not given stays as it is; an empty text, as --namespace '', takes it away.")

    @Argument(help: "Its name.", completion: NameCompletion.contexts)
    var name: String

    @Option(
      name: .long,
      help: "The controller: http://HOST:PORT, https://HOST:PORT or unix:PATH; of several replicas all, with commas.")
    var server: String?

    @Option(name: .long, help: "File with the bearer token; the token itself is not kept.")
    var tokenFile: String?

    @Option(name: .customLong("ca"), help: "PEM of the authorities that its certificate is checked against.")
    var ca: String?

    @Option(name: .long, help: "PEM of the certificate that is shown to it.")
    var certificate: String?

    @Option(name: .long, help: "PEM of that certificate's key.")
    var key: String?

    @Option(name: .long, help: "Namespace that bare ids are of; 'default' for what has none.")
    var namespace: String?

    func validate() throws {
      if let namespace, !namespace.isEmpty, !Namespace.isName(namespace) {
        throw ValidationError("--namespace '\(namespace)': a namespace's name is \(Namespace.nameRule).")
      }
      if let server, let fault = ServerOptions.fault(server) {
        throw ValidationError("--server '\(server)': \(fault).")
      }
    }

    func run() throws {
      var known = try ClientContexts.load()
      guard let address = server ?? known.contexts[name]?.server else {
        throw ValidationError("A new context needs --server.")
      }
      var context = known.contexts[name] ?? ClientContext(server: address)
      context.server = address
      // Verbs are run from anywhere: what is kept holds there.
      func kept(_ path: String?, _ before: String?) -> String? {
        guard let path else { return before }
        return path.isEmpty ? nil : URL(filePath: path).path(percentEncoded: false)
      }
      context.tokenFile = kept(tokenFile, context.tokenFile)
      context.ca = kept(ca, context.ca)
      context.certificate = kept(certificate, context.certificate)
      context.key = kept(key, context.key)
      context.namespace = namespace.map { $0.isEmpty ? nil : $0 } ?? context.namespace
      guard (context.certificate == nil) == (context.key == nil) else {
        throw ValidationError("--certificate and --key go together.")
      }
      known.contexts[name] = context
      known.current = known.current ?? name
      try known.save()
    }
  }

  /// `parva context use`.
  struct Use: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "use", abstract: "Make a context the current one.")

    @Argument(help: "Its name.", completion: NameCompletion.contexts)
    var name: String

    func run() throws {
      var known = try ClientContexts.load()
      _ = try known.context(named: name)
      known.current = name
      try known.save()
    }
  }

  /// `parva context remove`.
  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "remove", abstract: "Forget a context.")

    @Argument(help: "Its name.", completion: NameCompletion.contexts)
    var name: String

    func run() throws {
      var known = try ClientContexts.load()
      _ = try known.context(named: name)
      known.contexts[name] = nil
      if known.current == name { known.current = nil }
      try known.save()
    }
  }
}
