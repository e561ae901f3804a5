package import Foundation
package import ParvaEngine

/// Writes the judgement of a plan.
package enum VerdictWriter {
  package static func json(
    _ violations: [PlanViolation], _ proof: CertificateVerdict? = nil, _ reservations: [PlanReservation] = []
  ) -> Data { document(violations, proof, reservations, .json) }

  package static func yaml(
    _ violations: [PlanViolation], _ proof: CertificateVerdict? = nil, _ reservations: [PlanReservation] = []
  ) -> Data { document(violations, proof, reservations, .yaml) }

  private static func document(
    _ violations: [PlanViolation], _ proof: CertificateVerdict?, _ reservations: [PlanReservation],
    _ style: DocumentWriter.Style
  ) -> Data {
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
      root.array("notVerified") { list in
        for reservation in reservations {
          list.object(inline: style == .json) {
            $0.field("claim", reservation.claim)
            $0.field("reason", reservation.reason)
          }
        }
      }
      if let proof {
        root.object("certificate") {
          $0.field("kind", proof.kind.rawValue)
          $0.field("maxProcesses", proof.maxProcesses)
          $0.field("verifiedBound", proof.verifiedBound)
          $0.field("cost", proof.cost)
          $0.field("provesOptimality", proof.provesOptimality)
          if let reservation = proof.reservation { $0.field("reservation", reservation) }
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

  /// What a certificate was found to prove, in one line.
  package static func line(_ proof: CertificateVerdict) -> String {
    guard let bound = proof.verifiedBound else {
      return "certificate (\(proof.kind.rawValue)): not verified"
        + (proof.reservation.map { ", \($0)" } ?? "")
    }
    let rest =
      proof.provesOptimality
      ? "no plan costs less than this one's \(RangeCheck.plain(proof.cost))"
      : proof.kind == .exhaustive
        ? "what the plan claims beyond that rests on exhaustive search, which was not done again"
        : "the plan costs \(RangeCheck.plain(proof.cost))"
    return "certificate (\(proof.kind.rawValue)): the prices prove a lower bound of \(Figures.fixed(bound, 4)); \(rest)"
      + "; it is about at most \(proof.maxProcesses) process\(proof.maxProcesses == 1 ? "" : "es") on an instance"
  }

  /// What could not be verified, in one line.
  package static func line(_ reservation: PlanReservation) -> String {
    "not verified: \(reservation.claim): \(reservation.reason)"
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
