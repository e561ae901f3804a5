import Synchronization

/// Everything that was worked out about capacities. It only ever saves time: no answer depends on what is in it.
///
/// Keep one for as long as profiles are likely to be asked about again; it may be shared between threads. Whoever works
/// something out keeps it under a type of its own, so that no one sees what another has found.
public final class CapacityCache: Sendable {
  private let stores = Mutex<[ObjectIdentifier: any Sendable]>([:])

  public init() {}

  /// The one store of type `Store`, made when it is first asked for. O(1).
  func store<Store: AnyObject & Sendable>(_ make: () -> Store) -> Store {
    stores.withLock { stores in
      if let known = stores[ObjectIdentifier(Store.self)] as? Store { return known }
      let made = make()
      stores[ObjectIdentifier(Store.self)] = made
      return made
    }
  }
}
