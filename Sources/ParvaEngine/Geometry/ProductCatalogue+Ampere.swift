/// MIG products of the Ampere generation; facts, not measurements: ``ProductCatalogue/sources`` says where each was read.
extension ProductCatalogue {
  static let ampere: [GPUProduct] = [
    GPUProduct(
      name: "A30-24GB", architecture: "Ampere GA100", computeSlices: 4, axisLength: 4,
      migModeChangeNeedsReset: true,
      boards: [
        "NVIDIA A30"
      ],
      profiles: [
        InstanceProfile(
          name: "1g.6gb", driverProfileID: 14, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3], maxInstances: 4, memoryMiB: 5952, smCount: 14,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "1g.6gb+me", driverProfileID: 21, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3], maxInstances: 1, memoryMiB: 5952, smCount: 14,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "2g.12gb", driverProfileID: 5, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2], maxInstances: 2, memoryMiB: 11968, smCount: 28,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "2g.12gb+me", driverProfileID: 6, nvmlProfile: 8, computeSlices: 2, placementSize: 2,
          starts: [0, 2], maxInstances: 1, memoryMiB: 11968, smCount: 28,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "4g.24gb", driverProfileID: 0, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 24000, smCount: 56,
          inferred: ["memory_mib"]),
      ],
      sources: ["doc-profiles", "dump-a30-535", "gonvml-a30", "nvml-h"]),
    GPUProduct(
      name: "A100-40GB", architecture: "Ampere GA100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: true,
      boards: [
        "NVIDIA A100-SXM4-40GB",
        "NVIDIA A100-PG509-200",
        "NVIDIA A100-PCIE-40GB",
        "NVIDIA A800-SXM4-40GB",
        "NVIDIA A800 40GB Active",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.5gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 4864, smCount: 14,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "1g.5gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 4864, smCount: 14,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "1g.10gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 9856, smCount: 14,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "2g.10gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 9856, smCount: 28,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "3g.20gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: 19968, smCount: 42,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "4g.20gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 19968, smCount: 56,
          inferred: ["memory_mib"]),
        InstanceProfile(
          name: "7g.40gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: 40192, smCount: 98,
          inferred: ["memory_mib"]),
      ],
      sources: ["doc-profiles", "doc-start", "dump-a100-40-pcie", "gonvml-a100", "nvml-h"]),
    GPUProduct(
      name: "A100-80GB", architecture: "Ampere GA100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: true,
      boards: [
        "NVIDIA A100-SXM4-80GB",
        "NVIDIA PG509-210",
        "NVIDIA A100 80GB PCIe",
        "NVIDIA A800-SXM4-80GB",
        "NVIDIA A800 80GB PCIe",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.10gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 9728, smCount: 14,
          inferred: ["memory_mib", "memory_slices", "placements"]),
        InstanceProfile(
          name: "1g.10gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 9728, smCount: 14,
          inferred: ["memory_mib", "memory_slices", "placements"]),
        InstanceProfile(
          name: "1g.20gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 19968, smCount: 14,
          inferred: ["memory_mib", "memory_slices", "placements"]),
        InstanceProfile(
          name: "2g.20gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 19968, smCount: 28,
          inferred: ["memory_mib", "memory_slices", "placements"]),
        InstanceProfile(
          name: "3g.40gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: 40192, smCount: 42,
          inferred: ["memory_mib", "memory_slices", "placements"]),
        InstanceProfile(
          name: "4g.40gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 40192, smCount: 56,
          inferred: ["memory_mib", "memory_slices", "placements"]),
        InstanceProfile(
          name: "7g.80gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: 80896, smCount: 98,
          inferred: ["memory_mib", "memory_slices", "placements"]),
      ],
      sources: ["doc-profiles", "doc-start", "dump-a100-80-515", "dump-a100-80-new", "gonvml-a100", "nvml-h"]),
    GPUProduct(
      name: "PG506-96GB", architecture: "Ampere GA100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: true,
      boards: [
        "NVIDIA PG506-232"
      ],
      profiles: [
        InstanceProfile(
          name: "1g.12gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.12gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.24gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.24gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.48gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.48gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.96gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h"]),
  ]
}
