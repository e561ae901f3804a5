package import ParvaEngine
package import ParvaWire

/// Reads workloads from JSON, YAML or CSV into validated engine values.
package enum WorkloadReader {
  static let csvColumns = ["id", "model", "rate", "latency_ms"]
  static let csvOptionalColumns = ["percentile", "margin", "priority", "arrivals", "labels", "queue"]

  /// Reads a list: `{"workloads": [...]}` or a bare array, CSV with a header, or one workload a line.
  ///
  /// An empty list is valid. Ids are unique within it.
  /// - Parameters:
  ///   - most: refusals that are told; the others are counted.
  ///   - limit: workloads with more than which nobody can do anything: of more, one more than that are read.
  ///   - home: the namespace that bare ids are of, and the only one that may be named; nil: `default`, and any may be.
  /// - Throws: every refusal found, each with its place, up to ``InputLimits/refusals`` or ``InputLimits/refusedBytes``, at which
  ///   reading ends.
  /// - Complexity: O(bytes).
  package static func read(
    _ source: InputSource, refusals most: Int = 20, atMost limit: Int = .max, in home: String? = nil
  ) throws(InputErrors) -> [Workload] {
    switch source.format {
    case .csv: return try readCSV(source, most, atMost: limit, in: home)
    case .ndjson: return try readLines(source, most, atMost: limit, in: home)
    case .json:
      if let workloads = readListQuickly(source, atMost: limit, in: home) { return workloads }
      return try readJSON(source, most, atMost: limit, in: home)
    case .yaml: break
    }
    let document = try InputDocument(source, limit: InputLimits.fileBytes)
    let list = try document.decode(WorkloadList.self)
    let prefix = list.isBare ? [] : ["workloads"]
    var workloads: [Workload] = []
    workloads.reserveCapacity(list.items.count)
    var refusals = Refusals(kept: most)
    var seen: [String: Int] = [:]
    for (index, item) in list.items.enumerated() {
      if refusals.isFull { break }
      switch item {
      case .failure(let error, let path): refusals.add(document.refusal(of: error, at: path))
      case .value(let spec):
        let path = prefix + [String(index)]
        if let first = seen.updateValue(index, forKey: qualifiedID(of: spec, in: home)) {
          refusals.add(
            document.error(
              .duplicate, "id \"\(InputError.shortened(spec.id))\" is already that of item \(first)",
              at: path + ["id"], value: spec.id))
        }
        validate(spec, in: home, document, path, &refusals).map { workloads.append($0) }
      }
    }
    try refusals.check()
    return workloads
  }

  /// Reads a file: a list, or one workload by itself, as a controller shows it.
  ///
  /// - Parameter home: as of ``read(_:refusals:atMost:in:)``.
  /// - Throws: every refusal found, each with its place.
  package static func readFile(_ source: InputSource, in home: String? = nil) throws(InputErrors) -> [Workload] {
    guard [.json, .yaml].contains(source.format), source.data.count <= InputLimits.elementBytes,
      case .object(let members)? = try? source.value(limit: InputLimits.elementBytes), members["workloads"] == nil,
      members["id"] != nil || members["slo"] != nil
    else { return try read(source, in: home) }
    return [try readOne(source, in: home)]
  }

  /// Reads one workload from JSON or YAML.
  ///
  /// - Parameters:
  ///   - id: that of a declaration that names none; nil: each has to.
  ///   - home: as of ``read(_:refusals:atMost:in:)``.
  /// - Throws: every refusal found, each with its place.
  package static func readOne(
    _ source: InputSource, named id: String? = nil, in home: String? = nil
  ) throws(InputErrors) -> Workload {
    if let workload = readQuickly(source, in: home) { return workload }
    let document = try InputDocument(source, limit: InputLimits.fileBytes)
    let spec = try document.decode(WorkloadSpec.self, knowing: id.map { [WorkloadSpec.id: $0] } ?? [:])
    var refusals = Refusals()
    let workload = validate(spec, in: home, document, [], &refusals)
    try refusals.check()
    guard let workload else { throw InputErrors(InputError(.empty, "holds no workload", file: source.name)) }
    return workload
  }

  /// The engine's value of a declaration.
  ///
  /// - Throws: every refusal found, with JSON pointers from the declaration's root.
  package static func workload(from spec: WorkloadSpec) throws(InputErrors) -> Workload {
    var refusals = Refusals()
    let result = validate(spec, &refusals) { code, message, path, value in
      InputError(code, message, pointer: path.map { "/" + $0 }.joined(), value: value)
    }
    try refusals.check()
    guard let result else { throw InputErrors(InputError(.empty, "holds no workload")) }
    return result
  }

  /// The declaration that reads back as this workload; defaults are written out.
  package static func spec(of workload: Workload) -> WorkloadSpec {
    let arrivals: WorkloadSpec.Arrivals =
      switch workload.arrivals {
      case .poisson: .init(process: "poisson")
      case .deterministic: .init(process: "deterministic")
      case .gamma(let cv2): .init(process: "gamma", cv2: cv2)
      case .trace(let name): .init(process: "trace", trace: name)
      }
    return WorkloadSpec(
      id: workload.id, model: workload.model, rate: workload.rate, schedule: schedule(of: workload),
      slo: .init(latencyMs: workload.sloLatencyMs, percentile: workload.percentile, margin: workload.margin),
      arrivals: arrivals,
      priority: workload.priority, labels: workload.labels, launch: launch(of: workload),
      queue: workload.declaredQueue?.rawValue, placement: placement(of: workload),
      allowPartial: workload.allowsPartial ? true : nil,
      moveCost: workload.moveCost, maxProcesses: workload.maxProcesses, replicas: replicas(of: workload),
      survive: survive(of: workload))
  }
}

