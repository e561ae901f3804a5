package import ParvaEngine

/// Reads the published scenarios: two CSV files without a header, one of request rates and one of latency
/// objectives in milliseconds, a scenario a row and a model a column; `N/A` leaves a model out.
package enum ScenarioReader {
  /// The workloads of one scenario, each named after its model.
  ///
  /// - Parameters:
  ///   - row: which scenario, from 1.
  ///   - models: names of the columns in order; their number must be that of the columns.
  /// - Throws: `out_of_range` for the row, `wrong_field_count`, `contradiction` where one file has a figure and the
  ///   other `N/A`, and the refusals of a workload.
  package static func read(
    rates: InputSource, latencies: InputSource, row: Int, models: [String]
  ) throws(InputErrors) -> [Workload] {
    let rateRow = try find(row, in: rates, columns: models.count)
    let latencyRow = try find(row, in: latencies, columns: models.count)
    var refusals = Refusals()
    var workloads: [Workload] = []
    for (column, model) in models.enumerated() {
      let texts = (rateRow.fields[column], latencyRow.fields[column])
      let absent = (texts.0.uppercased() == "N/A", texts.1.uppercased() == "N/A")
      if absent.0 && absent.1 { continue }
      if absent.0 != absent.1 {
        refusals.add(
          InputError(
            .contradiction, "\(model) is N/A in one of the two files and has a figure in the other",
            file: rates.name, line: rateRow.line))
        continue
      }
      guard let rate = number(texts.0, "rate of \(model)", rates, rateRow, &refusals),
        let latency = number(texts.1, "latency of \(model)", latencies, latencyRow, &refusals)
      else { continue }
      check(model, rate, latency, (rates, rateRow), (latencies, latencyRow), &refusals)
      workloads.append(Workload(id: model, model: model, rate: rate, sloLatencyMs: latency))
    }
    try refusals.check()
    return workloads
  }

  private static func find(_ row: Int, in source: InputSource, columns: Int) throws(InputErrors) -> CSVRow {
    var reader = try CSVReader(source)
    var count = 0
    while let found = try reader.next() {
      count += 1
      guard count == row else { continue }
      guard found.fields.count == columns else {
        throw InputErrors(
          InputError(
            .wrongFieldCount, "\(found.fields.count) columns for \(columns) models", file: source.name,
            line: found.line))
      }
      return found
    }
    throw InputErrors(
      InputError(
        .outOfRange, "there is no row \(row); rows are 1 to \(count)", file: source.name, value: String(row)))
  }

  private static func number(
    _ text: String, _ what: String, _ source: InputSource, _ row: CSVRow, _ refusals: inout Refusals
  ) -> Double? {
    if let value = Double(text) { return value }
    refusals.add(
      InputError(
        .wrongType, "\(what) must be a number or N/A, not \"\(InputError.shortened(text))\"", file: source.name,
        line: row.line, value: text))
    return nil
  }

  private static func check(
    _ model: String, _ rate: Double, _ latency: Double, _ rates: (InputSource, CSVRow),
    _ latencies: (InputSource, CSVRow), _ refusals: inout Refusals
  ) {
    if !Names.isIdentifier(model) {
      refusals.add(
        InputError(
          .invalidName,
          "model \"\(InputError.shortened(model))\" names a workload, so it must be \(Names.identifierRule)",
          value: model))
    }
    if let message = RangeCheck.message("rate of \(model)", rate, InputLimits.rate, unit: "requests/s") {
      refusals.add(
        InputError(
          .outOfRange, message, file: rates.0.name, line: rates.1.line, value: RangeCheck.plain(rate)))
    }
    if let message = RangeCheck.message("latency of \(model)", latency, InputLimits.latencyMs, unit: "ms") {
      refusals.add(
        InputError(
          .outOfRange, message, file: latencies.0.name, line: latencies.1.line, value: RangeCheck.plain(latency)))
    }
  }
}
