// swift-tools-version: 6.3
import PackageDescription

let package = Package(
  name: "benchmarks",
  dependencies: [.package(name: "parva", path: "..")],
  targets: [
    .executableTarget(
      name: "PlanningBenchmark", dependencies: [.product(name: "ParvaEngine", package: "parva")],
      swiftSettings: [.enableUpcomingFeature("MemberImportVisibility"), .treatAllWarnings(as: .error)])
  ],
  swiftLanguageModes: [.v6]
)
