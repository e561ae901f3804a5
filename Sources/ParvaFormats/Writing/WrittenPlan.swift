package import Foundation
package import ParvaEngine

/// The JSON document of a plan, with where its GPUs stand in it: what is as it was is not written again for the next plan.
package struct WrittenPlan: Sendable {
  package let json: Data
  private let gpus: [PlannedGPU]
  /// Where the first GPU begins and where each ends, with what stands before it.
  private let marks: [Int]

  /// The same bytes as those of ``PlanWriter/json(_:as:)``. O(segments), most of it for those of GPUs that differ from the ones
  /// of the same index in `before`.
  package init(_ plan: Plan, after before: WrittenPlan? = nil) {
    let segments = plan.gpus.reduce(0) { $0 + $1.segments.count }
    var writer = DocumentWriter(.json, capacity: before.map { $0.json.count + 4096 } ?? 1024 + segments * 320)
    var marks: [Int] = []
    marks.reserveCapacity(plan.gpus.count + 1)
    writer.object { root in
      PlanWriter.write(plan, .json, nil, &root) { list in
        marks.append(list.bytes.count)
        var index = 0
        while index < plan.gpus.count {
          let same = before?.run(from: index, of: plan.gpus) ?? 0
          if let before, same > 0 {
            let (start, shift) = (before.marks[index], list.bytes.count - before.marks[index])
            list.elements(
              written: before.json[before.json.startIndex + start..<before.json.startIndex + before.marks[index + same]]
            )
            marks += before.marks[index + 1...index + same].lazy.map { $0 + shift }
            index += same
          } else {
            list.object { PlanWriter.write(plan.gpus[index], index, .json, &$0) }
            marks.append(list.bytes.count)
            index += 1
          }
        }
      }
    }
    writer.finish()
    json = Data(writer.bytes)
    gpus = plan.gpus
    self.marks = marks
  }

  /// How many GPUs from `index` on are the same.
  private func run(from index: Int, of others: [PlannedGPU]) -> Int {
    var end = index
    while end < min(gpus.count, others.count), gpus[end] == others[end] { end += 1 }
    return end - index
  }
}
