import ParvaEngine

extension WorkloadWriter {
  /// What a workload says of its place, of scarcity, of being moved, of processes, replicas and losses; nothing where it says nothing.
  static func writePlacement(_ workload: Workload, _ object: inout DocumentWriter) {
    let rules = workload.constraints
    var placed = rules
    (placed.survive, placed.replicas) = (nil, nil)
    if placed != .none {
      object.object("placement", inline: true) { object in
        names("products", rules.products, &object)
        names("excludeProducts", rules.excludeProducts, &object)
        names("pools", rules.pools, &object)
        names("excludePools", rules.excludePools, &object)
        if let spread = rules.spread {
          object.object("spread", inline: true) {
            $0.field("over", spread.over.rawValue)
            $0.field("atLeast", spread.atLeast)
          }
        }
        if let key = rules.exclusive { object.field("exclusive", key) }
      }
    }
    if workload.allowsPartial { object.field("allowPartial", true) }
    if let moveCost = workload.moveCost { object.field("moveCost", moveCost) }
    if let most = workload.maxProcesses { object.field("maxProcesses", most) }
    if let limits = rules.replicas {
      object.object("replicas", inline: true) {
        $0.field("min", limits.least)
        if let most = limits.most { $0.field("max", most) }
      }
    }
    if let survive = rules.survive {
      object.object("survive", inline: true) {
        $0.field(survive.over == .gpu ? "gpus" : "nodes", survive.losses)
      }
    }
  }

  /// Rates at some times, one entry after the other; nothing without any.
  static func writeSchedule(_ schedule: [ScheduledRate], _ object: inout DocumentWriter) {
    guard !schedule.isEmpty else { return }
    // In YAML it can be told from an alias only where it stands on a line of its own.
    let isInline = !schedule.contains { if case .from = $0.times { true } else { false } }
    object.array("schedule", inline: isInline) { list in
      for entry in schedule {
        list.object(inline: isInline) { object in
          switch entry.times {
          case .weekly(let times):
            names("days", times.dayNames, &object)
            object.field("from", WeeklyTimes.text(times.from))
            object.field("to", WeeklyTimes.text(times.to))
          case .from(let times): object.field("cron", times.text)
          }
          object.field("timeZone", entry.zone)
          object.field("rate", entry.rate)
        }
      }
    }
  }

  private static func names(_ key: StaticString, _ names: [String], _ object: inout DocumentWriter) {
    guard !names.isEmpty else { return }
    object.array(key, inline: true) { for name in names { $0.element(name) } }
  }
}
