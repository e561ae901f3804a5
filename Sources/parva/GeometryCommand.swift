import ArgumentParser
import ParvaEngine
import ParvaFormats

/// `parva geometry`: what a GPU product can be cut into.
struct GeometryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "geometry",
    abstract: "Show the instance profiles of a GPU product, where they may stand, and how a GPU may be cut.",
    discussion: "Without a product: a line for each product that is known.")

  @Argument(help: "Name of the product, for example A100-80GB.")
  var product: String?

  @OptionGroup var output: OutputOptions

  func run() throws {
    let products: [GPUProduct]
    if let product {
      guard let found = ProductCatalogue.product(named: product) else {
        throw ValidationError(
          "Unknown product '\(product)'; known are \(ProductCatalogue.all.map(\.name).joined(separator: ", ")).")
      }
      products = [found]
    } else {
      products = ProductCatalogue.all
    }
    switch output.format {
    case .json: try Console.write(GeometryWriter.json(products))
    case .yaml: try Console.write(GeometryWriter.yaml(products))
    case .csv: try Console.write(GeometryWriter.csv(products))
    case .table:
      if product != nil {
        try Console.write(GeometryWriter.text(products[0], style: output.style))
      } else {
        try Console.write(GeometryWriter.list(products, style: output.style))
      }
    }
  }
}
