import Foundation
import ParvaFormats
import ParvaWire

/// Windows as they are kept: as they are declared.
enum WindowCodec {
  static func data(_ window: RolloutWindow) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Texts and lists of texts always encode.
    return (try? encoder.encode(WindowReader.spec(of: window))) ?? Data()
  }

  static func window(_ data: Data, name: String) throws(StoreError) -> RolloutWindow {
    do throws(InputErrors) {
      return try WindowReader.read(InputSource(data, format: .json), name: name)
    } catch {
      throw StoreError(.corrupt, "The store's window \(name) cannot be read: \(error.first.message)")
    }
  }
}
