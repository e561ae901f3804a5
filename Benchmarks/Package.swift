// swift-tools-version: 6.3
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"), .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]
let engine: Target.Dependency = .product(name: "ParvaEngine", package: "parva")

let package = Package(
  name: "benchmarks",
  dependencies: [
    .package(name: "parva", path: ".."), .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
  ],
  targets: [
    .target(name: "BenchmarkInputs", dependencies: [engine], swiftSettings: strict),
    .executableTarget(name: "PlanningBenchmark", dependencies: ["BenchmarkInputs", engine], swiftSettings: strict),
    .executableTarget(name: "CapacityBenchmark", dependencies: ["BenchmarkInputs", engine], swiftSettings: strict),
    .executableTarget(
      name: "StoreBenchmark", dependencies: [.product(name: "GRDB", package: "GRDB.swift")], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
