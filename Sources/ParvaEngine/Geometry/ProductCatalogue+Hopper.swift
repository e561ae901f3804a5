/// MIG products of the Hopper generation; facts, not measurements: ``ProductCatalogue/sources`` says where each was read.
extension ProductCatalogue {
  static let hopper: [GPUProduct] = [
    GPUProduct(
      name: "H100-80GB-SXM", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA H100 80GB HBM3",
        "NVIDIA H800",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.10gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 9984, smCount: 16,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.10gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 9984, smCount: 16,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.20gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 20096, smCount: 26,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "2g.20gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 20096, smCount: 32,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "3g.40gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: 40448, smCount: 60,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "4g.40gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 40448, smCount: 64,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "7g.80gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: 81152, smCount: 132,
          inferred: ["memory_mib", "nvml_enum"]),
      ],
      sources: ["doc-profiles", "dump-h100-sxm", "nvml-h"]),
    GPUProduct(
      name: "H100-80GB-PCIe", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA H100 PCIe",
        "NVIDIA H800 PCIe",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.10gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 9984, smCount: 14,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.10gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 9984, smCount: 14,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.20gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 20096, smCount: 14,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "2g.20gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 20096, smCount: 30,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "3g.40gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: 40448, smCount: 46,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "4g.40gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 40448, smCount: 62,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "7g.80gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: 81152, smCount: 114,
          inferred: ["memory_mib", "nvml_enum"]),
      ],
      sources: ["doc-profiles", "dump-h100-pcie-525", "dump-h100-pcie-570", "nvml-h"]),
    GPUProduct(
      name: "H100-94GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA H100 NVL",
        "NVIDIA H100",
        "NVIDIA H800 NVL",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.12gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 11008, smCount: 16,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.12gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 11008, smCount: 16,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "1g.24gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 22144, smCount: 26,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "2g.24gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 22144, smCount: 32,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "3g.47gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: 47488, smCount: 60,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "4g.47gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 47488, smCount: 64,
          inferred: ["memory_mib", "nvml_enum"]),
        InstanceProfile(
          name: "7g.94gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: 95360, smCount: 132,
          inferred: ["memory_mib", "nvml_enum"]),
      ],
      sources: ["doc-profiles", "dump-h100-nvl", "dump-h100-nvl-2", "nvml-h"]),
    GPUProduct(
      name: "GH200-96GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA GH200 120GB",
        "NVIDIA GH200 480GB",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.12gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 11264, smCount: 16,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.12gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 11264, smCount: 16,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.24gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 23552, smCount: 26,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.24gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 23552, smCount: 32,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.48gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: 47616, smCount: 60,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.48gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 47616, smCount: 64,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.96gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: 95232, smCount: 132,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["doc-profiles", "dump-gh200-96", "dump-h100-sxm", "nvml-h"]),
    GPUProduct(
      name: "H100-96GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [],
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
    GPUProduct(
      name: "GH200-144GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA GH200 144G HBM3e"
      ],
      profiles: [
        InstanceProfile(
          name: "1g.18gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 17920, smCount: 16,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.18gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 17920, smCount: 16,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.36gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 36096, smCount: 26,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.36gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 36096, smCount: 32,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.72gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.72gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.144gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["doc-profiles", "dump-h100-sxm", "gh200-144-pr", "gke-ids", "migparted-config", "nvml-h"]),
    GPUProduct(
      name: "H200-141GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA H200",
        "NVIDIA H200 NVL",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.18gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: 16384, smCount: 16,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.18gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: 16384, smCount: 16,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.35gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: 33024, smCount: 26,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.35gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: 33024, smCount: 32,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.71gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: 71168, smCount: 60,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.71gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: 71168, smCount: 64,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.141gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: 143104, smCount: 132,
          inferred: ["memory_mib", "memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["doc-profiles", "dump-h100-sxm", "h200-issue", "nvml-h"]),
    GPUProduct(
      name: "H20-96GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA H20"
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
      sources: ["dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h", "vgpu-hopper"]),
    GPUProduct(
      name: "H20-141GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [
        "NVIDIA H20-3e",
        "NVIDIA H20 NVL16",
      ],
      profiles: [
        InstanceProfile(
          name: "1g.18gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.18gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.35gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.35gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.71gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.71gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.141gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h", "vgpu-hopper"]),
    GPUProduct(
      name: "H100-64GB", architecture: "Hopper GH100", computeSlices: 7, axisLength: 8,
      migModeChangeNeedsReset: false,
      boards: [],
      profiles: [
        InstanceProfile(
          name: "1g.8gb", driverProfileID: 19, nvmlProfile: 0, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 7, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.8gb+me", driverProfileID: 20, nvmlProfile: 7, computeSlices: 1, placementSize: 1,
          starts: [0, 1, 2, 3, 4, 5, 6], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "1g.16gb", driverProfileID: 15, nvmlProfile: 9, computeSlices: 1, placementSize: 2,
          starts: [0, 2, 4, 6], maxInstances: 4, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "2g.16gb", driverProfileID: 14, nvmlProfile: 1, computeSlices: 2, placementSize: 2,
          starts: [0, 2, 4], maxInstances: 3, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "3g.32gb", driverProfileID: 9, nvmlProfile: 2, computeSlices: 3, placementSize: 4,
          starts: [0, 4], maxInstances: 2, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "4g.32gb", driverProfileID: 5, nvmlProfile: 3, computeSlices: 4, placementSize: 4,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
        InstanceProfile(
          name: "7g.64gb", driverProfileID: 0, nvmlProfile: 4, computeSlices: 7, placementSize: 8,
          starts: [0], maxInstances: 1, memoryMiB: nil,
          inferred: ["driver_profile_id", "memory_slices", "nvml_enum", "placements"]),
      ],
      sources: ["dump-h100-sxm", "gke-ids", "nvml-h", "okm-names", "vgpu-hopper"]),
  ]
}
