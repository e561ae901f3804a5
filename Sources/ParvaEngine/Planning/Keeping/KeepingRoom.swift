/// Room on the slots of a ``KeepingState``: where one more instance goes without moving anything.
struct KeepingRoom {
  private let market: Market
  /// Per pool.
  private var fits: [TightestFit] = []
  /// Per pool the slot of each of its GPUs.
  private var slotOf: [[Int]] = []
  /// Per slot its number among those of its pool, where its room is offered.
  private var gpuOf: [Int: Int] = [:]

  /// Offers the room of the slots that are in use. O(segments).
  init(_ state: KeepingState) {
    market = state.market
    fits = market.cuts.map { TightestFit($0.product) }
    slotOf = market.cuts.map { _ in [] }
    for (index, slot) in state.slots.enumerated() where !slot.segments.isEmpty { open(index, slot) }
  }

  /// Offers a slot's room too.
  mutating func open(_ index: Int, _ slot: DraftGPU) {
    _ = fits[slot.pool].append(
      slot.segments.map { Placement(profile: market.columns[$0.column].profile, start: $0.start) })
    slotOf[slot.pool].append(index)
    gpuOf[index] = slotOf[slot.pool].count - 1
  }

  /// The slot with least room that has room for an instance of `column`, which is taken; nil where there is none.
  mutating func place(_ column: Int) -> KeepingPlace? {
    let (pool, profile) = (market.columns[column].pool, market.columns[column].profile)
    let starts = market.cuts[pool].product.profiles[profile].starts
    guard let place = fits[pool].place(profile, starts: starts, opening: false) else { return nil }
    return KeepingPlace(column: column, slot: slotOf[pool][place.gpu], start: place.start, gpu: place.gpu)
  }

  /// The same on none of some slots, which hold in `state` all that stands on them.
  mutating func place(_ column: Int, outside held: [Int], _ state: KeepingState) -> KeepingPlace? {
    for slot in held { close(slot, state.slots[slot]) }
    let place = place(column)
    for slot in held { offer(slot, state.slots[slot]) }
    return place
  }

  /// Keeps anything from being placed on a slot until it is offered again.
  mutating func close(_ index: Int, _ slot: DraftGPU) {
    if let gpu = gpuOf[index] { fits[slot.pool].close(gpu) }
  }

  /// Offers a slot whose room has changed.
  mutating func offer(_ index: Int, _ slot: DraftGPU) {
    guard let gpu = gpuOf[index] else { return open(index, slot) }
    fits[slot.pool].reopen(
      gpu, with: slot.segments.map { Placement(profile: market.columns[$0.column].profile, start: $0.start) })
  }

  /// Gives a place back.
  mutating func remove(_ place: KeepingPlace) {
    let column = market.columns[place.column]
    fits[column.pool].remove(column.profile, start: place.start, gpu: place.gpu)
  }
}

/// Where a new instance goes.
struct KeepingPlace {
  var column: Int
  var slot: Int
  var start: Int
  /// Index of the slot among those of its pool with room.
  fileprivate var gpu: Int
}