// MARK: - Validation

extension WorkloadReader {
  /// The workload where it is written in the usual way and nothing is wrong with it; nil leaves it to the general way.
  ///
  /// - Complexity: O(bytes).
  package static func readQuickly(_ source: InputSource, in home: String? = nil) -> Workload? {
    guard source.format == .json, source.data.count <= InputLimits.fileBytes,
      let spec = QuickWorkloadParser.spec(source.data)
    else { return nil }
    var refusals = Refusals()
    let workload = validate(spec, in: home, &refusals) { code, message, _, _ in InputError(code, message) }
    return refusals.errors.isEmpty ? workload : nil
  }

  /// The workloads of a list that is written in the usual way and with which nothing is wrong; nil leaves it to the general way.
  private static func readListQuickly(_ source: InputSource, atMost limit: Int, in home: String?) -> [Workload]? {
    guard source.format == .json, source.data.count <= InputLimits.listBytes else { return nil }
    var seen: Set<String> = []
    var workloads: [Workload] = []
    let isUsual = QuickWorkloadParser.list(source.data) { spec in
      var refusals = Refusals()
      let workload = validate(spec, in: home, &refusals) { code, message, _, _ in InputError(code, message) }
      guard let workload, seen.insert(workload.id).inserted else { return false }
      workloads.append(workload)
      return workloads.count <= limit
    }
    return isUsual || workloads.count > limit ? workloads : nil
  }

  /// Makes the refusal for a path below the workload's own place.
  typealias Place = (InputError.Code, String, [String], String?) -> InputError

  static func validate(
    _ spec: WorkloadSpec, in home: String? = nil, _ document: InputDocument, _ path: [String],
    _ refusals: inout Refusals
  ) -> Workload? {
    validate(spec, in: home, &refusals) { code, message, below, value in
      document.error(code, message, at: path + below, value: value)
    }
  }

  static func validate(
    _ spec: WorkloadSpec, in home: String? = nil, _ refusals: inout Refusals, _ place: Place
  ) -> Workload? {
    let before = refusals.count
    let id = id(of: spec, in: home, &refusals, place)
    if !Names.isModel(spec.model) {
      refusals.add(place(.invalidName, "model must be \(Names.modelRule)", ["model"], spec.model))
    }
    if let message = RangeCheck.message("rate", spec.rate, InputLimits.rate, unit: "requests/s") {
      refusals.add(place(.outOfRange, message, ["rate"], RangeCheck.plain(spec.rate)))
    }
    let schedule = schedule(spec.schedule ?? [], &refusals, place)
    if let message = RangeCheck.message("latencyMs", spec.slo.latencyMs, InputLimits.latencyMs, unit: "ms") {
      refusals.add(place(.outOfRange, message, ["slo", "latencyMs"], RangeCheck.plain(spec.slo.latencyMs)))
    }
    let percentile = spec.slo.percentile ?? 0.99
    if !(percentile > 0 && percentile < 1) {
      refusals.add(
        place(
          .outOfRange, "percentile must be above 0 and below 1, not \(RangeCheck.plain(percentile))",
          ["slo", "percentile"], RangeCheck.plain(percentile)))
    }
    if let margin = spec.slo.margin, let message = RangeCheck.message("margin", margin, InputLimits.capacityMargin) {
      refusals.add(place(.outOfRange, message, ["slo", "margin"], RangeCheck.plain(margin)))
    }
    if let cost = spec.moveCost, let message = RangeCheck.message("moveCost", cost, InputLimits.moveCost, unit: "GPUs")
    {
      refusals.add(place(.outOfRange, message, ["moveCost"], RangeCheck.plain(cost)))
    }
    if let most = spec.maxProcesses, let message = RangeCheck.message("maxProcesses", most, InputLimits.processes) {
      refusals.add(place(.outOfRange, message, ["maxProcesses"], String(most)))
    }
    if let message = spec.priority.flatMap({ RangeCheck.message("priority", $0, InputLimits.priority) }) {
      refusals.add(place(.outOfRange, message, ["priority"], spec.priority.map(String.init)))
    }
    let arrivals = arrivals(spec.arrivals, &refusals, place)
    check(labels: spec.labels ?? [:], &refusals, place)
    let constraints = withoutActuallyEscaping(place) {
      PlacementCheck(place: $0).rules(of: spec, &refusals)
    }
    if let launch = spec.launch {
      LaunchCheck.check(launch) { refusals.add(place($0, $1, ["launch"] + $2, $3)) }
    }
    let queue = queue(spec.queue, launch: spec.launch.map(command), &refusals, place)
    guard refusals.count == before else { return nil }
    var workload = Workload(
      id: id, model: spec.model, rate: spec.rate, sloLatencyMs: spec.slo.latencyMs, percentile: percentile,
      margin: spec.slo.margin, arrivals: arrivals, priority: spec.priority ?? 0, labels: spec.labels ?? [:],
      launch: spec.launch.map(command), declaredQueue: queue, constraints: constraints,
      allowsPartial: spec.allowPartial ?? false,
      moveCost: spec.moveCost, maxProcesses: spec.maxProcesses)
    workload.schedule = schedule
    return workload
  }

