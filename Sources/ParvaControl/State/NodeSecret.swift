/// A secret that messages to a node or to a subscriber are signed with. It goes to the store and into signatures, and shows itself nowhere else.
package struct NodeSecret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
  package let value: String

  package init(_ value: String) { self.value = value }

  package var description: String { "(secret)" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
