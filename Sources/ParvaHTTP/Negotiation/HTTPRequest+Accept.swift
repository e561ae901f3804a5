import Foundation

extension HTTPRequest {
  /// The representation that `Accept` likes best (RFC 9110, section 12.5.1); the first of `offers` without one.
  ///
  /// An offer's first media type is what it is sent as; the others are older names, which only the exact name asks for.
  /// - Throws: 406 `not_acceptable` where it likes none.
  package func preferred<Offer>(
    _ offers: [(offer: Offer, mediaTypes: [String])]
  ) throws(ProblemDetails) -> Offer {
    guard let accept = headers["Accept"], !accept.allSatisfy(\.isWhitespace) else { return offers[0].offer }
    let ranges = accept.split(separator: ",").map(MediaRange.init)
    var best: (offer: Offer, quality: Double)?
    for (offer, types) in offers {
      let quality =
        types.enumerated().map { index, type in
          Self.quality(of: type, index == 0 ? ranges : ranges.filter { $0.range == type })
        }.max() ?? 0
      if quality > (best?.quality ?? 0) { best = (offer, quality) }
    }
    guard let best else {
      let names = offers.map { $0.mediaTypes[0] }.joined(separator: ", ")
      throw ProblemDetails(
        status: 406, code: "not_acceptable", detail: "This resource is given as \(names), none of which is acceptable.")
    }
    return best.offer
  }

  /// The quality that the most specific range gives a media type.
  private static func quality(of type: String, _ ranges: [MediaRange]) -> Double {
    ranges.filter { $0.covers(type) }.max { $0.specificity < $1.specificity }?.quality ?? 0
  }
}

/// One element of `Accept`; parameters other than `q` are passed over.
private struct MediaRange {
  let range: String
  let quality: Double

  init(_ text: Substring) {
    let parts = text.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
    range = parts.first ?? ""
    let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) }
    quality = weight.map { min(1, max(0, $0)) } ?? 1
  }

  var specificity: Int { range == "*/*" ? 0 : range.hasSuffix("/*") ? 1 : 2 }

  func covers(_ type: String) -> Bool {
    switch specificity {
    case 0: true
    case 1: type.hasPrefix(range.dropLast())
    default: type == range
    }
  }
}