  /// The id with its namespace, which may stand in front of it or in a member of its own.
  private static func id(
    of spec: WorkloadSpec, in home: String?, _ refusals: inout Refusals, _ place: Place
  ) -> String {
    if !Names.isWorkload(spec.id) {
      refusals.add(place(.invalidName, "id must be \(Names.workloadRule)", ["id"], spec.id))
    }
    if let home, Namespace.isQualified(spec.id), Namespace.of(spec.id) != home {
      refusals.add(place(.namespaceMismatch, "only the namespace \(home) can be named here", ["id"], spec.id))
    } else if let home, let other = spec.namespace, other != home {
      refusals.add(place(.namespaceMismatch, "only the namespace \(home) can be named here", ["namespace"], other))
    }
    guard let namespace = spec.namespace else { return qualifiedID(of: spec, in: home) }
    if !Namespace.isName(namespace) {
      refusals.add(place(.invalidName, "namespace must be \(Namespace.nameRule)", ["namespace"], namespace))
    } else if Namespace.isQualified(spec.id), Namespace.of(spec.id) != namespace {
      refusals.add(
        place(.contradiction, "the id is of the namespace \(Namespace.of(spec.id))", ["namespace"], namespace))
    }
    return qualifiedID(of: spec)
  }

  static func qualifiedID(of spec: WorkloadSpec, in home: String? = nil) -> String {
    guard let namespace = spec.namespace ?? home, !Namespace.isQualified(spec.id) else { return spec.id }
    return Namespace.qualified(spec.id, in: namespace)
  }

  private static func arrivals(
    _ spec: WorkloadSpec.Arrivals?, _ refusals: inout Refusals, _ place: Place
  ) -> ArrivalProcess {
    guard let spec else { return .poisson }
    if let cv2 = spec.cv2, spec.process != "gamma" {
      refusals.add(
        place(.contradiction, "cv2 belongs to process gamma alone", ["arrivals", "cv2"], RangeCheck.plain(cv2)))
    }
    if let trace = spec.trace, spec.process != "trace" {
      refusals.add(
        place(.contradiction, "trace belongs to process trace alone", ["arrivals", "trace"], trace))
    }
    switch spec.process {
    case "poisson": return .poisson
    case "deterministic": return .deterministic
    case "gamma":
      guard let cv2 = spec.cv2 else {
        refusals.add(place(.missingKey, "process gamma needs cv2", ["arrivals"], nil))
        return .poisson
      }
      if let message = RangeCheck.message("cv2", cv2, InputLimits.cv2) {
        refusals.add(place(.outOfRange, message, ["arrivals", "cv2"], RangeCheck.plain(cv2)))
      }
      return .gamma(cv2: cv2)
    case "trace":
      guard let name = spec.trace else {
        refusals.add(place(.missingKey, "process trace needs trace, the name of one", ["arrivals"], nil))
        return .poisson
      }
      if !Names.isIdentifier(name) {
        refusals.add(place(.invalidName, "trace must be \(Names.identifierRule)", ["arrivals", "trace"], name))
      }
      return .trace(name: name)
    default:
      refusals.add(
        place(
          .outOfRange, "process must be poisson, deterministic, gamma or trace", ["arrivals", "process"], spec.process))
      return .poisson
    }
  }

