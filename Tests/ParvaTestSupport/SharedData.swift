package import Foundation

/// What `Tests/Data` holds.
package enum TestData {
  package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Data")
}

/// Real measurements and traces that stand beside the checkout; absent in a user's clone, where their tests skip.
package enum SharedData {
  /// The `shared` folder beside the checkout, or the one that `PARVA_SHARED` names; nil where there is none.
  package static let root: URL? = {
    let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let path =
      ProcessInfo.processInfo.environment["PARVA_SHARED"]
      ?? checkout.deletingLastPathComponent().appending(path: "shared").path
    return FileManager.default.fileExists(atPath: path + "/data") ? URL(filePath: path) : nil
  }()

  package static var isPresent: Bool { root != nil }

  /// The published measurements and scenarios of the SC'24 paper.
  package static var published: URL? { root?.appending(path: "data/parvagpu-sc24") }
}
