// Fuzzes the reader of the body of a node's POST /v1/apply.
import Foundation

@testable import ParvaFormats
@testable import ParvaWire

/// Kept live so that the work cannot be optimised away.
nonisolated(unsafe) var accepted = 0

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let body = Data(bytes: start, count: count)
  do {
    let wanted = try NodeAssignmentReader.read(InputSource(body, format: .json))
    accepted &+= 1
    // What is taken is written and read back as the same: it lives on in the node's records.
    guard let written = try? JSONEncoder().encode(wanted),
      let again = try? NodeAssignmentReader.read(InputSource(written, format: .json))
    else { preconditionFailure("an accepted plan cannot be read back") }
    precondition(again == wanted)
  } catch {
    precondition(!error.errors.isEmpty && error.errors.allSatisfy { !$0.message.isEmpty })
  }
  return 0
}