  private static func check(labels: [String: String], _ refusals: inout Refusals, _ place: Place) {
    if labels.count > InputLimits.labels {
      refusals.add(
        place(
          .outOfRange, "at most \(InputLimits.labels) labels, not \(labels.count)", ["labels"], String(labels.count)))
      return
    }
    for (key, value) in labels.sorted(by: { $0.key < $1.key }) {
      if !Names.isLabelKey(key) {
        refusals.add(place(.invalidName, "label key: \(Names.labelRule)", ["labels", key], key))
      } else if !Names.isLabelValue(value) {
        refusals.add(place(.invalidName, "label value: \(Names.labelRule)", ["labels", key], value))
      }
    }
  }
}

// MARK: - CSV

extension WorkloadReader {
  private static func readCSV(
    _ source: InputSource, _ most: Int, atMost limit: Int, in home: String?
  ) throws(InputErrors) -> [Workload] {
    var refusals = Refusals(kept: most)
    var table = try CSVTable(
      try CSVReader(source, limit: InputLimits.listBytes), required: csvColumns,
      optional: csvOptionalColumns + csvPlacementColumns)
    var workloads: [Workload] = []
    var seen: [String: Int] = [:]
    while workloads.count <= limit, let row = table.next(&refusals) {
      guard let spec = spec(from: row, table, &refusals) else { continue }
      if let first = seen.updateValue(row.line, forKey: qualifiedID(of: spec, in: home)) {
        refusals.add(
          InputError(
            .duplicate, "id \"\(InputError.shortened(spec.id))\" is already that of line \(first)", file: source.name,
            line: row.line, value: spec.id))
      }
      validate(spec, in: home, &refusals) { code, message, _, value in
        InputError(code, message, file: source.name, line: row.line, value: value)
      }.map { workloads.append($0) }
    }
    try refusals.check()
    return workloads
  }

  private static func spec(from row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals) -> WorkloadSpec? {
    let id = table.requiredText("id", row, &refusals)
    let model = table.requiredText("model", row, &refusals)
    let rate = table.number("rate", row, &refusals)
    let latency = table.number("latency_ms", row, &refusals)
    let before = refusals.count
    let percentile = table.text("percentile", row) == nil ? nil : table.number("percentile", row, &refusals)
    let margin = table.text("margin", row) == nil ? nil : table.number("margin", row, &refusals)
    let moveCost = table.text("move_cost", row) == nil ? nil : table.number("move_cost", row, &refusals)
    let maxProcesses = table.text("max_processes", row) == nil ? nil : table.integer("max_processes", row, &refusals)
    let priority = table.text("priority", row) == nil ? nil : table.integer("priority", row, &refusals)
    let arrivals = arrivals(from: row, table, &refusals)
    let labels = labels(from: row, table, &refusals)
    let placement = placement(from: row, table, &refusals)
    let allowPartial = allowPartial(from: row, table, &refusals)
    let replicas = replicas(from: row, table, &refusals)
    let survive = survive(from: row, table, &refusals)
    guard let id, let model, let rate, let latency, refusals.count == before else { return nil }
    return WorkloadSpec(
      id: id, model: model, rate: rate, slo: .init(latencyMs: latency, percentile: percentile, margin: margin),
      arrivals: arrivals, priority: priority, labels: labels, queue: table.text("queue", row), placement: placement,
      allowPartial: allowPartial,
      moveCost: moveCost, maxProcesses: maxProcesses, replicas: replicas, survive: survive)
  }

  /// `poisson`, `deterministic`, `gamma:CV2` or `trace:NAME`.
  private static func arrivals(
    from row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals
  ) -> WorkloadSpec.Arrivals? {
    guard let text = table.text("arrivals", row) else { return nil }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    switch (parts[0], parts.count) {
    case ("trace", 2): return .init(process: "trace", trace: parts[1])
    case ("gamma", 2):
      if let cv2 = Double(parts[1]) { return .init(process: "gamma", cv2: cv2) }
    case (let process, 1): return .init(process: process)
    default: break
    }
    refusals.add(
      InputError(
        .wrongType, "arrivals must be poisson, deterministic, gamma:CV2 or trace:NAME", file: table.name,
        line: row.line, value: text))
    return nil
  }

  /// `KEY=VALUE` joined by `|`.
  private static func labels(
    from row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals
  ) -> [String: String]? {
    guard let text = table.text("labels", row) else { return nil }
    var labels: [String: String] = [:]
    for label in text.split(separator: "|", omittingEmptySubsequences: false) {
      let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2, labels.updateValue(parts[1], forKey: parts[0]) == nil else {
        refusals.add(
          InputError(
            .wrongType, "labels must be KEY=VALUE joined by |, each key once", file: table.name, line: row.line,
            value: text))
        return nil
      }
    }
    return labels
  }
}
