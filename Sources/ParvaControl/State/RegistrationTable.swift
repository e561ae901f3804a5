import ParvaEngine

/// Every registration, ordered by workload id.
package struct RegistrationTable: Sendable {
  /// Ascending by id, each id once.
  package private(set) var rows: [Registration] = []

  /// - Parameter rows: in any order, each id once. O(n log n).
  package init(_ rows: [Registration] = []) {
    self.rows = rows.sorted { $0.id < $1.id }
  }

  package var count: Int { rows.count }

  /// O(log n).
  package subscript(id: String) -> Registration? {
    let place = firstIndex(from: id)
    return place < rows.count && rows[place].id == id ? rows[place] : nil
  }

  /// By workload, the tenants that may not share a GPU; workloads that share with all are left out. O(n).
  package var tenants: [String: String] {
    var tenants: [String: String] = [:]
    for row in rows { if let tenant = row.workload.tenant { tenants[row.id] = "\(tenant.key)=\(tenant.value)" } }
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
  /// O(m log n + m moves) for a few changes, O(n + m log m) for many, where moving is copying n pointers at most.
  package mutating func apply(_ changes: [String: Registration?]) {
    if changes.count <= 32 {
      for (id, registration) in changes { set(registration, for: id) }
    } else {
      merge(changes)
    }
  }

  private mutating func set(_ registration: Registration?, for id: String) {
    let place = firstIndex(from: id)
    let isThere = place < rows.count && rows[place].id == id
    switch (registration, isThere) {
    case (let registration?, true): rows[place] = registration
    case (let registration?, false): rows.insert(registration, at: place)
    case (nil, true): rows.remove(at: place)
    case (nil, false): break
    }
  }

  private mutating func merge(_ changes: [String: Registration?]) {
    let added = changes.values.compactMap(\.self).sorted { $0.id < $1.id }
    var merged: [Registration] = []
    merged.reserveCapacity(rows.count + added.count)
    var next = 0
    for row in rows where !changes.keys.contains(row.id) {
      while next < added.count, added[next].id < row.id {
        merged.append(added[next])
        next += 1
      }
      merged.append(row)
    }
    merged += added[next...]
    rows = merged
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
