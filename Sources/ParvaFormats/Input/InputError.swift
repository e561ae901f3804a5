/// One refusal of something that came from outside, with its place.
package struct InputError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Stable code: tests and clients branch on it.
  package enum Code: String, Hashable, Sendable, CaseIterable {
    /// The file is missing or may not be read.
    case unreadable
    /// More bytes than ``InputLimits`` allows.
    case tooLarge = "too_large"
    case notUTF8 = "not_utf8"
    /// Not JSON, YAML or CSV at all.
    case invalidSyntax = "invalid_syntax"
    case unknownKey = "unknown_key"
    case missingKey = "missing_key"
    case wrongType = "wrong_type"
    /// A number or text outside what is allowed.
    case outOfRange = "out_of_range"
    /// A name that breaks its grammar.
    case invalidName = "invalid_name"
    /// A second entry where one may stand.
    case duplicate
    case wrongHeader = "wrong_header"
    /// A CSV row with fields missing or too many.
    case wrongFieldCount = "wrong_field_count"
    case unknownProduct = "unknown_product"
    case unknownProfile = "unknown_profile"
    /// A plan's segment that its demand or its profiles do not know.
    case unknownWorkload = "unknown_workload"
    case wrongModel = "wrong_model"
    case noProfile = "no_profile"
    case unknownPoint = "unknown_point"
    /// An event of a simulation that names what is not there.
    case unknownTarget = "unknown_target"
    /// A recorded stream of requests that is referred to and not given.
    case unknownTrace = "unknown_trace"
    /// Nothing in it where something must be.
    case empty
    /// Two statements of one document that contradict each other.
    case contradiction
    /// A plan that is to be in force and whose segments cannot stand so.
    case illegalPlacement = "illegal_placement"
    /// Something of another namespace than the only one that may be named.
    case namespaceMismatch = "namespace_mismatch"
    /// Something that the format asked for cannot hold.
    case notInFormat = "not_in_format"
    /// A document of another schema version.
    case unsupportedVersion = "unsupported_version"
  }

  package var code: Code
  /// Path as the user gave it; nil for a request body.
  package var file: String?
  /// Line from 1, where the format has lines.
  package var line: Int?
  /// JSON pointer (RFC 6901) into the document, for JSON and YAML.
  package var pointer: String?
  /// The value that was refused, shortened for a person.
  package var value: String?
  /// One sentence: what is wrong and what is allowed.
  package var message: String

  package init(
    _ code: Code, _ message: String, file: String? = nil, line: Int? = nil, pointer: String? = nil,
    value: String? = nil
  ) {
    self.code = code
    self.message = message
    self.file = file
    self.line = line
    self.pointer = pointer
    self.value = value.map(Self.shortened)
  }

  /// `file:line: message [code] (pointer)`, without what there is not; `line 3: message [code] (pointer)` or
  /// `#pointer: message [code]` for a body.
  package var description: String {
    let statement = "\(message) [\(code.rawValue)]"
    guard let line else { return (file ?? "") + (pointer.map { "#\($0)" } ?? "") + ": " + statement }
    let place = file.map { "\($0):\(line): " } ?? "line \(line): "
    return place + statement + (pointer.map { $0.isEmpty ? "" : " (\($0))" } ?? "")
  }

  /// A size of so many bytes for a person: in the largest unit of which it is a whole number.
  package static func size(_ bytes: Int) -> String {
    if bytes >= 1 << 20, bytes % (1 << 20) == 0 { return "\(bytes >> 20) MiB" }
    if bytes >= 1 << 10, bytes % (1 << 10) == 0 { return "\(bytes >> 10) KiB" }
    return "\(bytes) bytes"
  }

  /// At most 60 characters, control characters made visible.
  static func shortened(_ text: String) -> String {
    let head = text.unicodeScalars.prefix(61)
    let shown = head.prefix(60).map { $0.value < 0x20 || $0.value == 0x7f ? "\u{fffd}" : String($0) }.joined()
    return head.count > 60 ? shown + "…" : shown
  }
}

/// All refusals of one input, at least one, in order of appearance.
package struct InputErrors: Error, Hashable, Sendable, CustomStringConvertible {
  package private(set) var errors: [InputError]
  /// Further refusals that are counted but not kept.
  package private(set) var omitted: Int
  /// Whether so much was wrong that the rest was not read.
  package private(set) var isCut = false

  package init(_ error: InputError, _ others: some Sequence<InputError> = []) {
    errors = [error] + others
    omitted = 0
  }

  init?(_ refusals: Refusals) {
    guard !refusals.errors.isEmpty else { return nil }
    errors = refusals.errors
    omitted = refusals.omitted
    isCut = refusals.isFull
  }

  /// The first refusal, for clients that show one.
  package var first: InputError { errors[0] }

  package var description: String {
    (errors.map(\.description)
      + (omitted > 0 ? ["and \(omitted) more" + (isCut ? ", at which reading ended" : "")] : [])).joined(
        separator: "\n")
  }
}

/// Refusals gathered while reading goes on, so that a user can mend a file in one go.
struct Refusals {
  /// How many are kept of what a person reads.
  static let kept = 20
  private(set) var errors: [InputError] = []
  private(set) var omitted = 0
  var isEmpty: Bool { errors.isEmpty }
  var count: Int { errors.count + omitted }
  /// Whether so much is wrong that reading on helps nobody.
  var isFull: Bool { count >= InputLimits.refusals || bytes >= InputLimits.refusedBytes }
  /// Of elements in which something was wrong.
  private var bytes = 0
  private let most: Int

  init(kept most: Int = Refusals.kept) { self.most = most }

  mutating func add(_ error: InputError) {
    if errors.count < most { errors.append(error) } else { omitted += 1 }
  }

  /// Counts refusals that somebody else has not kept.
  mutating func omit(_ count: Int) { omitted += count }

  /// Counts an element of a list in which something was wrong.
  mutating func pass(bytes count: Int) { bytes += count }

  mutating func add(_ other: InputErrors) {
    for error in other.errors { add(error) }
    omitted += other.omitted
  }

  /// Throws what was gathered, if anything was.
  func check() throws(InputErrors) {
    if let errors = InputErrors(self) { throw errors }
  }
}
