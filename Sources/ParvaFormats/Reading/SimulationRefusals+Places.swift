package import ParvaEngine

extension SimulationRefusals {
  /// The refusals at their places in the documents that the plans were read from.
  ///
  /// - Parameters:
  ///   - plans: the plan and those that replace it, in order of time.
  ///   - events: what a person knows each event by, in the order of the input.
  package func inputErrors(plans: [InputSource], events: [String]) -> InputErrors? {
    var gathered = Refusals()
    var documents: [Int: InputDocument] = [:]
    for refusal in refusals {
      let code = InputError.Code(rawValue: refusal.code.rawValue) ?? .outOfRange
      guard let plan = refusal.plan, plans.indices.contains(plan) else {
        let event = refusal.event.flatMap { events.indices.contains($0) ? events[$0] : nil }
        gathered.add(InputError(code, refusal.message, file: event))
        continue
      }
      var path: [String] = []
      if let gpu = refusal.gpu { path += ["gpus", String(gpu)] }
      if let segment = refusal.segment { path += ["segments", String(segment)] }
      if documents[plan] == nil { documents[plan] = try? InputDocument(plans[plan], limit: InputLimits.planBytes) }
      gathered.add(
        documents[plan]?.error(code, refusal.message, at: path)
          ?? InputError(code, refusal.message, file: plans[plan].name))
    }
    return InputErrors(gathered)
  }
}
