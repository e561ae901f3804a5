import ArgumentParser
import ParvaEngine
import ParvaFormats

/// `parva profiles`: what is known about models.
struct ProfilesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profiles", abstract: "Look at the profiles of models, and make them from a few measurements.",
    subcommands: [Show.self, Fit.self, Suggest.self])

  /// `parva profiles show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show",
      abstract: "Show the profiles that a plan would be made from.",
      discussion: """
        Without a model: a line for each. What -o json, yaml or csv prints can be given back as --profiles.
        """)

    @Argument(help: "Name of a model, to see all its points.")
    var model: String?

    @OptionGroup var source: ProfileOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
      var profiles = try source.catalogue().all
      if let product = source.product {
        let resolved = try source.resolvedProduct()
        profiles = profiles.filter { $0.product == resolved.name }
        if profiles.isEmpty { throw CommandFailure(.badInput, "there are no profiles on \(product)") }
      }
      if let model {
        let known = profiles.map(\.model)
        profiles = profiles.filter { $0.model == model }
        if profiles.isEmpty {
          throw CommandFailure(
            .badInput, "there is no profile of \"\(model)\"; there are \(known.joined(separator: ", "))")
        }
      }
      switch output.format {
      case .json: try Console.write(ProfileWriter.json(profiles))
      case .yaml: try Console.write(ProfileWriter.yaml(profiles))
      case .csv: try Console.write(ProfileWriter.csv(profiles))
      case .table:
        let style = output.style
        try Console.write(
          model == nil ? ProfileWriter.list(profiles, style: style) : ProfileWriter.text(profiles, style: style))
      }
    }
  }
}
