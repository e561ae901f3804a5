extension AdmissionRule {
  /// The rules there are.
  public static let all: [AdmissionRule] = [.certified, .halfSLO]

  /// The rule used where the user names none.
  public static let `default` = certified

  public static func named(_ name: String) -> AdmissionRule? { all.first { $0.name == name } }
}
