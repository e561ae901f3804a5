import ParvaEngine

extension PlanWriter {
  /// Workloads that get less than they ask for; nothing where there is none.
  static func write(partial services: [PartialService], _ style: DocumentWriter.Style, _ root: inout DocumentWriter) {
    guard !services.isEmpty else { return }
    root.array("partial") { list in
      for service in services {
        list.object(inline: style == .json) {
          $0.field("workload", service.workload)
          $0.field("demanded", service.demanded)
          $0.field("served", service.served)
          $0.field("code", service.code.rawValue)
          $0.field("message", service.message)
        }
      }
    }
  }

  /// The proof of the bound, one pool a line.
  static func write(
    _ certificate: PlanCertificate, _ style: DocumentWriter.Style, _ root: inout DocumentWriter
  ) {
    root.object("certificate") { object in
      object.field("kind", certificate.kind.rawValue)
      object.field("objective", certificate.objective.rawValue)
      object.field("maxProcesses", certificate.maxProcesses)
      object.array("parts") { parts in
        for part in certificate.parts {
          parts.object { write(part, style, &$0) }
        }
      }
    }
  }

  private static func write(
    _ part: PlanCertificate.Part, _ style: DocumentWriter.Style, _ object: inout DocumentWriter
  ) {
    if let tenant = part.tenant {
      object.object("tenant", inline: true) {
        if tenant.namespace != Namespace.standard { $0.field("namespace", tenant.namespace) }
        $0.field("key", tenant.key)
        $0.field("value", tenant.value)
      }
    }
    object.field("bound", part.bound)
    object.array("pools") { pools in
      for pool in part.pools {
        pools.object(inline: style == .json) { object in
          object.field("pool", pool.pool)
          object.field("product", pool.product.name)
          object.field("weight", pool.weight)
          object.field("stockPrice", pool.stockPrice)
          object.array("prices", inline: style == .json) { prices in
            for price in pool.prices {
              let profile = pool.product.profiles[price.profile]
              prices.object(inline: true) {
                $0.field("profile", profile.name)
                $0.field("profileId", profile.driverProfileID)
                $0.field("price", price.value)
              }
            }
          }
        }
      }
    }
  }
}
