import ParvaControl
import ParvaFormats

extension DocumentWriter {
  /// How many names there are, and the first of them.
  mutating func names(_ key: StaticString, _ names: PlanCause.Names) {
    object(key, inline: true) { object in
      object.field("count", names.count)
      object.array("first", inline: true) { list in
        for name in names.first { list.element(name) }
      }
    }
  }
}
