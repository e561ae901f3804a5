// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target: Swift 6 mode, imports that say what they re-export, and no warning left standing.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

/// The solvers are a hundred times slower without optimisation, which would make their random tests a matter of hours.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// Every C target: C17 with the warnings that find real faults.
let strictC: [CSetting] = [
  .define("_GNU_SOURCE"),
  .enableWarning("all"), .enableWarning("extra"), .enableWarning("conversion"), .enableWarning("shadow"),
  .treatAllWarnings(as: .error),
]

/// The files of the controller's page.
let dashboard = [
  "activity.js", "api.js", "app.js", "base.css", "chart.js", "colours.js", "dialogs.js", "diff.js", "dom.js",
  "fleet.js", "health.js", "history.js", "index.html", "inspector.js", "live.js", "mark.svg", "model.js", "plan.js",
  "reference.css", "reference.html", "reference.js", "rollout.js", "route.js", "stream.js", "strip.js", "text.js",
  "try.js", "units.js", "views.css", "virtual.js",
  "workload.js", "workloads.js",
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
  name: "parva",
  products: [
    .executable(name: "parva", targets: ["parva"]),
    .library(name: "ParvaEngine", targets: ["ParvaEngine"]),
    .executable(name: "StandInModelServer", targets: ["StandInModelServer"]),
    .library(name: "StandInNVML", type: .dynamic, targets: ["StandInNVML"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
  ],
  targets: [
    .target(
      name: "CHTTPServer", cSettings: strictC, linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(
      name: "CCodec", cSettings: strictC, linkerSettings: [.linkedLibrary("crypto"), .linkedLibrary("z")]),
    .target(name: "CCurl", cSettings: strictC, linkerSettings: [.linkedLibrary("curl")]),
    .target(name: "CSpawn", cSettings: strictC),
    .target(name: "CNVML", cSettings: strictC, linkerSettings: [.linkedLibrary("dl")]),
    // Loaded by dlopen only, in place of the driver's library; it shares nothing with CNVML but the layouts.
    .target(
      name: "StandInNVML", cSettings: strictC + [.headerSearchPath("../CNVML/include")],
      linkerSettings: [.linkedLibrary("dl")]),
    // The program beside that library, over the same machine.
    .executableTarget(name: "StandInSMI", dependencies: ["CNVML"], cSettings: strictC),
    .target(name: "ParvaEngine", swiftSettings: strict + optimised),
    .target(name: "ParvaWire", swiftSettings: strict),
    .target(name: "ParvaFormats", dependencies: ["ParvaEngine", "ParvaWire", yams], swiftSettings: strict),
    .target(name: "ParvaHTTP", dependencies: ["CHTTPServer", "CCodec", "CCurl", logging], swiftSettings: strict),
    .target(name: "ParvaServing", dependencies: ["ParvaFormats", "ParvaHTTP", logging], swiftSettings: strict),
    .target(
      name: "ParvaControl",
      dependencies: ["ParvaEngine", "ParvaWire", "ParvaFormats", "ParvaHTTP", "ParvaServing", grdb, logging],
      swiftSettings: strict),
    .target(
      name: "ParvaAPI",
      dependencies: ["ParvaControl", "ParvaEngine", "ParvaWire", "ParvaFormats", "ParvaHTTP", "ParvaServing"],
      resources: [.embedInCode("openapi.yaml")] + dashboard.map { .embedInCode("Dashboard/\($0)") },
      swiftSettings: strict),
    .target(
      name: "ParvaNode",
      dependencies: [
        "ParvaEngine", "ParvaWire", "ParvaFormats", "ParvaHTTP", "ParvaServing", "CNVML", "CSpawn", logging,
      ],
      swiftSettings: strict),
    .target(name: "ParvaStandIn", dependencies: ["ParvaEngine", "ParvaNode"], swiftSettings: strict),
    .executableTarget(
      name: "parva",
      dependencies: [
        "ParvaControl", "ParvaAPI", "ParvaServing", "ParvaNode", "ParvaStandIn", "ParvaEngine", "ParvaWire",
        "ParvaFormats",
        "ParvaHTTP",
        argumentParser, logging,
      ],
      swiftSettings: strict),

    // For trying Parva out and for its tests: a model server that computes nothing.
    .executableTarget(
      name: "StandInModelServer",
      dependencies: ["ParvaEngine", "ParvaFormats", "ParvaHTTP", "ParvaServing", argumentParser, logging],
      swiftSettings: strict),

    .target(
      name: "ParvaTestSupport", dependencies: ["ParvaEngine", "ParvaFormats"], path: "Tests/ParvaTestSupport",
      swiftSettings: strict),
    .testTarget(
      name: "ParvaEngineTests", dependencies: ["ParvaEngine", "ParvaFormats", "ParvaTestSupport"],
      swiftSettings: strict + optimised),
    .testTarget(
      name: "ParvaHTTPTests", dependencies: ["ParvaHTTP", "CHTTPServer", "ParvaTestSupport", logging],
      resources: [.copy("Grammar"), .copy("Certificates")], swiftSettings: strict),
    .testTarget(
      name: "ParvaFormatsTests", dependencies: ["ParvaFormats", "ParvaWire", "ParvaEngine", "ParvaTestSupport", yams],
      swiftSettings: strict),
    .target(
      name: "ParvaControlTestSupport",
      dependencies: [
        "ParvaControl", "ParvaAPI", "ParvaHTTP", "ParvaFormats", "ParvaWire", "ParvaEngine", logging, yams,
      ],
      path: "Tests/ParvaControlTestSupport", swiftSettings: strict),
    .testTarget(
      name: "ParvaControlTests",
      dependencies: [
        "ParvaControl", "ParvaControlTestSupport", "ParvaHTTP", "ParvaFormats", "ParvaWire", "ParvaEngine",
        "ParvaTestSupport", grdb, logging,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ParvaAPITests",
      dependencies: [
        "ParvaAPI", "ParvaControl", "ParvaControlTestSupport", "ParvaHTTP", "ParvaFormats", "ParvaServing", "ParvaWire",
        "ParvaEngine", "ParvaTestSupport", logging,
      ],
      exclude: ["Access/Issuer"], swiftSettings: strict),
    .testTarget(
      name: "ParvaNodeTests",
      dependencies: [
        "ParvaNode", "ParvaStandIn", "ParvaEngine", "ParvaFormats", "ParvaHTTP", "ParvaWire", "ParvaTestSupport",
        logging,
      ],
      resources: [.copy("Driver/Listings")], swiftSettings: strict),
    .testTarget(
      name: "StandInModelServerTests", dependencies: ["StandInModelServer", "ParvaEngine", "ParvaTestSupport"],
      swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)
