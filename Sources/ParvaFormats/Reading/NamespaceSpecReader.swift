package import ParvaWire

/// Reads what is declared of a namespace.
package enum NamespaceSpecReader {
  static let bytes = 4 << 10
  static let gpus = 0.0...1e6
  static let workloads = 0...10_000_000
  static let rate = 0.0...1e15
  static let weight = 0.001...1000.0

  /// - Parameter name: that of the path; nil where the body says it.
  /// - Throws: every refusal found, each with its place.
  package static func read(
    _ source: InputSource, named name: String? = nil
  ) throws(InputErrors) -> (name: String, quota: NamespaceQuotaSpec, weight: Double) {
    let document = try InputDocument(source, limit: bytes)
    let spec = try document.decode(NamespaceSpec.self)
    var refusals = Refusals()
    if let told = spec.name {
      if !Namespace.isName(told) {
        refusals.add(document.error(.invalidName, "name must be \(Namespace.nameRule)", at: ["name"], value: told))
      } else if let name, told != name {
        refusals.add(document.error(.contradiction, "the path is about \(name)", at: ["name"], value: told))
      }
    } else if name == nil {
      refusals.add(document.error(.missingKey, "a namespace needs a name", at: ["name"]))
    }
    if let name, !Namespace.isName(name) {
      refusals.add(document.error(.invalidName, "a namespace's name is \(Namespace.nameRule)", at: [], value: name))
    }
    let quota = spec.quota ?? NamespaceQuotaSpec()
    if let message = quota.gpus.flatMap({ RangeCheck.message("gpus", $0, gpus) }) {
      refusals.add(document.error(.outOfRange, message, at: ["quota", "gpus"]))
    }
    if let message = quota.workloads.flatMap({ RangeCheck.message("workloads", $0, workloads) }) {
      refusals.add(document.error(.outOfRange, message, at: ["quota", "workloads"]))
    }
    if let message = quota.rate.flatMap({ RangeCheck.message("rate", $0, rate, unit: "requests/s") }) {
      refusals.add(document.error(.outOfRange, message, at: ["quota", "rate"]))
    }
    if let message = spec.weight.flatMap({ RangeCheck.message("weight", $0, weight) }) {
      refusals.add(document.error(.outOfRange, message, at: ["weight"]))
    }
    try refusals.check()
    return (name ?? spec.name ?? "", quota, spec.weight ?? 1)
  }
}
