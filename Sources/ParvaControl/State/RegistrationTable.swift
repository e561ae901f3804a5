import ParvaEngine

/// Every registration, ordered by workload id.
package struct RegistrationTable: Sendable {
  /// Ascending by id, each id once.
  package private(set) var rows: [Registration] = []
  /// Ids of those whose rate goes by time.
  package private(set) var scheduled: Set<String> = []

  /// - Parameter rows: in any order, each id once. O(n log n).
  package init(_ rows: [Registration] = []) {
    self.rows = rows.sorted { $0.id < $1.id }
    for row in rows where !row.workload.schedule.isEmpty { scheduled.insert(row.id) }
  }

  package var count: Int { rows.count }

  /// O(log n).
  package subscript(id: String) -> Registration? {
    let place = firstIndex(from: id)
    return place < rows.count && rows[place].id == id ? rows[place] : nil
  }

  /// By workload, the tenants that may not share a GPU, each of its own namespace; workloads that share with all are left out. O(n).
  package var tenants: [String: String] {
    var tenants: [String: String] = [:]
    for row in rows {
      if let tenant = row.workload.tenant { tenants[row.id] = "\(tenant.namespace):\(tenant.key)=\(tenant.value)" }
    }
    return tenants
  }

  /// The rows whose id comes after `id`, all for nil. O(log n).
  package func rows(after id: String?) -> ArraySlice<Registration> {
    guard let id else { return rows[...] }
    let place = firstIndex(from: id)
    return rows[(place < rows.count && rows[place].id == id ? place + 1 : place)...]
  }

  /// Sets the registrations that `changes` names, nil taking one away.
  ///
  /// O(m log n) for m changes, and moving n pointers at most where rows come or go.
  package mutating func apply(_ changes: [String: Registration?]) {
    var added: [Registration] = []
    var gone: [Int] = []
    for (id, registration) in changes {
      let place = firstIndex(from: id)
      let isThere = place < rows.count && rows[place].id == id
      if let registration, !registration.workload.schedule.isEmpty {
        scheduled.insert(id)
      } else if !scheduled.isEmpty {
        scheduled.remove(id)
      }
      switch (registration, isThere) {
      case (let registration?, true): rows[place] = registration
      case (let registration?, false): added.append(registration)
      case (nil, true): gone.append(place)
      case (nil, false): break
      }
    }
    if !gone.isEmpty { remove(gone) }
    if !added.isEmpty { insert(added.sorted { $0.id < $1.id }) }
  }

  private mutating func remove(_ places: [Int]) {
    guard places.count > 32 else {
      for place in places.sorted(by: >) { rows.remove(at: place) }
      return
    }
    let (gone, before) = (Set(places), rows)
    rows = before.indices.filter { !gone.contains($0) }.map { before[$0] }
  }

  /// Makes room for all at once, from behind: what stands is moved once and not counted anew.
  ///
  /// - Parameter added: ascending by id, none of them there.
  private mutating func insert(_ added: [Registration]) {
    let places = added.map { firstIndex(from: $0.id) }
    let count = rows.count
    rows += added
    rows.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      let waiting = UnsafeMutablePointer<Registration>.allocate(capacity: added.count)
      waiting.moveInitialize(from: base + count, count: added.count)
      var end = count
      for (number, place) in places.enumerated().reversed() {
        (base + place + number + 1).moveInitialize(from: base + place, count: end - place)
        (base + place + number).moveInitialize(from: waiting + number, count: 1)
        end = place
      }
      waiting.deallocate()
    }
  }

  /// Index of the first row whose id is not before `id`.
  private func firstIndex(from id: String) -> Int {
    var (low, high) = (0, rows.count)
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
