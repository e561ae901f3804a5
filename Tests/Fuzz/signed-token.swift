// Fuzzes the readers of JSON Web Tokens and of an issuer's document of keys.
import Foundation

@testable import ParvaFormats

/// Kept live so that the work cannot be optimised away.
nonisolated(unsafe) var accepted = 0

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = Data(bytes: start, count: count)
  if let text = String(validating: bytes, as: UTF8.self), let token = try? SignedToken(text) {
    precondition(SignedToken.looksLike(text) && text.utf8.starts(with: token.signed))
    precondition(!token.signature.isEmpty && token.signed.count + 1 < text.utf8.count)
    // One text stands for these bytes, and no other.
    let written = Data(token.signature).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      .replacing("=", with: "")
    precondition(text.hasSuffix("." + written))
    if let claims = token.claims, case .object(let members) = claims { accepted &+= members.count + 1 }
  }
  do throws(InputErrors) {
    let set = try JSONWebKeySet(InputSource(bytes, format: .json))
    precondition(set.keys.count <= JSONWebKeySet.most)
    for key in set.keys { precondition((1...2).contains(key.numbers.count) && key.numbers.allSatisfy { !$0.isEmpty }) }
    accepted &+= set.keys.count
  } catch {
    precondition(!error.errors.isEmpty && error.errors.allSatisfy { !$0.message.isEmpty })
  }
  return 0
}
