import Foundation

/// Where random tests take their seeds from.
///
/// A run is to give the same answer at every run of the same code, so a test has seeds of its own that stay. To hunt with
/// others, set `PARVA_SEED=random`; to see a fault again, set it to the seed that the failed expectation names.
package enum TestSeed {
  /// The seed of one test; `offset` tells its arguments from each other.
  package static func of(_ test: String = #function, file: String = #fileID, offset: UInt64 = 0) -> UInt64 {
    let asked = ProcessInfo.processInfo.environment["PARVA_SEED"]
    if let seed = asked.flatMap(UInt64.init) { return seed }
    if asked == "random" { return UInt64.random(in: 0...UInt64.max / 2) }
    // FNV-1a, 64 bits.
    let name = (file + test).utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    return (name >> 1) &+ offset
  }
}
