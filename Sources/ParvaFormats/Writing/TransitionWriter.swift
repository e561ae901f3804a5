package import Foundation
package import ParvaEngine

/// Writes the waves of a transition and what each workload has on the way, for programs and for people.
package struct TransitionWriter {
  let transition: Transition
  let input: TransitionInput
  let timing: TransitionTiming

  package init(_ transition: Transition, of input: TransitionInput, timing: TransitionTiming) {
    self.transition = transition
    self.input = input
    self.timing = timing
  }

  package func json() -> Data { document(.json) }
  package func yaml() -> Data { document(.yaml) }

  private var seconds: [Double] { transition.waves.map { timing.seconds($0, of: input) } }

  private func document(_ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { write(&$0, inline: style == .json) }
    writer.finish()
    return Data(writer.bytes)
  }

  /// The fields of the document, into an object that is begun.
  package func write(_ root: inout DocumentWriter, inline: Bool) {
    root.object("summary") {
      $0.field("keepsService", transition.keepsService)
      $0.field("waves", transition.waves.count)
      $0.field("creates", count(.create))
      $0.field("destroys", count(.destroy))
      $0.field("temporaries", transition.temporaries)
      $0.field("expectedSeconds", seconds.reduce(0, +))
    }
    root.array("waves") { waves in
      for (wave, seconds) in zip(transition.waves, seconds) {
        waves.object { object in
          object.field("expectedSeconds", seconds)
          object.array("steps") { steps in
            for step in wave.steps { steps.object(inline: inline) { write(step, &$0) } }
          }
        }
      }
    }
    root.array("workloads") { list in
      for outlook in transition.outlooks {
        list.object(inline: inline) {
          $0.field("workload", outlook.workload)
          $0.field("rateBefore", outlook.rateBefore)
          $0.field("rateAfter", outlook.rateAfter)
          $0.field("capacityBefore", outlook.capacityBefore)
          $0.field("capacityAfter", outlook.capacityAfter)
          $0.field("leastCapacity", outlook.least)
          $0.field("leastAtWave", outlook.leastWave.map { $0 + 1 })
          $0.field("shortfall", outlook.shortfall)
        }
      }
    }
  }

  private func write(_ step: Transition.Step, _ object: inout DocumentWriter) {
    let gpu = input.gpus[step.gpu]
    let profile = gpu.product.profiles[step.segment.placement.profile]
    object.field("action", step.action == .create ? "create" : "destroy")
    object.field("gpu", gpu.name)
    object.field("node", gpu.node)
    object.field("segment", step.segment.id)
    object.field("workload", step.segment.workload)
    object.field("profile", profile.name)
    object.field("profileId", profile.driverProfileID)
    object.field("start", step.segment.placement.start)
    object.field("batch", step.segment.batch)
    object.field("processes", step.segment.processes)
    object.field("capacity", step.segment.capacity)
    object.field("temporary", step.isTemporary)
  }

  private func count(_ action: Transition.Action) -> Int {
    transition.waves.reduce(0) { $0 + $1.steps.count { $0.action == action } }
  }

  /// One row a step.
  package func csv() -> Data {
    var text = "wave,action,gpu,node,segment,workload,profile,profile_id,start,batch,processes,capacity,temporary\n"
    for (number, wave) in transition.waves.enumerated() {
      for step in wave.steps {
        let gpu = input.gpus[step.gpu]
        let profile = gpu.product.profiles[step.segment.placement.profile]
        let (name, node) = (CSVWriter.field(gpu.name), CSVWriter.field(gpu.node ?? ""))
        text +=
          "\(number + 1),\(step.action == .create ? "create" : "destroy"),\(name),\(node),\(step.segment.id),"
          + "\(step.segment.workload),\(profile.name),\(profile.driverProfileID),\(step.segment.placement.start),"
          + "\(step.segment.batch),\(step.segment.processes),\(step.segment.capacity),\(step.isTemporary)\n"
      }
    }
    return Data(text.utf8)
  }

  // MARK: - For people

  /// Wave by wave, then what falls short, then totals.
  package func text(_ style: TextStyle) -> String {
    var lines: [String] = []
    for (number, wave) in transition.waves.enumerated() {
      lines.append(style.bold("wave \(number + 1)") + style.faint("  about \(Figures.plain(seconds[number])) s"))
      for step in wave.steps { lines.append("  " + describe(step, style)) }
    }
    for outlook in transition.outlooks where outlook.shortfall > 0 {
      lines.append(
        "! \(outlook.workload): falls to \(Figures.plain(outlook.least))/s of \(Figures.plain(outlook.floor))/s"
          + (outlook.leastWave.map { " in wave \($0 + 1)" } ?? " from the beginning"))
    }
    let service = transition.keepsService ? "every workload keeps its rate" : "some workloads fall short"
    lines.append(
      style.bold(
        "\(Figures.count(transition.waves.count, "wave")) \(style.dot) \(count(.create)) to create, "
          + "\(count(.destroy)) to destroy, \(transition.temporaries) for the way only \(style.dot) about "
          + "\(Figures.plain(seconds.reduce(0, +))) s \(style.dot) \(service)"))
    return lines.joined(separator: "\n") + "\n"
  }

  private func describe(_ step: Transition.Step, _ style: TextStyle) -> String {
    let gpu = input.gpus[step.gpu]
    let place = (gpu.node.map { "\($0) " } ?? "") + gpu.name
    let profile = gpu.product.profiles[step.segment.placement.profile].name
    return "\(step.action == .create ? "+" : "-") \(step.segment.id): \(profile) at \(step.segment.placement.start) of "
      + "\(place), \(Figures.plain(step.segment.capacity))/s" + (step.isTemporary ? ", for the way only" : "")
  }
}
