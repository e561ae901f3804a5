import Foundation
package import ParvaEngine
import ParvaWire

/// Reads model profiles: the published folder format, Parva's own CSV, and JSON or YAML.
package enum ProfileReader {
  /// The product that files without one are taken to speak of.
  package static let defaultProduct = "A100-80GB"

  static let publishedColumns = ["Mig instance", "Batch size", "Workload Number", "Throughput", "Latency"]
  static let ownColumns = ["model", "product", "profile", "batch", "processes", "throughput", "latency_ms"]
  static let ownOptionalColumns = ["memory_mib", "source", "margin"]

  /// Reads a file, or every `.csv` and `.json` file of a folder in order of name.
  ///
  /// - Parameter product: what a file in the published format was measured on.
  /// - Throws: every refusal found, each with its place.
  package static func load(_ path: String, product: GPUProduct) throws(InputErrors) -> [ModelProfile] {
    var isDirectory: ObjCBool = false
    guard path != "-", FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue
    else { return try read(try InputSource.load(path), product: product) }
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw InputErrors(InputError(.unreadable, "the folder cannot be read", file: path))
    }
    let files = names.filter { $0.hasSuffix(".csv") || $0.hasSuffix(".json") }
    guard !files.isEmpty else {
      throw InputErrors(InputError(.empty, "the folder holds no .csv or .json file", file: path))
    }
    var refusals = Refusals()
    var found: [ModelProfile] = []
    for file in files {
      do {
        for profile in try read(try InputSource.load("\(path)/\(file)"), product: product) {
          if found.contains(where: {
            ($0.model, $0.product, $0.namespace) == (profile.model, profile.product, profile.namespace)
          }) {
            refusals.add(
              InputError(
                .duplicate, "\(profile.model) on \(profile.product) stands in another file of the folder too",
                file: "\(path)/\(file)", value: profile.model))
          }
          found.append(profile)
        }
      } catch {
        refusals.add(error)
      }
    }
    try refusals.check()
    return found
  }

  /// Reads one file or body.
  ///
  /// - Parameters:
  ///   - model: what a file in the published format is about; nil takes the file's name without its extension.
  ///   - product: what a file in the published format was measured on.
  /// - Throws: every refusal found, each with its place.
  /// - Complexity: O(bytes).
  package static func read(
    _ source: InputSource, model: String? = nil, product: GPUProduct
  ) throws(InputErrors) -> [ModelProfile] {
    guard source.format == .csv else { return try readDocument(source, [:]) }
    var peek = try CSVReader(source)
    guard let header = try peek.next() else { throw InputErrors(InputError(.empty, "is empty", file: source.name)) }
    if isPublished(header) {
      let stem = source.name.map { (($0 as NSString).lastPathComponent as NSString).deletingPathExtension }
      guard let model = model ?? stem else {
        throw InputErrors(InputError(.missingKey, "the published format needs the name of its model"))
      }
      return try readPublished(source, model: model, product: product)
    }
    return try readOwn(source)
  }

  /// Reads a body that must be about one model on one product.
  ///
  /// What a document leaves out of the two is taken from there.
  ///
  /// - Throws: every refusal found, and `contradiction` where it is about another or about several.
  package static func readOne(
    _ source: InputSource, model: String, product: GPUProduct
  ) throws(InputErrors) -> ModelProfile {
    let found =
      source.format == .csv
      ? try read(source, model: model, product: product)
      : try readDocument(source, [ProfileSpec.model: model, ProfileSpec.product: product.name])
    if let profile = found.first, found.count == 1, (profile.model, profile.product) == (model, product.name) {
      return profile
    }
    let names = found.prefix(3).map { "\($0.model) on \($0.product)" }.joined(separator: ", ")
    throw InputErrors(
      InputError(
        .contradiction,
        "must be about \(model) on \(product.name) alone, not \(names.isEmpty ? "nothing" : names)"
          + (found.count > 3 ? " and others" : ""), file: source.name))
  }

  /// Whether most of the names that only one of the two formats has are the published one's; a misspelt one is then
  /// refused with the right header beside it.
  private static func isPublished(_ header: CSVRow) -> Bool {
    let names = Set(header.fields.map { $0.lowercased() })
    let published = Set(publishedColumns.map { $0.lowercased() })
    let own = Set(ownColumns + ownOptionalColumns)
    return names.intersection(published.subtracting(own)).count > names.intersection(own.subtracting(published)).count
  }

  // MARK: - The published format

  /// Throughput stands for one process and latency in seconds; sizes are numbers of compute slices.
  private static func readPublished(
    _ source: InputSource, model: String, product: GPUProduct
  ) throws(InputErrors) -> [ModelProfile] {
    var refusals = Refusals()
    var builder = ProfileTableBuilder()
    var table = try CSVTable(try CSVReader(source), required: publishedColumns, optional: [])
    var rows = 0
    while let row = table.next(&refusals) {
      rows += 1
      guard let size = table.integer("Mig instance", row, &refusals),
        let batch = table.integer("Batch size", row, &refusals),
        let processes = table.integer("Workload Number", row, &refusals),
        let throughput = table.number("Throughput", row, &refusals),
        let latency = table.number("Latency", row, &refusals)
      else { continue }
      guard let profile = product.plainProfileIndex(computeSlices: size) else {
        refusals.add(
          InputError(
            .unknownProfile, "\(product.name) has no plain profile of \(size) compute slices", file: source.name,
            line: row.line, value: String(size)))
        continue
      }
      let entry = ProfileTableBuilder.Entry(
        model: model, product: product, profile: profile, batch: batch, processes: processes,
        throughput: throughput * Double(processes), latencyMs: latency * 1000, source: .measured)
      builder.add(entry, named: "line \(row.line)", &refusals) { code, message, _, value in
        InputError(code, message, file: source.name, line: row.line, value: value)
      }
    }
    try refusals.check()
    guard rows > 0 else { throw InputErrors(InputError(.empty, "holds no points", file: source.name)) }
    return builder.profiles
  }

  // MARK: - Parva's own CSV

  private static func readOwn(_ source: InputSource) throws(InputErrors) -> [ModelProfile] {
    var refusals = Refusals()
    var builder = ProfileTableBuilder()
    var table = try CSVTable(try CSVReader(source), required: ownColumns, optional: ownOptionalColumns)
    while let row = table.next(&refusals) {
      guard let entry = entry(row, table, &refusals) else { continue }
      builder.add(entry, named: "line \(row.line)", &refusals) { code, message, _, value in
        InputError(code, message, file: source.name, line: row.line, value: value)
      }
    }
    try refusals.check()
    guard !builder.profiles.isEmpty else {
      throw InputErrors(InputError(.empty, "holds no points", file: source.name))
    }
    return builder.profiles
  }

  private static func entry(
    _ row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals
  ) -> ProfileTableBuilder.Entry? {
    let file = table.name
    guard let model = table.requiredText("model", row, &refusals),
      let productName = table.requiredText("product", row, &refusals),
      let profileName = table.requiredText("profile", row, &refusals),
      let batch = table.integer("batch", row, &refusals),
      let processes = table.integer("processes", row, &refusals),
      let throughput = table.number("throughput", row, &refusals),
      let latency = table.number("latency_ms", row, &refusals)
    else { return nil }
    guard let product = ProductCatalogue.product(named: productName) else {
      refusals.add(.unknownProduct(productName, file: file, line: row.line))
      return nil
    }
    guard let profile = product.profileIndex(named: profileName) else {
      refusals.add(.unknownProfile(profileName, product, file: file, line: row.line))
      return nil
    }
    let memory = table.text("memory_mib", row) == nil ? nil : table.number("memory_mib", row, &refusals)
    let margin = table.text("margin", row) == nil ? 0 : table.number("margin", row, &refusals)
    let sourceName = table.text("source", row) ?? ProfileSource.measured.rawValue
    guard let source = ProfileSource(rawValue: sourceName) else {
      refusals.add(
        InputError(
          .outOfRange, "source must be \(sourceNames), not \"\(InputError.shortened(sourceName))\"", file: file,
          line: row.line, value: sourceName))
      return nil
    }
    guard let margin else { return nil }
    return ProfileTableBuilder.Entry(
      model: model, product: product, profile: profile, batch: batch, processes: processes, throughput: throughput,
      latencyMs: latency, memoryMiB: memory, source: source, margin: margin)
  }

  private static let sourceNames = ProfileSource.allCases.map(\.rawValue).joined(separator: ", ")

  // MARK: - JSON and YAML

  private static func readDocument(
    _ source: InputSource, _ known: [CodingUserInfoKey?: String]
  ) throws(InputErrors) -> [ModelProfile] {
    let document = try InputDocument(source, limit: InputLimits.fileBytes)
    var refusals = Refusals()
    var builder = ProfileTableBuilder()
    switch try document.decode(ProfileBody.self, knowing: known) {
    case .one(let spec): add(spec, at: [], document, to: &builder, &refusals)
    case .document(let list):
      if list.profiles.isEmpty { refusals.add(document.error(.empty, "holds no profiles", at: ["profiles"])) }
      for (index, spec) in list.profiles.enumerated() {
        add(spec, at: ["profiles", String(index)], document, to: &builder, &refusals)
      }
    }
    try refusals.check()
    return builder.profiles
  }

  private static func add(
    _ spec: ProfileSpec, at path: [String], _ document: InputDocument, to builder: inout ProfileTableBuilder,
    _ refusals: inout Refusals
  ) {
    guard let product = ProductCatalogue.product(named: spec.product) else {
      let error = InputError.unknownProduct(spec.product)
      refusals.add(document.error(error.code, error.message, at: path + ["product"], value: spec.product))
      return
    }
    guard let origin = ProfileSource(rawValue: spec.source ?? ProfileSource.measured.rawValue) else {
      refusals.add(
        document.error(.outOfRange, "source must be \(sourceNames)", at: path + ["source"], value: spec.source))
      return
    }
    if let namespace = spec.namespace, !Namespace.isName(namespace) {
      refusals.add(
        document.error(
          .invalidName, "namespace must be \(Namespace.nameRule)", at: path + ["namespace"], value: namespace))
    }
    if spec.points.isEmpty {
      refusals.add(document.error(.empty, "a profile needs at least one point", at: path + ["points"]))
    }
    for (number, point) in spec.points.enumerated() {
      let place = path + ["points", String(number)]
      guard let profile = product.profileIndex(named: point.profile) else {
        let error = InputError.unknownProfile(point.profile, product, file: nil, line: nil)
        refusals.add(document.error(error.code, error.message, at: place + ["profile"], value: point.profile))
        continue
      }
      guard let own = ProfileSource(rawValue: point.source ?? origin.rawValue) else {
        refusals.add(
          document.error(.outOfRange, "source must be \(sourceNames)", at: place + ["source"], value: point.source))
        continue
      }
      let entry = ProfileTableBuilder.Entry(
        model: spec.model, product: product, namespace: spec.namespace, profile: profile, batch: point.batch,
        processes: point.processes,
        throughput: point.throughput, latencyMs: point.latencyMs, memoryMiB: point.memoryMiB, source: own,
        margin: point.margin ?? 0)
      let name = "item \(number)" + (path.isEmpty ? "" : " of \(path.joined(separator: "/"))")
      builder.add(entry, named: name, &refusals) { code, message, field, value in
        let key = ["latency": "latencyMs", "memory": "memoryMiB"][field] ?? field
        return document.error(code, message, at: field == "model" ? path + ["model"] : place + [key], value: value)
      }
    }
  }
}
