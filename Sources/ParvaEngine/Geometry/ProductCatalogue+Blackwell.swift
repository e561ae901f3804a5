/// MIG products of the Blackwell generation; facts, not measurements: ``ProductCatalogue/sources`` says where each was read.
extension ProductCatalogue {
  static let blackwell: [GPUProduct] = [
    GPUProduct(
      name: "B200-180GB", architecture: "Blackwell GB100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA B200"
      ],
      profiles: [
        InstanceProfile(
          name: "1g.23gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 22528, smCount: 18,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.23gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 22528, smCount: 18,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.45gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 45312, smCount: 30,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.45gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 45312, smCount: 36,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.90gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.90gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.180gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["b200-22", "doc-profiles", "dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h"]),
    GPUProduct(
      name: "GB200-186GB", architecture: "Blackwell GB100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA GB200"
      ],
      profiles: [
        InstanceProfile(
          name: "1g.23gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 22528, smCount: 18,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.23gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 22528, smCount: 18,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.47gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 46592, smCount: 32,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.47gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 46592, smCount: 38,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.93gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.93gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.186gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["doc-profiles", "dump-h100-sxm", "gb200-prod", "gke-ids", "migparted-config", "nvml-h"]),
    GPUProduct(
      name: "B300-269GB", architecture: "Blackwell GB100 family", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA B300 SXM6 AC"
      ],
      profiles: [
        InstanceProfile(
          name: "1g.34gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.34gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.67gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.67gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.135gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.135gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.269gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["dump-h100-sxm", "gb300-station", "migparted-config", "nvml-h", "okm-names"]),
    GPUProduct(
      name: "GB300-278GB", architecture: "Blackwell GB100 family", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA GB300"
      ],
      profiles: [
        InstanceProfile(
          name: "1g.35gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.35gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.70gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.70gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.139gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.139gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.278gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["dump-h100-sxm", "gb300-station", "migparted-config", "nvml-h"]),
    GPUProduct(
      name: "RTX-PRO-6000-BSE-96GB", architecture: "Blackwell GB202", computeSlices: 4, axisLength: 12,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
        "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.24gb", driverProfileID: 14, nvmlProfile: 0, computeSlices: 1, placementSize: 3,
          starts: [0, 3, 6, 9], maxInstances: 4, memoryMiB: 24192, smCount: 46,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.24gb+me", driverProfileID: 21, nvmlProfile: 7, computeSlices: 1, placementSize: 3,
          starts: [0, 3, 6, 9], maxInstances: 1, memoryMiB: 24192, smCount: 46,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.24gb+gfx", driverProfileID: 47, nvmlProfile: 10, computeSlices: 1, placementSize: 3,
          starts: [0, 3, 6, 9], maxInstances: 4, memoryMiB: 24192, smCount: 46,
          inferred: ["engines", "memory_gib_shown", "memory_mib", "nvml_enum", "sm_count"]),
        InstanceProfile(
          name: "1g.24gb+me.all", driverProfileID: 65, nvmlProfile: 15, computeSlices: 1, placementSize: 3,
          starts: [0, 3, 6, 9], maxInstances: 1, memoryMiB: 24192, smCount: 46,
          inferred: ["memory_gib_shown", "memory_mib", "nvml_enum", "sm_count"]),
        InstanceProfile(
          name: "1g.24gb-me", driverProfileID: 67, nvmlProfile: 13, computeSlices: 1, placementSize: 3,
          starts: [0, 3, 6, 9], maxInstances: 4, memoryMiB: 24192, smCount: 46,
          inferred: ["memory_gib_shown", "memory_mib", "nvml_enum", "sm_count"]),
        InstanceProfile(
          name: "2g.48gb", driverProfileID: 5, nvmlProfile: 1, computeSlices: 2, placementSize: 6,
          starts: [0, 6], maxInstances: 2, memoryMiB: 48512, smCount: 94,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "2g.48gb+gfx", driverProfileID: 35, nvmlProfile: 11, computeSlices: 2, placementSize: 6,
          starts: [0, 6], maxInstances: 2, memoryMiB: 48512, smCount: 94,
          inferred: ["engines", "memory_gib_shown", "memory_mib", "nvml_enum", "sm_count"]),
        InstanceProfile(
          name: "2g.48gb+me.all", driverProfileID: 64, nvmlProfile: 16, computeSlices: 2, placementSize: 6,
          starts: [0, 6], maxInstances: 1, memoryMiB: 48512, smCount: 94,
          inferred: ["memory_gib_shown", "memory_mib", "nvml_enum", "sm_count"]),
        InstanceProfile(
          name: "2g.48gb-me", driverProfileID: 66, nvmlProfile: 14, computeSlices: 2, placementSize: 6,
          starts: [0, 6], maxInstances: 2, memoryMiB: 48512, smCount: 94,
          inferred: ["memory_gib_shown", "memory_mib", "nvml_enum", "sm_count"]),
        InstanceProfile(
          name: "4g.96gb", driverProfileID: 0, nvmlProfile: 3, computeSlices: 4, placementSize: 12,
          starts: [0], maxInstances: 1, memoryMiB: 97408, smCount: 188,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "4g.96gb+gfx", driverProfileID: 32, nvmlProfile: 12, computeSlices: 4, placementSize: 12,
          starts: [0], maxInstances: 1, memoryMiB: 97408, smCount: 188,
          inferred: ["engines", "memory_gib_shown", "memory_mib", "nvml_enum", "sm_count"]),
      ],
      sources: ["doc-profiles", "dump-rtx6000", "gke-ids", "nvml-h"]),
  ]
}
