import ParvaEngine
import ParvaTestSupport
import Testing

/// A certificate is believed only as far as the sums come out again.
@Suite struct CertificateCheckerTests {
  private func proven(_ seed: UInt64 = 3, stock: Int? = nil) throws -> (Plan, PlanningInput) {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(
      seed: seed, products: [product], models: 6, workloads: 60, stock: stock,
      options: PlanningOptions(admission: .halfSLO, certificate: true))
    return (OptimalPlanner().plan(input), input)
  }

  struct Tampering: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var code: PlanViolation.Code
    var change: @Sendable (inout PlanCertificate, inout Plan) -> Void

    static let all = [
      Tampering(testDescription: "dearer instances", code: .illegalPrices) { certificate, _ in
        for index in certificate.parts[0].pools[0].prices.indices {
          certificate.parts[0].pools[0].prices[index].value *= 1.01
        }
      },
      Tampering(testDescription: "cheaper instances", code: .boundNotProven) { certificate, _ in
        for index in certificate.parts[0].pools[0].prices.indices {
          certificate.parts[0].pools[0].prices[index].value *= 0.99
        }
      },
      Tampering(testDescription: "no prices", code: .boundNotProven) { certificate, _ in
        certificate.parts[0].pools[0].prices = []
      },
      Tampering(testDescription: "a higher bound", code: .boundNotProven) { certificate, _ in
        certificate.parts[0].bound += 0.01
      },
      Tampering(testDescription: "a higher bound in the summary", code: .boundNotProven) { _, plan in
        plan.summary.lowerBound = (plan.summary.lowerBound ?? 0) + 0.01
      },
      Tampering(testDescription: "a negative price", code: .wrongCertificate) { certificate, _ in
        certificate.parts[0].pools[0].prices[0].value = -1
      },
      Tampering(testDescription: "a price that is no number", code: .wrongCertificate) { certificate, _ in
        certificate.parts[0].pools[0].prices[0].value = .nan
      },
      Tampering(testDescription: "a stock price without stock", code: .wrongCertificate) { certificate, _ in
        certificate.parts[0].pools[0].stockPrice = 1
      },
      Tampering(testDescription: "another weight", code: .wrongCertificate) { certificate, _ in
        certificate.parts[0].pools[0].weight = 2
      },
      Tampering(testDescription: "fewer processes than the plan uses", code: .wrongCertificate) { certificate, _ in
        certificate.maxProcesses = 1
      },
      Tampering(testDescription: "more processes than the plan was allowed", code: .wrongCertificate) {
        certificate, _ in
        certificate.maxProcesses += 1
      },
      Tampering(testDescription: "another objective than the plan's", code: .wrongCertificate) { certificate, _ in
        certificate.objective = .cost
      },
      Tampering(testDescription: "another pool", code: .wrongCertificate) { certificate, _ in
        certificate.parts[0].pools[0].pool = "elsewhere"
      },
      Tampering(testDescription: "a part of nobody", code: .wrongCertificate) { certificate, _ in
        certificate.parts[0].tenant = Tenant(namespace: "default", key: "team", value: "x")
      },
      Tampering(testDescription: "the same part twice", code: .wrongCertificate) { certificate, _ in
        certificate.parts.append(certificate.parts[0])
      },
      Tampering(testDescription: "an instance priced twice", code: .wrongCertificate) { certificate, _ in
        certificate.parts[0].pools[0].prices.append(certificate.parts[0].pools[0].prices[0])
      },
    ]
  }

  @Test("finds what was tampered with", arguments: Tampering.all)
  func tampered(_ tampering: Tampering) throws {
    var (plan, input) = try proven()
    var certificate = try #require(plan.certificate)
    try #require(PlanChecker.violations(of: plan, against: input) == [])
    tampering.change(&certificate, &plan)
    plan.certificate = certificate
    let codes = PlanChecker.violations(of: plan, against: input).map(\.code)
    #expect(codes.contains(tampering.code), "found \(codes)")
  }

  @Test("proves what the planner says, with and without stock", arguments: 0..<40)
  func proves(_ seed: Int) throws {
    let (plan, input) = try proven(UInt64(seed), stock: seed % 2 == 0 ? 12 + seed : nil)
    let certificate = try #require(plan.certificate)
    let verdict = CertificateChecker(input, plan).judge(certificate)
    #expect(verdict.violations == [])
    let bound = try #require(verdict.verifiedBound)
    #expect(bound <= Double(plan.summary.gpuCount) + 1e-6)
    if certificate.kind == .prices {
      // The planner may give up on some workload's cheapest cover and claim less than its prices prove.
      #expect(bound >= (plan.summary.lowerBound ?? 0) - 1e-6 * max(1, bound))
    } else {
      #expect(bound <= plan.summary.lowerBound ?? 0)
    }
  }

  @Test("a plan of more GPUs does not pass as optimal under the same prices")
  func worsePlan() throws {
    var (plan, input) = try proven()
    let certificate = try #require(plan.certificate)
    var extra = plan.gpus[0]
    extra.segments = [plan.gpus[0].segments[0]]
    extra.segments[0].ordinal = 999
    plan.gpus.append(extra)
    let verdict = CertificateChecker(input, plan).judge(certificate)
    #expect(verdict.violations.map(\.code) == [.boundNotProven])
    #expect(!verdict.provesOptimality)
  }
}
