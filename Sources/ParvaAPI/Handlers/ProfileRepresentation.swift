import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats

/// Writes profiles as clients see them.
enum ProfileRepresentation {
  static func one(_ resource: ProfileHandlers.Resource, _ format: DocumentFormat) -> Data {
    guard format != .csv else { return ProfileWriter.csv([resource.profile]) }
    var writer = DocumentWriter(format == .yaml ? .yaml : .json)
    writer.object { root in
      ProfileWriter.write(resource.profile, &root)
      write(resource, &root)
    }
    writer.finish()
    return Data(writer.bytes)
  }

  /// Every profile without its points.
  static func list(_ resources: [ProfileHandlers.Resource], revision: Int, cursor: String?) -> Data {
    var writer = DocumentWriter(.json, capacity: 256 + resources.count * 256)
    writer.object { root in
      root.array("profiles") { list in
        for resource in resources {
          list.object(inline: true) { summary(resource, &$0) }
        }
      }
      root.field("revision", revision)
      root.field("nextCursor", cursor)
    }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func summary(_ resource: ProfileHandlers.Resource, _ object: inout DocumentWriter) {
    let profile = resource.profile
    object.field("model", profile.model)
    object.field("product", profile.product)
    if let namespace = profile.namespace { object.field("namespace", namespace) }
    object.field("source", profile.source.rawValue)
    object.field("pointCount", profile.points.count)
    object.field("filledCount", profile.points.count { $0.source == .filled })
    object.field("greatestMargin", profile.points.map(\.margin).max() ?? 0)
    write(resource, &object)
  }

  /// `stored` profiles carry the demand revision of their last change; those of the base have none.
  private static func write(_ resource: ProfileHandlers.Resource, _ object: inout DocumentWriter) {
    object.field("origin", resource.revision == nil ? "base" : "stored")
    object.field("revision", resource.revision)
  }
}
