/// Profiles of several models as they cross the wire: `{"profiles": [...]}`.
package struct ProfileDocument: Decodable, Sendable {
  package var profiles: [ProfileSpec]

  package init(from decoder: any Decoder) throws {
    profiles = try decoder.object("profiles").decode([ProfileSpec].self, forKey: "profiles")
  }
}

/// One profile alone, or a document that holds several.
package enum ProfileBody: Decodable, Sendable {
  case one(ProfileSpec)
  case document(ProfileDocument)

  package init(from decoder: any Decoder) throws {
    let isDocument = try decoder.container(keyedBy: WireKey.self).contains("profiles")
    self = isDocument ? .document(try ProfileDocument(from: decoder)) : .one(try ProfileSpec(from: decoder))
  }
}

/// The points of one model on one product.
package struct ProfileSpec: Decodable, Hashable, Sendable {
  /// One measured or modelled point. A throughput of 0 says that it did not fit.
  package struct Point: Decodable, Hashable, Sendable {
    /// Name of an instance profile of the product, for example `1g.10gb`.
    package var profile: String
    package var batch: Int
    package var processes: Int
    /// Requests per second of all processes together.
    package var throughput: Double
    /// Execution latency of one full batch in milliseconds.
    package var latencyMs: Double
    package var memoryMiB: Double?
    /// That of the whole profile where absent.
    package var source: String?
    /// Share by which the latency is stretched beyond what is expected; 0 where absent.
    package var margin: Double?

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object(
        "profile", "batch", "processes", "throughput", "latencyMs", "memoryMiB", "source", "margin")
      profile = try object.decode(String.self, forKey: "profile")
      batch = try object.integer("batch")
      processes = try object.integer("processes")
      throughput = try object.number("throughput")
      latencyMs = try object.number("latencyMs")
      memoryMiB = try object.optionalNumber("memoryMiB")
      source = try object.decodeIfPresent(String.self, forKey: "source")
      margin = try object.optionalNumber("margin")
    }
  }

  /// Where a decoder is told what stands in place of a member that is left out, as `String`.
  package static let model = CodingUserInfoKey(rawValue: "model")
  package static let product = CodingUserInfoKey(rawValue: "product")

  package var model: String
  package var product: String
  /// Whose workloads alone it is for; everybody's where absent.
  package var namespace: String?
  /// `measured` where absent, or `modelled`, `filled` or `mixed`.
  package var source: String?
  package var points: [Point]

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object(
      "model", "product", "namespace", "source", "points", ignoring: ["origin", "revision"])
    model = try object.text("model", or: Self.model, decoder)
    product = try object.text("product", or: Self.product, decoder)
    namespace = try object.decodeIfPresent(String.self, forKey: "namespace")
    source = try object.decodeIfPresent(String.self, forKey: "source")
    points = try object.decode([Point].self, forKey: "points")
  }
}
