package import Foundation
package import ParvaEngine

/// Writes profiles so that ``ProfileReader`` reads them back equal.
package enum ProfileWriter {
  package static func json(_ profiles: [ModelProfile]) -> Data { document(profiles, .json) }
  package static func yaml(_ profiles: [ModelProfile]) -> Data { document(profiles, .yaml) }

  /// One profile as ``ProfileReader/readOne(_:model:product:)`` reads it.
  package static func json(_ profile: ModelProfile) -> Data {
    var writer = DocumentWriter(.json)
    writer.object { write(profile, &$0) }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func document(_ profiles: [ModelProfile], _ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { root in
      root.array("profiles") { list in
        for profile in profiles { list.object { write(profile, &$0) } }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  /// The members of one profile, into an object that may have others.
  package static func write(_ profile: ModelProfile, _ object: inout DocumentWriter) {
    object.field("model", profile.model)
    object.field("product", profile.product)
    if let namespace = profile.namespace { object.field("namespace", namespace) }
    object.field("source", profile.source.rawValue)
    object.array("points") { list in
      for point in profile.points {
        list.object(inline: true) {
          $0.field("profile", name(of: point.place, on: profile.product))
          $0.field("batch", point.batch)
          $0.field("processes", point.processes)
          $0.field("throughput", point.throughput)
          $0.field("latencyMs", point.latencyMs)
          if let memory = point.memoryMiB { $0.field("memoryMiB", memory) }
          if point.source != profile.source { $0.field("source", point.source.rawValue) }
          if point.margin > 0 { $0.field("margin", point.margin) }
        }
      }
      for place in profile.misfits {
        list.object(inline: true) {
          $0.field("profile", name(of: place, on: profile.product))
          $0.field("batch", place.batch)
          $0.field("processes", place.processes)
          $0.field("throughput", 0)
          $0.field("latencyMs", 0)
        }
      }
    }
  }

  private static func name(of place: ProfilePlace, on product: String) -> String {
    ProductCatalogue.product(named: product)?.profiles[place.profile].name ?? String(place.profile)
  }

  /// Parva's own CSV.
  package static func csv(_ profiles: [ModelProfile]) -> Data {
    var text = "model,product,profile,batch,processes,throughput,latency_ms,memory_mib,source,margin\n"
    for profile in profiles {
      for point in profile.points {
        text +=
          "\(profile.model),\(profile.product),\(name(of: point.place, on: profile.product)),\(point.batch),"
          + "\(point.processes),\(point.throughput),\(point.latencyMs),\(point.memoryMiB?.description ?? ""),"
          + "\(point.source.rawValue),\(point.margin > 0 ? point.margin.description : "")\n"
      }
      for place in profile.misfits {
        text +=
          "\(profile.model),\(profile.product),\(name(of: place, on: profile.product)),\(place.batch),"
          + "\(place.processes),0,0,,,\n"
      }
    }
    return Data(text.utf8)
  }

  /// One line a model.
  package static func list(_ profiles: [ModelProfile], style: TextStyle) -> String {
    var table = TextTable([
      ("model", .left), ("product", .left), ("source", .left), ("points", .right), ("batches", .right),
      ("processes", .right), ("best/s per slice", .right), ("least exec ms", .right),
    ])
    for profile in profiles {
      let product = ProductCatalogue.product(named: profile.product)
      let best = profile.points.map { point in
        point.throughput / Double(product?.profiles[point.profile].computeSlices ?? 1)
      }.max()
      table.add([
        profile.model, profile.product, profile.source.rawValue, String(profile.points.count),
        span(profile.points.map(\.batch)), span(profile.points.map(\.processes)),
        best.map(Figures.plain) ?? "-", profile.points.map(\.latencyMs).min().map(Figures.plain) ?? "-",
      ])
    }
    return (table.lines(style) + [sourceLine(profiles)]).joined(separator: "\n") + "\n"
  }

  /// Every point of the profiles.
  package static func text(_ profiles: [ModelProfile], style: TextStyle) -> String {
    var table = TextTable([
      ("model", .left), ("product", .left), ("instance", .left), ("batch", .right), ("processes", .right),
      ("throughput/s", .right), ("exec ms", .right), ("memory MiB", .right), ("source", .left), ("margin", .right),
    ])
    for profile in profiles {
      for point in profile.points {
        table.add([
          profile.model, profile.product, name(of: point.place, on: profile.product), String(point.batch),
          String(point.processes), Figures.plain(point.throughput), Figures.plain(point.latencyMs),
          point.memoryMiB.map { Figures.fixed($0, 0) } ?? "-", point.source.rawValue,
          point.margin > 0 ? "+" + Figures.percent(point.margin) : "-",
        ])
      }
    }
    return (table.lines(style) + [sourceLine(profiles)]).joined(separator: "\n") + "\n"
  }

  private static func span(_ values: [Int]) -> String {
    guard let least = values.min(), let most = values.max() else { return "-" }
    return least == most ? "\(least)" : "\(least)-\(most)"
  }

  private static func sourceLine(_ profiles: [ModelProfile]) -> String {
    guard let first = profiles.first?.source else { return "no profiles" }
    return "profiles: \(profiles.reduce(first) { $0.merged(with: $1.source) }.rawValue)"
  }
}
