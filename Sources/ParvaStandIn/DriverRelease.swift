import Foundation

/// A release of the driver that a simulated machine answers as: what callers can tell of its age.
package struct DriverRelease: Hashable, Sendable {
  /// As `--simulate NAME@RELEASE` has it.
  package let name: String
  let version: String
  /// 1000 x major + 10 x minor.
  let cuda: Int
  /// Newest version of the profile structs.
  let structs: Int
  /// Code of the answer to a newer one: libraries of R510 to R535 call it an invalid argument.
  let mismatch: Int
  /// Bytes of an entry in the third version of the process lists.
  let processEntry: Int
  /// Functions that its library does not have yet.
  var lacks: [String] = []

  package static let known = [
    DriverRelease(
      name: "470", version: "470.256.02", cuda: 11_040, structs: 1, mismatch: 2, processEntry: 24, lacks: beforeR510),
    DriverRelease(name: "525", version: "525.147.05", cuda: 12_000, structs: 2, mismatch: 2, processEntry: 24),
    DriverRelease(name: "535-early", version: "535.54.03", cuda: 12_020, structs: 2, mismatch: 2, processEntry: 32),
    DriverRelease(name: "535", version: "535.230.02", cuda: 12_020, structs: 2, mismatch: 2, processEntry: 24),
    DriverRelease(name: "550", version: "550.144.03", cuda: 12_040, structs: 3, mismatch: 25, processEntry: 24),
    DriverRelease(name: "570", version: "570.0", cuda: 12_080, structs: 3, mismatch: 25, processEntry: 24),
    DriverRelease(name: "580", version: "580.95.05", cuda: 13_000, structs: 3, mismatch: 25, processEntry: 24),
  ]

  /// What came with R510.
  private static let beforeR510 = [
    "nvmlDeviceGetGpuInstanceProfileInfoV", "nvmlGpuInstanceGetComputeInstanceProfileInfoV",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v3",
    "nvmlDeviceGetMPSComputeRunningProcesses_v3",
  ]

  /// The stand-in's library as this release has it: what it lacks is there under names that nobody looks up.
  func library(_ newest: Data) -> Data {
    lacks.reduce(into: newest) { library, name in
      let entry = Data([0]) + Data(name.utf8) + Data([0])
      while let found = library.range(of: entry) { library[found.lowerBound + 1] = UInt8(ascii: "x") }
    }
  }

  /// What a machine has that says nothing of it.
  package static var usual: DriverRelease { known[5] }

  /// Lines of the stand-in's `config`.
  var lines: [String] {
    [
      "driver \(version).SIMULATED", "cuda \(cuda)", "structs \(structs)", "mismatch \(mismatch)",
      "process-entry \(processEntry)",
    ]
  }
}
