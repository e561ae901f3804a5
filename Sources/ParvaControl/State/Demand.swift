package import ParvaEngine

/// All that plans are made from and that clients can change, at one revision.
package struct Demand: Sendable {
  /// Grows by one with every change that was stored; 0 while nothing was ever registered.
  package var revision: Int
  package var registrations: RegistrationTable
  /// Profiles that clients have put in place of the catalogue's or beside them, by model, product and namespace.
  package var profiles: [ProfileKey: StoredProfile]

  /// Those that were declared, by name.
  package var namespaces: [String: NamespaceRecord]
  /// What each of these has registered.
  var uses: [String: NamespaceUse]

  /// - Complexity: O(registrations) for each namespace.
  package init(
    revision: Int = 0, registrations: RegistrationTable = RegistrationTable(),
    profiles: [ProfileKey: StoredProfile] = [:], namespaces: [NamespaceRecord] = []
  ) {
    self.revision = revision
    self.registrations = registrations
    self.profiles = profiles
    self.namespaces = Dictionary(uniqueKeysWithValues: namespaces.map { ($0.name, $0) })
    uses = self.namespaces.mapValues { Self.use(of: registrations.rows(in: $0.name, after: nil)) }
  }
}

/// Names one model on one product, for everybody or for one namespace.
package struct ProfileKey: Hashable, Sendable, Comparable {
  package var model: String
  package var product: String
  /// Nil: everybody's.
  package var namespace: String?

  package init(model: String, product: String, namespace: String? = nil) {
    self.model = model
    self.product = product
    self.namespace = namespace
  }

  package init(_ profile: ModelProfile) {
    self.init(model: profile.model, product: profile.product, namespace: profile.namespace)
  }

  package static func < (a: ProfileKey, b: ProfileKey) -> Bool {
    (a.model, a.product, a.namespace ?? "") < (b.model, b.product, b.namespace ?? "")
  }
}

/// A profile that a client has put, with the demand revision of its last change.
package struct StoredProfile: Hashable, Sendable {
  package var profile: ModelProfile
  package var revision: Int

  package init(_ profile: ModelProfile, revision: Int) {
    self.profile = profile
    self.revision = revision
  }

  package var key: ProfileKey { ProfileKey(profile) }
}
