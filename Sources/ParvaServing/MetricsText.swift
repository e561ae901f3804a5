import Foundation
package import ParvaHTTP

/// The text format that Prometheus reads, version 0.0.4.
package struct MetricsText {
  package private(set) var text = ""

  package init() {}

  /// Who serves this, and in which version.
  package mutating func build(_ version: String) {
    family("parva_build_info", "gauge", "1, labelled with the version of this program.") {
      $0.sample(["version": version], 1)
    }
  }

  /// A family is written where it has no samples, too, so that what there is does not depend on what happens.
  package mutating func family(_ name: String, _ type: String, _ help: String, _ body: (inout Family) -> Void) {
    var family = Family(name: name)
    body(&family)
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n" + family.lines
  }

  /// A metric without labels; one whose value is not known has no sample.
  package mutating func single(_ name: String, _ type: String, _ help: String, _ value: Double?) {
    family(name, type, help) { family in
      if let value { family.sample([:], value) }
    }
  }

  package mutating func single(_ name: String, _ type: String, _ help: String, _ value: Int) {
    family(name, type, help) { $0.sample([:], Double(value)) }
  }

  /// The samples of one name.
  package struct Family {
    package let name: String
    fileprivate var lines = ""

    fileprivate init(name: String) { self.name = name }

    package mutating func sample(_ labels: [String: String], _ value: Double, suffix: String = "") {
      let pairs = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
      lines += name + suffix + (pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}") + " \(Self.number(value))\n"
    }

    package mutating func histogram(_ labels: [String: String], _ histogram: Histogram) {
      var total = 0
      for (index, count) in histogram.counts.enumerated() {
        total += count
        let bound = index < histogram.bounds.count ? Self.number(histogram.bounds[index]) : "+Inf"
        sample(labels.merging(["le": bound]) { $1 }, Double(total), suffix: "_bucket")
      }
      sample(labels, histogram.sum, suffix: "_sum")
      sample(labels, Double(total), suffix: "_count")
    }

    private static func number(_ value: Double) -> String {
      let text = value.description
      return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private static func escaped(_ text: String) -> String {
      text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
  }
}

extension HTTPResponse {
  /// What Prometheus reads.
  package static func metrics(_ text: String) -> HTTPResponse {
    HTTPResponse(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: Data(text.utf8))
  }
}
