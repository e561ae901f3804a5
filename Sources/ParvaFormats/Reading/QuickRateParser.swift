package import Foundation
package import ParvaEngine

/// Reads what an autoscaler sends, ids with new rates, in one pass, and gives up on everything else, which the general way
/// judges: so it knows no errors.
package enum QuickRateParser {
  package struct Rate: Hashable, Sendable {
    package var id: String
    package var rate: Double
  }

  /// `[{"id": ..., "rate": ...}, ...]`, or that under `workloads`; each id once, and at most `limit`. Nil for everything else.
  /// O(bytes).
  ///
  /// - Returns: the rates, and whether they stood bare.
  package static func rates(in data: Data, atMost limit: Int) -> (rates: [Rate], isBare: Bool)? {
    QuickJSON.read(data) { json throws(QuickJSON.Unusual) in
      var rates: [Rate] = []
      var seen: Set<String> = []
      let isBare = try json.list(under: "workloads") { json throws(QuickJSON.Unusual) in
        let rate = try json.rate()
        guard rates.count < limit, seen.insert(rate.id).inserted else { throw QuickJSON.Unusual() }
        rates.append(rate)
      }
      return (rates, isBare)
    }
  }
}

extension QuickJSON {
  fileprivate mutating func rate() throws(Unusual) -> QuickRateParser.Rate {
    var id: String?
    var rate: Double?
    try object { json, key throws(Unusual) in
      switch key {
      case "id": try Self.fill(&id, with: try json.string())
      case "rate": try Self.fill(&rate, with: try json.number())
      default: throw Unusual()
      }
    }
    guard let id, let rate else { throw Unusual() }
    return QuickRateParser.Rate(id: id, rate: rate)
  }
}

extension WorkloadReader {
  /// A workload that was judged before, at another rate.
  ///
  /// - Throws: `out_of_range`.
  package static func workload(_ workload: Workload, at rate: Double) throws(InputErrors) -> Workload {
    if let message = RangeCheck.message("rate", rate, InputLimits.rate, unit: "requests/s") {
      throw InputErrors(InputError(.outOfRange, message, pointer: "/rate", value: RangeCheck.plain(rate)))
    }
    var changed = workload
    changed.rate = rate
    return changed
  }
}
