import Foundation
import ParvaEngine
import ParvaFormats

/// Profiles that clients have put as stores keep them: their wire JSON; the key beside it tells whose they are.
enum ProfileCodec {
  static func data(_ profile: ModelProfile) -> Data {
    var profile = profile
    profile.namespace = nil
    return ProfileWriter.json([profile])
  }

  /// - Throws: `store_corrupt`, naming the profile.
  static func profile(_ data: Data, _ key: ProfileKey) throws(StoreError) -> ModelProfile {
    guard let product = ProductCatalogue.product(named: key.product) else {
      throw StoreError(.corrupt, "The store names the product \(key.product), which this version does not know.")
    }
    do {
      let read = try ProfileReader.read(InputSource(data, format: .json), product: product)
      if read.count == 1 {
        var profile = read[0]
        profile.namespace = key.namespace
        return profile
      }
    } catch {
      throw StoreError(.corrupt, "The store's profile of \(key.model) on \(key.product) cannot be read: \(error)")
    }
    throw StoreError(.corrupt, "The store's profile of \(key.model) on \(key.product) is not one profile.")
  }
}
