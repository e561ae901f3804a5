import ArgumentParser
import Foundation
import ParvaControl
import ParvaFormats

/// `parva token`: who may come in to a controller.
struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Make, list and revoke the bearer tokens of a controller; needs the role admin.",
    subcommands: [TokenCreateCommand.self, TokenListCommand.self, TokenRevokeCommand.self])
}

/// `parva token create`.
struct TokenCreateCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Make a token, and print it: it is shown this once.",
    discussion: """
      parva token create --role node --node gpu7 --ttl 365d > gpu7.token, with umask 077. Standard output has the token \
      alone, standard error says what it is good for.
      """)

  @Option(
    name: .long, help: "What it allows: \(AccessRole.allCases.map(\.rawValue).joined(separator: ", ")).",
    completion: .list(AccessRole.allCases.map(\.rawValue)))
  var role: String

  @Option(name: .long, help: "Its name, in lists and logs (default: the node's, with --role node).")
  var name: String?

  @Option(name: .long, help: "The node that it speaks for, with --role node.")
  var node: String?

  @Option(name: .long, help: "The one namespace that it sees and changes, with --role reader or operator.")
  var namespace: String?

  @Option(name: .long, help: "How long it lasts, as 45s, 90m, 12h or 30d (default: until it is revoked).")
  var ttl: String?

  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .text

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard let known = AccessRole(rawValue: role) else {
      throw ValidationError("--role must be \(AccessRole.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    guard (known == .node) == (node != nil) else { throw ValidationError("--role node and --node go together.") }
    guard name != nil || node != nil else { throw ValidationError("Name the token with --name.") }
    if let name, !TokenSpecReader.isName(name) {
      throw ValidationError("--name must be \(TokenSpecReader.nameRule).")
    }
    if let namespace {
      guard Namespace.isName(namespace) else { throw ValidationError("--namespace must be \(Namespace.nameRule).") }
      guard TokenSpecReader.boundRoles.contains(role) else {
        throw ValidationError("--namespace goes with --role \(TokenSpecReader.boundRoles.joined(separator: " or ")).")
      }
    }
    if let ttl, TokenSpecReader.seconds(ttl) == nil {
      throw ValidationError("--ttl must be \(TokenSpecReader.lifetimeRule).")
    }
  }

  func run() async throws {
    let members = ["role": role, "name": name, "node": node, "namespace": namespace, "ttl": ttl].compactMapValues { $0 }
    let outcome = try await trial.send(
      "POST", "/v1/tokens", body: try WireWriter.json(members), to: try server.connection())
    if trial.isOn {
      try Console.write("a token of the role \(role) named \(name ?? node ?? "") would be made\n")
      return try trial.finish(outcome.changes)
    }
    let made = try ServerConnection.value(of: outcome.response)
    guard format == .text else {
      return try Console.write(try WireWriter.json(made, isForPeople: true) + Data("\n".utf8))
    }
    guard let token = made["token"].text, let id = made["id"].text else {
      throw CommandFailure(.unexpected, "the server's answer holds no token; is it a Parva controller?")
    }
    let end = made["expiresAt"].text.map { "until \($0)" } ?? "until it is revoked"
    Console.error("\(id) (\(made["name"].text ?? ""), \(role)), \(end); it is shown this once")
    try Console.write(token + "\n")
  }
}

/// `parva token list`.
struct TokenListCommand: AsyncParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, yaml, name }

  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show the tokens that were made, without what lets in.")

  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .table

  @Flag(name: .long, help: "Draw tables in plain ASCII; the default where the locale is not UTF-8.")
  var ascii = false

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let rows = try await server.connection().rows("/v1/tokens", "tokens", most: 1000)
    let document = JSONValue.object(["tokens": .list(rows)])
    switch format {
    case .table: try Console.write(Self.table(rows, Console.style(ascii: ascii)))
    case .json: try Console.write(try WireWriter.json(document, isForPeople: true) + Data("\n".utf8))
    case .yaml: try Console.write(try document.yaml())
    case .name: try Console.write(rows.map { "\($0["id"].text ?? "")\n" }.joined())
    }
  }

  private static func table(_ rows: [JSONValue], _ style: TextStyle) -> String {
    guard !rows.isEmpty else { return "no tokens\n" }
    let columns = [
      ("token", "id"), ("name", "name"), ("role", "role"), ("node", "node"), ("namespace", "namespace"),
      ("made", "createdAt"),
      ("by", "createdBy"), ("ends", "expiresAt"), ("used", "lastUsedAt"),
    ]
    var table = TextTable(columns.map { ($0.0, TextTable.Alignment.left) })
    for row in rows.sorted(by: { ($0["name"].text ?? "") < ($1["name"].text ?? "") }) {
      table.add(columns.map { row[$0.1].text ?? "" })
    }
    return table.lines(style).joined(separator: "\n") + "\n"
  }
}

/// `parva token revoke`.
struct TokenRevokeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Take tokens away: they let nobody in any more, and what they opened ends.")

  @Argument(help: "Ids, as parva token list shows them.", completion: NameCompletion.tokens)
  var ids: [String]

  @OptionGroup var trial: DryRunOption
  @OptionGroup var server: ServerOptions

  func validate() throws {
    guard !ids.contains(where: { $0.hasPrefix(TokenSecret.prefix) }) else {
      throw ValidationError("That is a token; ids are shown by parva token list.")
    }
  }

  func run() async throws {
    let connection = try server.connection()
    var changes = false
    for id in ids {
      let outcome = try await trial.send("DELETE", "/v1/tokens/\(ServerConnection.escaped(id))", to: connection)
      changes = changes || outcome.changes
      try Console.write(trial.isOn ? "\(id) would be revoked\n" : "\(id) revoked\n")
    }
    try trial.finish(changes)
  }
}
