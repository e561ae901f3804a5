/// The proof of a plan's lower bound as it crosses the wire.
package struct CertificateDocument: Decodable, Sendable {
  package struct Price: Decodable, Sendable {
    package var profile: String
    package var profileId: Int
    package var price: Double

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("profile", "profileId", "price")
      profile = try object.decode(String.self, forKey: "profile")
      profileId = try object.integer("profileId")
      price = try object.number("price")
    }
  }

  package struct PoolPrices: Decodable, Sendable {
    package var pool: String
    package var product: String
    package var weight: Double
    package var stockPrice: Double
    package var prices: [Price]

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("pool", "product", "weight", "stockPrice", "prices")
      pool = try object.decode(String.self, forKey: "pool")
      product = try object.decode(String.self, forKey: "product")
      weight = try object.number("weight")
      stockPrice = try object.number("stockPrice")
      prices = try object.decode([Price].self, forKey: "prices")
    }
  }

  package struct Tenant: Decodable, Sendable {
    /// Nil for that of whatever names none.
    package var namespace: String?
    package var key: String
    package var value: String

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("namespace", "key", "value")
      namespace = try object.decodeIfPresent(String.self, forKey: "namespace")
      key = try object.decode(String.self, forKey: "key")
      value = try object.decode(String.self, forKey: "value")
    }
  }

  package struct Part: Decodable, Sendable {
    package var tenant: Tenant?
    package var bound: Double
    package var pools: [PoolPrices]

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("tenant", "bound", "pools")
      tenant = try object.decodeIfPresent(Tenant.self, forKey: "tenant")
      bound = try object.number("bound")
      pools = try object.decode([PoolPrices].self, forKey: "pools")
    }
  }

  package var kind: String
  package var objective: String
  package var maxProcesses: Int
  package var parts: [Part]

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("kind", "objective", "maxProcesses", "parts")
    kind = try object.decode(String.self, forKey: "kind")
    objective = try object.decode(String.self, forKey: "objective")
    maxProcesses = try object.integer("maxProcesses")
    parts = try object.decode([Part].self, forKey: "parts")
  }
}
