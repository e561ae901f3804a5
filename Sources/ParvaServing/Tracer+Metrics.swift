extension Tracer {
  /// What became of spans; all are 0 where there is no tracer.
  package static func write(_ tracer: Tracer?, to text: inout MetricsText) {
    let totals = tracer?.totals ?? Totals()
    text.family(
      "parva_trace_spans_total", "counter",
      "Spans by what became of them: exported, or dropped because the queue was full or the collector took none."
    ) { family in
      family.sample(["outcome": "exported"], Double(totals.exported))
      family.sample(["outcome": "overflowed"], Double(totals.overflowed))
      family.sample(["outcome": "refused"], Double(totals.refused))
    }
  }
}
