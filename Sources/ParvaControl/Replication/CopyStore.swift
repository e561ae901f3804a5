/// A replica's copy of a store that another replica writes: it is read, and takes nothing. Closing it closes nothing.
struct CopyStore: ReadingStore {
  private let copy: any ReplicatedStore

  var source: any Store { copy }

  init(_ copy: any ReplicatedStore) { self.copy = copy }

  private static let notLeader = StoreError(.notLeader, "This replica follows another one: it only reads.")

  func commit(_ batch: StoreBatch) async throws(StoreError) {
    if !batch.isEmpty { throw Self.notLeader }
  }

  func probe() async throws(StoreError) { throw Self.notLeader }
  func close() async throws(StoreError) {}

  var sizeBytes: Int? { copy.sizeBytes }
  var trouble: StoreError? { copy.trouble }
}
