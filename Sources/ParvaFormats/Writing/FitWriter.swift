package import Foundation
package import ParvaEngine

/// Writes what a fit says of itself, and which places are to be measured.
package enum FitWriter {
  /// One line a model: how much was measured and filled, and how far it errs.
  package static func report(_ fits: [FittedProfile], style: TextStyle) -> String {
    var table = TextTable([
      ("model", .left), ("product", .left), ("measured", .right), ("misfits", .right), ("filled", .right),
      ("left out", .right), ("cross-validated error", .right), ("worst", .right), ("expected error", .right),
      ("margins", .right),
    ])
    for fit in fits {
      let margins = fit.margins
      table.add([
        fit.profile.model, fit.profile.product, String(fit.measured), String(fit.misfits), String(fit.filled),
        String(fit.unproven), Figures.percent(fit.crossValidatedError), Figures.percent(fit.worstCrossValidatedError),
        Figures.percent(fit.expectedError),
        fit.filled == 0 ? "-" : "\(Figures.fixed(margins.least * 100, 0))-\(Figures.percent(margins.most, 0))",
      ])
    }
    var lines = table.lines(style)
    if fits.contains(where: { $0.unproven > 0 }) {
      lines.append(
        "left out: nothing measured proves that they fit into memory; where larger batches are measured, more are filled"
      )
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// One line a model, and their means: what fits foretold of points that were held out.
  package static func trials(_ trials: [(fit: FittedProfile, trial: FitTrial)], style: TextStyle) -> String {
    var table = TextTable([
      ("model", .left), ("product", .left), ("seen", .right), ("held out", .right), ("true error", .right),
      ("filled of them", .right), ("true error", .right), ("expected error", .right), ("slower than filled", .right),
      ("filled misfits", .right),
    ])
    for (fit, trial) in trials {
      table.add([
        fit.profile.model, fit.profile.product, String(fit.measured + fit.misfits), String(trial.heldOut),
        Figures.percent(trial.meanError), String(trial.filled), Figures.percent(trial.meanFilledError),
        Figures.percent(fit.expectedError), String(trial.slower), String(trial.misfits),
      ])
    }
    let count = Double(max(1, trials.count))
    table.add([
      "mean", "", "", "", Figures.percent(trials.reduce(0) { $0 + $1.trial.meanError } / count), "",
      Figures.percent(trials.reduce(0) { $0 + $1.trial.meanFilledError } / count),
      Figures.percent(trials.reduce(0) { $0 + $1.fit.expectedError } / count), "", "",
    ])
    return table.lines(style).joined(separator: "\n") + "\n"
  }

  /// The model's parameters, one line a model.
  package static func parameters(_ fits: [FittedProfile], style: TextStyle) -> String {
    var table = TextTable([
      ("model", .left), ("launch ms", .right), ("per sample ms", .right), ("saturated ms", .right),
      ("batch overhead", .right), ("size exponent", .right), ("blend", .right), ("contention", .right),
      ("crowding", .right),
    ])
    for fit in fits {
      let values = fit.parameters
      table.add([
        fit.profile.model, Figures.fixed(values.launchMs, 3), Figures.fixed(values.perSampleMs, 4),
        Figures.fixed(values.saturatedMs, 4), Figures.fixed(values.batchOverhead, 3),
        Figures.fixed(values.sizeExponent, 3), Figures.fixed(values.blend, 2), Figures.fixed(values.contention, 4),
        Figures.fixed(values.crowding, 3),
      ])
    }
    return table.lines(style).joined(separator: "\n") + "\n"
  }

  /// The places as a table in the order in which they tell most.
  package static func places(_ places: [ProfilePlace], on product: GPUProduct, style: TextStyle) -> String {
    var table = TextTable([
      ("#", .right), ("instance", .left), ("batch", .right), ("processes", .right), ("requests at once", .right),
    ])
    for (index, place) in places.enumerated() {
      table.add([
        String(index + 1), product.profiles[place.profile].name, String(place.batch), String(place.processes),
        String(place.batch * place.processes),
      ])
    }
    return table.lines(style).joined(separator: "\n") + "\n"
  }

  /// The places as a form to fill in: Parva's own profile CSV without its figures.
  package static func form(_ places: [ProfilePlace], model: String, on product: GPUProduct) -> Data {
    var text = "model,product,profile,batch,processes,throughput,latency_ms,memory_mib\n"
    for place in places {
      text +=
        "\(model),\(product.name),\(product.profiles[place.profile].name),\(place.batch),\(place.processes),,,\n"
    }
    return Data(text.utf8)
  }

  package static func json(_ places: [ProfilePlace], on product: GPUProduct) -> Data {
    document(places, product, .json)
  }
  package static func yaml(_ places: [ProfilePlace], on product: GPUProduct) -> Data {
    document(places, product, .yaml)
  }

  private static func document(
    _ places: [ProfilePlace], _ product: GPUProduct, _ style: DocumentWriter.Style
  ) -> Data {
    var writer = DocumentWriter(style)
    writer.object { root in
      root.field("product", product.name)
      root.array("places") { list in
        for place in places {
          list.object(inline: true) {
            $0.field("profile", product.profiles[place.profile].name)
            $0.field("batch", place.batch)
            $0.field("processes", place.processes)
          }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }
}
