import ParvaEngine

extension PlanningCodec {
  static func write(_ profiles: ProfileCatalogue, to writer: inout ByteWriter) {
    writer.list(profiles.all) { writer, profile in
      writer.text(profile.model)
      writer.text(profile.product)
      writer.optional(profile.namespace) { $0.text($1) }
      writer.text(profile.source.rawValue)
      writer.list(profile.points) { writer, point in
        write(point.place, to: &writer)
        writer.number(point.throughput)
        writer.number(point.latencyMs)
        writer.optional(point.memoryMiB) { $0.number($1) }
        writer.text(point.source.rawValue)
        writer.number(point.margin)
      }
      writer.list(profile.misfits) { write($1, to: &$0) }
    }
  }

  static func profiles(from reader: inout ByteReader) throws(ByteReader.Malformed) -> ProfileCatalogue {
    ProfileCatalogue(
      try reader.list { r throws(ByteReader.Malformed) in
        let model = try r.text()
        let product = try r.text()
        let namespace = try r.optionalText()
        let source = try r.named(ProfileSource.self)
        let points = try r.list(each: 53) { r throws(ByteReader.Malformed) in
          let place = try Self.place(from: &r)
          return ProfilePoint(
            profile: place.profile, batch: place.batch, processes: place.processes, throughput: try r.number(),
            latencyMs: try r.number(),
            memoryMiB: try r.optionalNumber(),
            source: try r.named(ProfileSource.self), margin: try r.number())
        }
        let misfits = try r.list(each: 24) { r throws(ByteReader.Malformed) in try place(from: &r) }
        return ModelProfile(
          model: model, product: product, source: source, points: points, misfits: misfits, namespace: namespace)
      })
  }

  private static func write(_ place: ProfilePlace, to writer: inout ByteWriter) {
    writer.integer(place.profile)
    writer.integer(place.batch)
    writer.integer(place.processes)
  }

  private static func place(from reader: inout ByteReader) throws(ByteReader.Malformed) -> ProfilePlace {
    ProfilePlace(profile: try reader.small(), batch: try reader.small(), processes: try reader.small())
  }

  static func write(_ traces: [String: ArrivalRecording], to writer: inout ByteWriter) {
    writer.table(traces) { writer, recording in
      writer.text(recording.name)
      writer.list(recording.gaps) { $0.number($1) }
    }
  }

  static func traces(from reader: inout ByteReader) throws(ByteReader.Malformed) -> [String: ArrivalRecording] {
    try reader.table { r throws(ByteReader.Malformed) in
      let name = try r.text()
      let gaps = try r.list(each: 8) { r throws(ByteReader.Malformed) in try r.number() }
      guard let recording = ArrivalRecording(name: name, gaps: gaps) else {
        throw ByteReader.Malformed(description: "recording \(name) has no order of time")
      }
      return recording
    }
  }
}
