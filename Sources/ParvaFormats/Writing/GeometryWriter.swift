package import Foundation
package import ParvaEngine

/// Writes what is known of GPU products: instance profiles, where they may stand, and how a GPU may be cut.
package enum GeometryWriter {
  package static func json(_ products: [GPUProduct]) -> Data { document(products, .json) }
  package static func yaml(_ products: [GPUProduct]) -> Data { document(products, .yaml) }

  private static func document(_ products: [GPUProduct], _ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { root in
      root.array("products") { list in
        for product in products { list.object { write(product, style, &$0) } }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func write(_ product: GPUProduct, _ style: DocumentWriter.Style, _ object: inout DocumentWriter) {
    object.field("name", product.name)
    object.field("architecture", product.architecture)
    object.field("computeSlices", product.computeSlices)
    object.field("axisLength", product.axisLength)
    object.field("migModeChangeNeedsReset", product.migModeChangeNeedsReset)
    object.array("boards") { list in for board in product.boards { list.element(board) } }
    object.array("profiles") { list in
      for profile in product.profiles {
        list.object(inline: style == .json) { item in
          item.field("name", profile.name)
          item.field("profileId", profile.driverProfileID)
          item.field("computeSlices", profile.computeSlices)
          item.field("size", profile.placementSize)
          item.array("starts", inline: true) { starts in for start in profile.starts { starts.element(start) } }
          item.field("maxInstances", profile.maxInstances)
          item.field("memoryMiB", profile.memoryMiB)
          item.field("smCount", profile.smCount)
          item.field("planned", profile.isPlain)
          item.array("inferred", inline: true) { facts in for fact in profile.inferred { facts.element(fact) } }
        }
      }
    }
    let cuts = CutTable(product)
    object.array("maximalPlacements") { list in
      for placements in cuts.maximalPlacements {
        list.array(inline: true) { write(placements, product, &$0) }
      }
    }
    object.array("cuts") { list in
      for cut in cuts.maximalCuts {
        list.array(inline: true) { write(cut.placements, product, &$0) }
      }
    }
    object.array("sources") { list in
      for source in product.sources { list.element(ProductCatalogue.sources[source] ?? source) }
    }
  }

  private static func write(_ placements: [Placement], _ product: GPUProduct, _ list: inout DocumentWriter) {
    for placement in placements {
      list.object {
        $0.field("profile", product.profiles[placement.profile].name)
        $0.field("start", placement.start)
      }
    }
  }

  /// One row an instance profile.
  package static func csv(_ products: [GPUProduct]) -> Data {
    var text =
      "product,profile,profile_id,compute_slices,size,starts,max_instances,memory_mib,sm_count,planned,inferred\n"
    for product in products {
      for profile in product.profiles {
        text +=
          "\(product.name),\(profile.name),\(profile.driverProfileID),\(profile.computeSlices),"
          + "\(profile.placementSize),\(profile.starts.map(String.init).joined(separator: " ")),"
          + "\(profile.maxInstances),\(profile.memoryMiB.map(String.init) ?? ""),"
          + "\(profile.smCount.map(String.init) ?? ""),\(profile.isPlain),\(profile.inferred.joined(separator: " "))\n"
      }
    }
    return Data(text.utf8)
  }

  /// One line a product.
  package static func list(_ products: [GPUProduct], style: TextStyle) -> String {
    var table = TextTable([
      ("product", .left), ("architecture", .left), ("slices", .right), ("axis", .right), ("profiles", .right),
      ("cuts", .right), ("boards", .left),
    ])
    for product in products {
      let room = max(20, style.width - 75)
      table.add([
        product.name, product.architecture, String(product.computeSlices), String(product.axisLength),
        String(product.profiles.count), String(CutTable(product).maximalCuts.count),
        style.fitted(product.boards.joined(separator: ", "), room),
      ])
    }
    return table.lines(style).joined(separator: "\n") + "\n"
  }

  /// Everything about one product, for a person.
  package static func text(_ product: GPUProduct, style: TextStyle) -> String {
    var lines = [
      style.bold("\(product.name) (\(product.architecture))"),
      "\(product.computeSlices) compute slices, placement axis of \(product.axisLength) memory slices; changing MIG mode "
        + (product.migModeChangeNeedsReset ? "needs a GPU reset" : "takes effect at once"),
      "",
    ]
    var table = TextTable([
      ("profile", .left), ("id", .right), ("slices", .right), ("size", .right), ("max", .right),
      ("memory MiB", .right), ("SMs", .right), ("starts", .left),
    ])
    for profile in product.profiles {
      let mark = profile.inferred.isEmpty ? "" : " *"
      table.add([
        profile.name + mark, String(profile.driverProfileID), String(profile.computeSlices),
        String(profile.placementSize), String(profile.maxInstances), profile.memoryMiB.map(String.init) ?? "?",
        profile.smCount.map(String.init) ?? "?", profile.starts.map(String.init).joined(separator: " "),
      ])
    }
    lines += table.lines(style)
    let inferred = Set(product.profiles.flatMap(\.inferred)).sorted()
    if !inferred.isEmpty {
      lines.append("* worked out, not read on this product: \(inferred.joined(separator: ", "))")
    }
    let cuts = CutTable(product)
    lines += [
      "", style.bold("\(cuts.maximalPlacements.count) maximal placements, \(cuts.maximalCuts.count) ways to cut:"),
    ]
    lines += bars(cuts, style)
    return lines.joined(separator: "\n") + "\n"
  }

  private static func bars(_ cuts: CutTable, _ style: TextStyle) -> [String] {
    let product = cuts.product
    let rows = cuts.maximalCuts.enumerated().map { number, cut in
      SliceBars.Row(
        labels: ("cut \(number + 1)", ""),
        cells: cut.placements.map { placement in
          let profile = product.profiles[placement.profile]
          return SliceBars.Cell(
            start: placement.start, size: profile.placementSize,
            text: ([profile.name, "\(profile.computeSlices)g"], ["at \(placement.start)", "\(placement.start)"]),
            color: placement.profile)
        })
    }
    return SliceBars(axisLength: product.axisLength, margin: 8, style: style).lines(rows)
  }
}
