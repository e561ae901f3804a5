// Fuzzes the reader of the body of an Envoy's POST /v3/discovery.
import Foundation

@testable import ParvaFormats

/// Kept live so that the work cannot be optimised away.
nonisolated(unsafe) var accepted = 0

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let body = Data(bytes: start, count: count)
  if let quick = QuickDiscoveryParser.shape(body) {
    do throws(InputErrors) {
      let document = try InputDocument(InputSource(body, format: .json), limit: DiscoveryRequest.bytes)
      precondition(try document.decode(DiscoveryShape.self) == quick, "the two ways differ")
    } catch {
      precondition(error.first.code == .duplicate, "only the quick way accepts")
    }
  }
  do throws(InputErrors) {
    let request = try DiscoveryRequest(body, typeURL: "t")
    accepted &+= request.size
    precondition(!request.node.isEmpty && (1...65_535).contains(request.listenPort))
  } catch {
    precondition(!error.errors.isEmpty && error.errors.allSatisfy { !$0.message.isEmpty })
  }
  return 0
}
