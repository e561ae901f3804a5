package import Foundation
package import ParvaEngine

/// The published measurements and scenarios, read from the `shared` folder beside the checkout.
package struct Published {
  package private(set) var profiles: ProfileCatalogue
  /// Scenarios 1...6.
  package private(set) var scenarios: [[Workload]]

  package init(folder: URL, product: GPUProduct) throws {
    profiles = ProfileCatalogue()
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "profiles").path).sorted()
    for file in files where file.hasSuffix(".csv") {
      let rows = try Published.rows(folder.appending(path: "profiles/\(file)")).dropFirst()
      let points = rows.compactMap { row -> ProfilePoint? in
        guard let size = Int(row[0]), let batch = Int(row[1]), let processes = Int(row[2]), let each = Double(row[3]),
          let seconds = Double(row[4]), each > 0, let profile = product.plainProfileIndex(computeSlices: size)
        else { return nil }
        return ProfilePoint(
          profile: profile, batch: batch, processes: processes, throughput: each * Double(processes),
          latencyMs: seconds * 1000)
      }
      profiles.insert(
        ModelProfile(
          model: String(file.dropLast(4)), product: product.name, source: .measured, points: points))
    }
    let models = profiles.all.map(\.model)
    let rates = try Published.rows(folder.appending(path: "slo_request_rate.csv"))
    let latencies = try Published.rows(folder.appending(path: "slo_latency_ms.csv"))
    scenarios = zip(rates, latencies).map { rates, latencies in
      zip(models, zip(rates, latencies)).compactMap { model, pair in
        guard let rate = Double(pair.0), let latency = Double(pair.1) else { return nil }
        return Workload(id: model, model: model, rate: rate, sloLatencyMs: latency)
      }
    }
  }

  private static func rows(_ url: URL) throws -> [[String]] {
    try String(contentsOf: url, encoding: .utf8).split(whereSeparator: \.isNewline).map { line in
      line.split(separator: ",", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
    }
  }
}
