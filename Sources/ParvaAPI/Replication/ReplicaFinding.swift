import ParvaControl

/// What does not fit together among replicas, as one of them sees it.
struct ReplicaFinding: Hashable, Sendable {
  enum Code: String, CaseIterable, Sendable {
    /// Two replicas advertise one address.
    case addressShared = "address_shared"
    /// Who answers at a replica's address is not that replica.
    case addressOfAnother = "address_of_another"
    /// Nobody answers there.
    case addressUnreachable = "address_unreachable"
    /// It would plan, or let others do things, differently.
    case optionsDiffer = "options_differ"
    /// A newer version has led: this one does not.
    case outdated
  }

  /// What came of asking for a replica at its address.
  enum Reach: Hashable, Sendable {
    case answers(id: String)
    case fails(String)
  }

  /// An option, as this replica has it and as another one does; nil where it is not set.
  struct Difference: Hashable, Sendable {
    var option: String
    var here: String?
    var there: String?
  }

  var code: Code
  /// The replica that it is about.
  var id: String
  var address: String
  /// One sentence for a person.
  var message: String

  /// How long two records of one address have to stand beside each other: that of a replica which was killed and started again
  /// outlives it.
  static let settled = Duration.seconds(15)

  /// O(members²).
  ///
  /// - Parameters:
  ///   - own: id of this replica.
  ///   - reach: what came of asking for the others, by id.
  ///   - hindrance: why this replica does not lead.
  static func all(
    _ members: [SeenReplica], own: String, reach: [String: Reach], hindrance: StoreError?, now: ContinuousClock.Instant
  ) -> [ReplicaFinding] {
    var findings: [ReplicaFinding] = []
    func add(_ code: Code, _ member: ReplicaMember, _ message: String) {
      findings.append(ReplicaFinding(code: code, id: member.id, address: member.address, message: message))
    }
    let this = members.first { $0.member.id == own }?.member
    for seen in members {
      let member = seen.member
      let twins = members.filter { other in
        other.member.id != member.id && other.member.address == member.address
          && [seen, other].allSatisfy { $0.since.duration(to: now) >= settled }
      }
      if let twin = twins.first?.member {
        add(
          .addressShared, member,
          "Two replicas advertise \(member.address), one on \(Self.name(member)) and one on \(Self.name(twin)): what is passed on to "
            + "one comes to the other. Give each its own --advertise.")
      }
      switch reach[member.id] {
      case .answers(let id)? where id != member.id && !members.contains(where: { $0.isAgain(member, as: id) }):
        let other = members.first { $0.member.id == id }.map { "that of \($0.member.address)" } ?? "another"
        add(
          .addressOfAnother, member,
          "At \(member.address), which the replica on \(Self.name(member)) advertises, \(other) answers: correct its --advertise."
        )
      case .fails(let why)?:
        add(
          .addressUnreachable, member,
          "The replica on \(Self.name(member)) is not reached at \(member.address), which it advertises (\(why)): when it leads, "
            + "nothing can be passed on to it.")
      default: break
      }
      if let this {
        let differences = Self.differences(this, member)
        guard !differences.isEmpty else { continue }
        let listed = differences.prefix(3).map { one in
          "--\(one.option) is \(one.there ?? "not set") there and \(one.here ?? "not set") here"
        }
        let rest = differences.count > 3 ? ", and \(differences.count - 3) more" : ""
        add(
          .optionsDiffer, member,
          "The replica at \(member.address) has other options: \(listed.joined(separator: ", "))\(rest). Whoever leads "
            + "plans by its own.")
      }
    }
    if let hindrance, let this { add(.outdated, this, hindrance.message) }
    return findings
  }

  private static func name(_ member: ReplicaMember) -> String { member.host.isEmpty ? "host unknown" : member.host }

  /// Options that two replicas do not have alike, by name. Those that only one of two versions knows are none.
  static func differences(_ here: ReplicaMember, _ there: ReplicaMember) -> [Difference] {
    guard here.id != there.id else { return [] }
    let names = Set(here.options.keys).union(there.options.keys)
    let isSameVersion = here.version == there.version
    return names.sorted().compactMap { name in
      let (own, other) = (here.options[name], there.options[name])
      guard own != other, isSameVersion || (own != nil && other != nil) else { return nil }
      return Difference(option: name, here: own, there: other)
    }
  }
}

extension SeenReplica {
  /// Whether it is who answers at the address of a replica whose record may outlive it, and has the same address.
  fileprivate func isAgain(_ other: ReplicaMember, as id: String) -> Bool {
    member.id == id && member.address == other.address
  }
}
