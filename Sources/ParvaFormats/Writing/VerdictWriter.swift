package import Foundation
package import ParvaEngine

/// Writes the judgement of a plan.
package enum VerdictWriter {
  package static func json(_ violations: [PlanViolation]) -> Data { document(violations, .json) }
  package static func yaml(_ violations: [PlanViolation]) -> Data { document(violations, .yaml) }

  private static func document(_ violations: [PlanViolation], _ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { root in
      root.field("valid", violations.isEmpty)
      root.array("violations") { list in
        for violation in violations {
          list.object(inline: style == .json) {
            $0.field("code", violation.code.rawValue)
            $0.field("gpu", violation.gpu)
            $0.field("segment", violation.segment)
            $0.field("workload", violation.workload)
            $0.field("message", violation.message)
          }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  package static func csv(_ violations: [PlanViolation]) -> Data {
    var text = "code,gpu,segment,workload,message\n"
    for violation in violations {
      text +=
        "\(violation.code.rawValue),\(violation.gpu.map(String.init) ?? ""),"
        + "\(CSVWriter.field(violation.segment ?? "")),\(CSVWriter.field(violation.workload ?? "")),"
        + "\(CSVWriter.field(violation.message))\n"
    }
    return Data(text.utf8)
  }

  /// One line a violation.
  package static func lines(_ violations: [PlanViolation]) -> [String] {
    violations.map { violation in
      let place = [violation.gpu.map { "GPU \($0)" }, violation.segment ?? violation.workload].compactMap(\.self)
      return (place.isEmpty ? "" : place.joined(separator: ", ") + ": ")
        + "\(violation.message) [\(violation.code.rawValue)]"
    }
  }
}
