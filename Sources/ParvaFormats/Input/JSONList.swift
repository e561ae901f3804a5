package import Foundation

/// A document of JSON that is a list, bare or under a key of its root, read one element after the other: beside what is made of
/// them one element at a time is more than its text, whatever somebody has sent.
package struct JSONList {
  /// Of one element.
  package enum Element {
    case text(Data)
    /// More than ``InputLimits/elementBytes``.
    case tooLarge
  }

  private let source: InputSource
  private let list: JSONScanner.List?

  /// The document without the elements, and lines as before where a person may look for them; all of it where it is no such list.
  package let outline: InputSource

  /// Whether there is a list.
  package var isThere: Bool { list != nil }
  /// Whether it is the whole document.
  package var isBare: Bool { list?.isBare ?? false }

  /// - Throws: `not_utf8`, `invalid_syntax`, `duplicate`, `too_large`, `empty`; `too_large`, too, for much beside a list.
  /// - Complexity: O(bytes).
  package init(_ source: InputSource, under name: String, limit: Int) throws(InputErrors) {
    try source.checkSyntax(limit: limit)
    self.source = source
    list = JSONScanner.scan(source.data) { $0.list(under: name) }
    var (outline, lines) = (source.data, Data())
    if let range = list?.range {
      let (start, end) = (outline.startIndex + range.lowerBound, outline.startIndex + range.upperBound)
      if source.name != nil { lines = Data(repeating: 0x0a, count: outline[start..<end].count { $0 == 0x0a }) }
      outline = outline[..<start] + Data("[".utf8) + lines + Data("]".utf8) + outline[end...]
    }
    guard outline.count - lines.count <= InputLimits.elementBytes else {
      throw InputErrors(
        InputError(
          .tooLarge,
          "more than \(InputLimits.elementBytes >> 20) MiB beside a list, which stands bare or under \"\(name)\"",
          file: source.name))
    }
    self.outline = InputSource(outline, name: source.name, format: .json)
  }

  /// - Parameter visit: is given each element with its number from 0, and answers whether to go on.
  /// - Complexity: O(bytes).
  package func forEach(_ visit: (Int, Element) -> Bool) {
    guard let list else { return }
    let start = source.data.startIndex
    var index = 0
    JSONScanner.scan(source.data) { scanner in
      scanner.elements(of: list) { range in
        defer { index += 1 }
        guard range.count <= InputLimits.elementBytes else { return visit(index, .tooLarge) }
        return visit(index, .text(source.data[start + range.lowerBound..<start + range.upperBound]))
      }
    }
  }
}
