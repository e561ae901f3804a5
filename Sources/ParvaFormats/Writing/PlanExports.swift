package import Foundation
package import ParvaEngine

/// A form in which plans are given.
package struct PlanExport: Sendable {
  package let format: DocumentFormat
  /// The plan as bytes, under its name where it is published; the style is for what people read.
  package let write: @Sendable (Plan, PlanIdentity?, TextStyle) -> Data

  package init(
    _ format: DocumentFormat, write: @escaping @Sendable (Plan, PlanIdentity?, TextStyle) -> Data
  ) {
    self.format = format
    self.write = write
  }
}

/// The forms there are: `parva plan -o` and `Accept` of `GET /v1/plan` take what is here, the first by default of the latter.
package enum PlanExports {
  package static let all = [
    PlanExport(.json) { plan, identity, _ in PlanWriter.json(plan, as: identity) },
    PlanExport(.yaml) { plan, identity, _ in PlanWriter.yaml(plan, as: identity) },
    PlanExport(.csv) { plan, _, _ in PlanWriter.csv(plan) },
    PlanExport(.table) { plan, _, style in Data(PlanPicture(plan, style: style).text().utf8) },
  ]

  package static func named(_ name: String) -> PlanExport? { all.first { $0.format.name == name } }
}
