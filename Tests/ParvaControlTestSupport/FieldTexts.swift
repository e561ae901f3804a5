import Foundation
import ParvaControl

/// Values as text, field by field, in which equal values are equal, in whatever order their tables have them.
package enum FieldTexts {
  package static func text(_ value: Any) -> String {
    switch value {
    case let data as Data: return data.base64EncodedString()
    case let date as Date: return "\(date.timeIntervalSinceReferenceDate)"
    case let secret as NodeSecret: return secret.value
    default: break
    }
    let mirror = Mirror(reflecting: value)
    let children = mirror.children.filter { $0.label != "span" }.map { "\($0.label ?? ""):\(text($0.value))" }
    switch mirror.displayStyle {
    case .dictionary, .set: return "{\(mirror.children.map { text($0.value) }.sorted().joined(separator: ","))}"
    case .none: return String(describing: value)
    case .enum where children.isEmpty: return String(describing: value)
    default: return "(\(children.joined(separator: ",")))"
    }
  }

  /// By name.
  package static func of(_ value: Any) -> [String: String] {
    Dictionary(uniqueKeysWithValues: Mirror(reflecting: value).children.map { ($0.label ?? "", text($0.value)) })
  }
}
