import ParvaEngine

/// The planning input and the plan as bytes, for the way between the controller and the process that plans.
///
/// Both ends are the same program, so there is no version and nothing optional but what the values themselves leave out.
enum PlanningCodec {}

/// Products of one message: each is written once, at its first use.
struct ProductTable {
  private var products: [GPUProduct] = []

  mutating func write(_ product: GPUProduct, to writer: inout ByteWriter) {
    // Few products occur in a fleet, and equal ones share their arrays, which makes comparing quick.
    if let number = products.firstIndex(of: product) { return writer.count(number) }
    writer.count(products.count)
    products.append(product)
    PlanningCodec.write(product, to: &writer)
  }

  mutating func read(from reader: inout ByteReader) throws(ByteReader.Malformed) -> GPUProduct {
    let number = try reader.index()
    if number < products.count { return products[number] }
    guard number == products.count else { throw ByteReader.Malformed(description: "there is no product \(number)") }
    let product = try PlanningCodec.product(from: &reader)
    products.append(product)
    return product
  }
}

extension PlanningCodec {
  fileprivate static func write(_ product: GPUProduct, to writer: inout ByteWriter) {
    writer.text(product.name)
    writer.text(product.architecture)
    writer.integer(product.computeSlices)
    writer.integer(product.axisLength)
    writer.flag(product.migModeChangeNeedsReset)
    writer.list(product.boards) { $0.text($1) }
    writer.list(product.sources) { $0.text($1) }
    writer.list(product.profiles) { writer, profile in
      writer.text(profile.name)
      writer.integer(profile.driverProfileID)
      writer.optional(profile.nvmlProfile) { $0.integer($1) }
      writer.integer(profile.computeSlices)
      writer.integer(profile.placementSize)
      writer.list(profile.starts) { $0.integer($1) }
      writer.integer(profile.maxInstances)
      writer.optional(profile.memoryMiB) { $0.integer($1) }
      writer.optional(profile.smCount) { $0.integer($1) }
      writer.list(profile.inferred) { $0.text($1) }
    }
  }

  fileprivate static func product(from reader: inout ByteReader) throws(ByteReader.Malformed) -> GPUProduct {
    let name = try reader.text()
    let architecture = try reader.text()
    let slices = try reader.small()
    let axis = try reader.small()
    let reset = try reader.flag()
    let boards = try reader.texts()
    let sources = try reader.texts()
    let profiles = try reader.list { r throws(ByteReader.Malformed) in
      InstanceProfile(
        name: try r.text(), driverProfileID: try r.integer(),
        nvmlProfile: try r.optionalInteger(),
        computeSlices: try r.small(), placementSize: try r.small(),
        starts: try r.list(each: 8) { r throws(ByteReader.Malformed) in try r.small() },
        maxInstances: try r.small(),
        memoryMiB: try r.optionalInteger(),
        smCount: try r.optionalInteger(),
        inferred: try r.texts())
    }
    return GPUProduct(
      name: name, architecture: architecture, computeSlices: slices, axisLength: axis, migModeChangeNeedsReset: reset,
      boards: boards, profiles: profiles, sources: sources)
  }
}
