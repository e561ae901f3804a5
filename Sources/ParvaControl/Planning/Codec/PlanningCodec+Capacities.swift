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

  static func write(_ news: CapacityNews, to writer: inout ByteWriter) {
    write(news.facts, to: &writer)
    writer.integer(news.trials)
  }

  static func news(from reader: inout ByteReader) throws(ByteReader.Malformed) -> CapacityNews {
    CapacityNews(facts: try capacities(from: &reader), trials: try reader.small())
  }
}
