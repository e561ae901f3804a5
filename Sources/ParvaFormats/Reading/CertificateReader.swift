import ParvaEngine
import ParvaWire

/// Reads the proof in a plan document; whether it proves anything is for ``CertificateChecker`` to say.
enum CertificateReader {
  /// Nil where something was refused.
  static func read(
    _ document: CertificateDocument, _ input: InputDocument, _ refusals: inout Refusals
  ) -> PlanCertificate? {
    let kind = PlanReader.word(
      PlanCertificate.Kind.self, document.kind, ["certificate", "kind"], input, &refusals)
    let objective = PlanReader.word(
      PlanObjective.self, document.objective, ["certificate", "objective"], input, &refusals)
    if let message = RangeCheck.message("maxProcesses", document.maxProcesses, InputLimits.processes) {
      refusals.add(
        input.error(
          .outOfRange, message, at: ["certificate", "maxProcesses"], value: String(document.maxProcesses)))
    }
    let parts = document.parts.enumerated().map { index, part in
      PlanCertificate.Part(
        tenant: part.tenant.map {
          Tenant(namespace: $0.namespace ?? Namespace.standard, key: $0.key, value: $0.value)
        }, bound: part.bound,
        pools: part.pools.enumerated().compactMap { number, pool in
          prices(pool, ["certificate", "parts", String(index), "pools", String(number)], input, &refusals)
        })
    }
    guard let kind, let objective else { return nil }
    return PlanCertificate(kind: kind, objective: objective, maxProcesses: document.maxProcesses, parts: parts)
  }

  private static func prices(
    _ pool: CertificateDocument.PoolPrices, _ path: [String], _ input: InputDocument, _ refusals: inout Refusals
  ) -> PlanCertificate.PoolPrices? {
    guard let product = ProductCatalogue.product(named: pool.product) else {
      let error = InputError.unknownProduct(pool.product)
      refusals.add(input.error(error.code, error.message, at: path + ["product"], value: pool.product))
      return nil
    }
    var prices: [PlanCertificate.PoolPrices.Price] = []
    for (index, price) in pool.prices.enumerated() {
      guard let profile = product.profileIndex(driverID: price.profileId),
        product.profiles[profile].name == price.profile
      else {
        refusals.add(
          input.error(
            .unknownProfile,
            "\(product.name) has no profile \(InputError.shortened(price.profile)) with id "
              + "\(price.profileId)", at: path + ["prices", String(index)], value: price.profile))
        continue
      }
      prices.append(.init(profile: profile, value: price.price))
    }
    return PlanCertificate.PoolPrices(
      pool: pool.pool, product: product, weight: pool.weight, stockPrice: pool.stockPrice, prices: prices)
  }
}
