import ParvaEngine

extension PlanningCodec {
  static func write(_ facts: [CapacityFacts], to writer: inout ByteWriter) {
    writer.list(facts) { writer, fact in
      for word in [fact.key.high, fact.key.low] { writer.integer(Int(bitPattern: UInt(word))) }
      writer.list(fact.entries) { $0.integer(Int(bitPattern: UInt($1))) }
    }
  }

  static func capacities(from reader: inout ByteReader) throws(ByteReader.Malformed) -> [CapacityFacts] {
    try reader.list(each: 20) { r throws(ByteReader.Malformed) in
      let key = CapacityFacts.Key(high: try word(from: &r), low: try word(from: &r))
      return CapacityFacts(
        key: key, entries: try r.list(each: 8) { r throws(ByteReader.Malformed) in try word(from: &r) })
    }
  }

  private static func word(from reader: inout ByteReader) throws(ByteReader.Malformed) -> UInt64 {
    UInt64(UInt(bitPattern: try reader.integer()))
  }

  static func write(_ answer: KnownCapacities.Answer, after base: [PlannedGPU], to writer: inout ByteWriter) {
    write(answer.plan, after: base, to: &writer)
    writer.flag(answer.changes.forgetsOthers)
    write(answer.changes.facts, to: &writer)
    writer.integer(answer.trials)
  }

  static func answer(
    from reader: inout ByteReader, after base: [PlannedGPU]
  ) throws(ByteReader.Malformed) -> KnownCapacities.Answer {
    KnownCapacities.Answer(
      plan: try plan(from: &reader, after: base),
      changes: CapacityChanges(forgetsOthers: try reader.flag(), facts: try capacities(from: &reader)),
      trials: try reader.small())
  }
}
