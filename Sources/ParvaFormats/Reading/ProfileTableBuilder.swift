import ParvaEngine

/// Gathers the points of one input into model profiles and refuses what contradicts itself.
///
/// Every profile format ends here, so all share one set of checks.
struct ProfileTableBuilder {
  /// One point as it came: throughput of all processes, in requests per second; latency in milliseconds.
  struct Entry {
    var model: String
    var product: GPUProduct
    var namespace: String?
    /// Index into the product's profiles.
    var profile: Int
    var batch: Int
    var processes: Int
    var throughput: Double
    var latencyMs: Double
    var memoryMiB: Double?
    var source: ProfileSource
    var margin = 0.0

    var place: ProfilePlace { ProfilePlace(profile: profile, batch: batch, processes: processes) }
  }

  private struct Key: Hashable {
    var model: String
    var product: String
    var namespace: String?

    init(_ entry: Entry) {
      (model, product, namespace) = (entry.model, entry.product.name, entry.namespace)
    }
  }

  private struct Table {
    var points: [ProfilePoint] = []
    var misfits: [ProfilePlace] = []
    var seen: [ProfilePlace: String] = [:]
  }

  private var tables: [Key: Table] = [:]

  /// Takes one point in. A point that did not fit (throughput 0) becomes a misfit.
  ///
  /// - Parameters:
  ///   - name: how a person finds the point again, for the refusal of a second one.
  ///   - refuse: makes the refusal at the point's place, for the field named.
  mutating func add(
    _ entry: Entry, named name: String, _ refusals: inout Refusals,
    refuse: (InputError.Code, String, String, String?) -> InputError
  ) {
    let before = refusals.count
    if !Names.isModel(entry.model) {
      refusals.add(refuse(.invalidName, "model must be \(Names.modelRule)", "model", entry.model))
    }
    if let message = RangeCheck.message("batch", entry.batch, InputLimits.batch) {
      refusals.add(refuse(.outOfRange, message, "batch", String(entry.batch)))
    }
    if let message = RangeCheck.message("processes", entry.processes, InputLimits.processes) {
      refusals.add(refuse(.outOfRange, message, "processes", String(entry.processes)))
    }
    let fits = entry.throughput != 0
    if fits {
      let throughput = RangeCheck.message("throughput", entry.throughput, InputLimits.rate, unit: "requests/s")
      if let throughput {
        let text = throughput + "; 0 says that it did not fit"
        refusals.add(refuse(.outOfRange, text, "throughput", RangeCheck.plain(entry.throughput)))
      }
      if let message = RangeCheck.message("latency", entry.latencyMs, InputLimits.latencyMs, unit: "ms") {
        refusals.add(refuse(.outOfRange, message, "latency", RangeCheck.plain(entry.latencyMs)))
      }
    } else if entry.latencyMs != 0 {
      refusals.add(
        refuse(
          .contradiction, "throughput 0 says that it did not fit, so latency must be 0 too", "latency",
          RangeCheck.plain(entry.latencyMs)))
    }
    if let memory = entry.memoryMiB, let message = RangeCheck.message("memory", memory, InputLimits.memoryMiB) {
      refusals.add(refuse(.outOfRange, message, "memory", RangeCheck.plain(memory)))
    }
    if let message = RangeCheck.message("margin", entry.margin, InputLimits.margin) {
      refusals.add(refuse(.outOfRange, message, "margin", RangeCheck.plain(entry.margin)))
    }
    var table = tables.removeValue(forKey: Key(entry)) ?? Table()
    if let first = table.seen.updateValue(name, forKey: entry.place) {
      refusals.add(
        refuse(
          .duplicate, "the same profile, batch and processes stand already at \(first)", "batch", nil))
    }
    if refusals.count == before {
      if fits {
        table.points.append(
          ProfilePoint(
            profile: entry.profile, batch: entry.batch, processes: entry.processes, throughput: entry.throughput,
            latencyMs: entry.latencyMs, memoryMiB: entry.memoryMiB, source: entry.source, margin: entry.margin))
      } else {
        table.misfits.append(entry.place)
      }
    }
    tables[Key(entry)] = table
  }

  /// The profiles gathered, by product and model.
  var profiles: [ModelProfile] {
    tables.map { key, table in
      ModelProfile(
        model: key.model, product: key.product, source: table.points.map(\.source).merged, points: table.points,
        misfits: table.misfits, namespace: key.namespace)
    }.sorted { ($0.product, $0.model, $0.namespace ?? "") < ($1.product, $1.model, $1.namespace ?? "") }
  }
}

extension InputError {
  /// The refusal of a product name, with the names that are known.
  static func unknownProduct(_ name: String, file: String? = nil, line: Int? = nil) -> InputError {
    InputError(
      .unknownProduct,
      "unknown product \"\(shortened(name))\"; known are \(ProductCatalogue.all.map(\.name).joined(separator: ", "))",
      file: file, line: line, value: name)
  }

  /// The refusal of an instance profile's name, with those of the product.
  static func unknownProfile(_ name: String, _ product: GPUProduct, file: String?, line: Int?) -> InputError {
    InputError(
      .unknownProfile,
      "\(product.name) has no profile \"\(shortened(name))\"; it has "
        + product.profiles.map(\.name).joined(separator: ", "), file: file, line: line, value: name)
  }
}
