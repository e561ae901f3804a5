package import ParvaEngine

/// All that plans are made from and that clients can change, at one revision.
package struct Demand: Sendable {
  /// Grows by one with every change that was stored; 0 while nothing was ever registered.
  package var revision: Int
  package var registrations: RegistrationTable
  /// Profiles that clients have put in place of the catalogue's or beside them, by model and product.
  package var profiles: [ProfileKey: StoredProfile]

  package init(
    revision: Int = 0, registrations: RegistrationTable = RegistrationTable(),
    profiles: [ProfileKey: StoredProfile] = [:]
  ) {
    self.revision = revision
    self.registrations = registrations
    self.profiles = profiles
  }
}

/// Names one model on one product.
package struct ProfileKey: Hashable, Sendable, Comparable {
  package var model: String
  package var product: String

  package init(model: String, product: String) {
    self.model = model
    self.product = product
  }

  package static func < (a: ProfileKey, b: ProfileKey) -> Bool { (a.model, a.product) < (b.model, b.product) }
}

/// A profile that a client has put, with the demand revision of its last change.
package struct StoredProfile: Hashable, Sendable {
  package var profile: ModelProfile
  package var revision: Int

  package init(_ profile: ModelProfile, revision: Int) {
    self.profile = profile
    self.revision = revision
  }

  package var key: ProfileKey { ProfileKey(model: profile.model, product: profile.product) }
}
