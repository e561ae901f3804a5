import Foundation
import Glibc
import ParvaEngine

/// Faults that tests ask for, in builds for tests only: `PARVA_WORKER_FAULTS=PLANNER:FAULT:TEXT,...` strikes in the jobs
/// of a planner that have a workload with the text in its id. Faults: `trap`, `exit`, `hang`, `memory`.
struct InjectedFaults {
  #if DEBUG
    private struct Fault {
      var planner: String
      var kind: String
      var text: String
    }

    private let faults: [Fault]

    init() {
      let wanted = ProcessInfo.processInfo.environment["PARVA_WORKER_FAULTS"] ?? ""
      faults = wanted.split(separator: ",").compactMap { part in
        let words = part.split(separator: ":").map(String.init)
        return words.count == 3 ? Fault(planner: words[0], kind: words[1], text: words[2]) : nil
      }
    }

    func strike(_ job: PlanningJob) {
      for fault in faults where fault.planner == job.planner.name {
        guard job.input.workloads.contains(where: { $0.id.contains(fault.text) }) else { continue }
        switch fault.kind {
        case "trap": raise(SIGILL)
        case "exit": _exit(7)
        case "hang": while true { pause() }
        case "memory":
          var held: [[UInt8]] = []
          while true {
            held.append([UInt8](repeating: 1, count: 4 << 20))
            // Slow enough for a busy machine to look at it in between.
            usleep(2000)
          }
        default: continue
        }
      }
    }
  #else
    func strike(_ job: PlanningJob) {}
  #endif
}
