package import Foundation
import ParvaEngine
package import ParvaFormats

/// The tag of every resource: its revision, a dot, and what tells its representations at that revision apart.
///
/// The whole tag changes with every byte of the representation, as RFC 9110, section 8.8.3, wants it. Clients change
/// only what the revision counts, so `If-Match` compares that part: a new plan does not void a client's edit.
package struct EntityTag: Hashable {
  /// 0 for what has none.
  package var revision: Int
  package var detail: String

  /// - Parameter format: what sets this representation apart from others of the same resource.
  package init(revision: Int = 0, of representation: Data, as format: DocumentFormat = .json) {
    self.revision = revision
    let digits = StableHash.digits(of: representation)
    detail = format == .json ? digits : "\(format.name)-\(digits)"
  }

  /// A tag for an answer without a representation: it stands for the revision alone.
  package init(revision: Int) {
    self.revision = revision
    detail = "0"
  }

  /// The tag with its quotes.
  package var text: String { "\"\(revision).\(detail)\"" }

  /// What records keep of a resource: its revision, and the hash of what it declares, `0` for what has none at hand.
  static func forRecords(_ revision: Int, _ declaration: Data?) -> String {
    "\(revision).\(declaration.map { StableHash.digits(of: $0) } ?? "0")"
  }
}
