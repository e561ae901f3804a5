/// A plan as it crosses the wire; the order of the members is that of the interface's description.
package struct PlanDocument: Decodable, Sendable {
  package struct Segment: Decodable, Sendable {
    /// `WORKLOAD/ORDINAL`.
    package var id: String
    package var workload: String
    package var model: String
    package var profile: String
    /// The driver's id of the profile: what counts; `profile` is its label.
    package var profileId: Int
    package var start: Int
    package var size: Int
    package var computeSlices: Int
    package var batch: Int
    package var processes: Int
    package var capacity: Double
    package var load: Double
    package var latencyMs: Double

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object(
        "id", "workload", "model", "profile", "profileId", "start", "size", "computeSlices", "batch", "processes",
        "capacity", "load", "latencyMs")
      id = try object.decode(String.self, forKey: "id")
      workload = try object.decode(String.self, forKey: "workload")
      model = try object.decode(String.self, forKey: "model")
      profile = try object.decode(String.self, forKey: "profile")
      profileId = try object.integer("profileId")
      start = try object.integer("start")
      size = try object.integer("size")
      computeSlices = try object.integer("computeSlices")
      batch = try object.integer("batch")
      processes = try object.integer("processes")
      capacity = try object.number("capacity")
      load = try object.number("load")
      latencyMs = try object.number("latencyMs")
    }
  }

  package struct GPU: Decodable, Sendable {
    package var index: Int
    package var pool: String
    package var product: String
    package var node: String?
    package var uuid: String?
    package var segments: [Attempt<Segment>]

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("index", "pool", "product", "node", "uuid", "segments")
      index = try object.integer("index")
      pool = try object.decode(String.self, forKey: "pool")
      product = try object.decode(String.self, forKey: "product")
      node = try object.decodeIfPresent(String.self, forKey: "node")
      uuid = try object.decodeIfPresent(String.self, forKey: "uuid")
      segments = try object.decode([Attempt<Segment>].self, forKey: "segments")
    }
  }

  package struct Unserved: Decodable, Sendable {
    package var workload: String
    package var code: String
    package var message: String

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("workload", "code", "message")
      workload = try object.decode(String.self, forKey: "workload")
      code = try object.decode(String.self, forKey: "code")
      message = try object.decode(String.self, forKey: "message")
    }
  }

  /// A workload that gets less than it asks for.
  package struct Partial: Decodable, Sendable {
    package var workload: String
    package var demanded: Double
    package var served: Double
    package var code: String
    package var message: String

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("workload", "demanded", "served", "code", "message")
      workload = try object.decode(String.self, forKey: "workload")
      demanded = try object.number("demanded")
      served = try object.number("served")
      code = try object.decode(String.self, forKey: "code")
      message = try object.decode(String.self, forKey: "message")
    }
  }

  package struct Summary: Decodable, Sendable {
    package var gpuCount: Int
    package var lowerBound: Double?
    package var gap: Double?
    package var allocatedSlices: Int
    package var externalFragmentation: Double
    package var internalSlack: Double
    /// Sums of figures, by the name of the objective.
    package var sums: [String: Double]
    package var profileSource: String
    package var cutShort: Bool?

    package init(from decoder: any Decoder) throws {
      let sums = decoder.keys(.sums)
      let object = try decoder.object(
        "gpuCount", "lowerBound", "gap", "allocatedSlices", "externalFragmentation", "internalSlack", "profileSource",
        "cutShort",
        also: sums)
      gpuCount = try object.integer("gpuCount")
      lowerBound = try object.optionalNumber("lowerBound")
      gap = try object.optionalNumber("gap")
      allocatedSlices = try object.integer("allocatedSlices")
      externalFragmentation = try object.number("externalFragmentation")
      internalSlack = try object.number("internalSlack")
      self.sums = try object.numbers(sums)
      profileSource = try object.decode(String.self, forKey: "profileSource")
      cutShort = try object.decodeIfPresent(Bool.self, forKey: "cutShort")
    }
  }

  package var schemaVersion: Int
  /// Of a plan that a controller has published.
  package var revision: Int?
  /// The newest demand that the published plan was found to serve.
  package var demandRevision: Int?
  package var planner: String
  package var admission: String
  package var margin: Double?
  package var objective: String?
  package var maxProcesses: Int?
  package var status: String
  package var gpus: [Attempt<GPU>]
  package var unplaced: [Unserved]
  package var partial: [Partial]?
  package var summary: Summary
  package var certificate: CertificateDocument?

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object(
      "schemaVersion", "revision", "demandRevision", "planner", "admission", "margin", "objective", "maxProcesses",
      "status", "gpus", "unplaced", "partial", "summary", "certificate")
    schemaVersion = try object.integer("schemaVersion")
    revision = try object.optionalInteger("revision")
    demandRevision = try object.optionalInteger("demandRevision")
    planner = try object.decode(String.self, forKey: "planner")
    admission = try object.decode(String.self, forKey: "admission")
    margin = try object.optionalNumber("margin")
    objective = try object.decodeIfPresent(String.self, forKey: "objective")
    maxProcesses = try object.optionalInteger("maxProcesses")
    status = try object.decode(String.self, forKey: "status")
    gpus = try object.decode([Attempt<GPU>].self, forKey: "gpus")
    unplaced = try object.decode([Unserved].self, forKey: "unplaced")
    partial = try object.decodeIfPresent([Partial].self, forKey: "partial")
    summary = try object.decode(Summary.self, forKey: "summary")
    certificate = try object.decodeIfPresent(CertificateDocument.self, forKey: "certificate")
  }
}
