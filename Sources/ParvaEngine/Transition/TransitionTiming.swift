/// How long the steps of a transition take, in seconds; what a wave takes follows from it.
public struct TransitionTiming: Hashable, Sendable {
  /// Until a segment that goes has finished its requests.
  public var drain: Double
  /// To make or unmake one instance; a node makes one after the other.
  public var instance: Double
  /// Until the processes of a new segment answer.
  public var start: Double

  public init(drain: Double = 30, instance: Double = 1, start: Double = 60) {
    self.drain = drain
    self.instance = instance
    self.start = start
  }

  /// Seconds that a wave takes: that of the slowest node, a GPU without a node being one of its own.
  public func seconds(_ wave: Transition.Wave, of input: TransitionInput) -> Double {
    var byNode: [String: (goes: Int, comes: Int)] = [:]
    for step in wave.steps {
      let gpu = input.gpus[step.gpu]
      switch step.action {
      case .destroy: byNode[gpu.node ?? gpu.name, default: (0, 0)].goes += 1
      case .create: byNode[gpu.node ?? gpu.name, default: (0, 0)].comes += 1
      }
    }
    return byNode.values.map { count in
      (count.goes > 0 ? drain : 0) + Double(count.goes + count.comes) * instance + (count.comes > 0 ? start : 0)
    }.max() ?? 0
  }
}
