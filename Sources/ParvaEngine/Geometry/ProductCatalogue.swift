/// Every MIG product whose placements are known, and products without MIG, which are planned as whole GPUs; facts, not measurements: ``sources`` says where each was read.
///
/// A node reports its own profiles and placements at run time; these tables serve planning ahead and simulation.
/// A new product is a new entry here and nothing else.
public enum ProductCatalogue {
  public static let all: [GPUProduct] = [
    product(
      "A30-24GB", "Ampere GA100", fourSlices, needsReset: true, gigabytes: [6, 12, 24],
      mebibytes: [5952, 11968, 24000],
      multiprocessors: [14, 28, 56],
      boards: ["NVIDIA A30"],
      sources: ["doc-profiles", "dump-a30-535", "gonvml-a30", "nvml-h"]),
    product(
      "A100-40GB", "Ampere GA100", sevenSlices, needsReset: true, gigabytes: [5, 10, 20, 40],
      mebibytes: [4864, 9856, 19968, 40192],
      multiprocessors: [14, 14, 28, 42, 56, 98],
      boards: [
        "NVIDIA A100-SXM4-40GB", "NVIDIA A100-PG509-200", "NVIDIA A100-PCIE-40GB", "NVIDIA A800-SXM4-40GB",
        "NVIDIA A800 40GB Active",
      ],
      sources: ["doc-profiles", "doc-start", "dump-a100-40-pcie", "gonvml-a100", "nvml-h"]),
    product(
      "A100-80GB", "Ampere GA100", sevenSlices, needsReset: true, gigabytes: [10, 20, 40, 80],
      mebibytes: [9728, 19968, 40192, 80896],
      multiprocessors: [14, 14, 28, 42, 56, 98],
      inferred: ["memory_slices", "placements"],
      boards: [
        "NVIDIA A100-SXM4-80GB", "NVIDIA PG509-210", "NVIDIA A100 80GB PCIe", "NVIDIA A800-SXM4-80GB",
        "NVIDIA A800 80GB PCIe",
      ],
      sources: ["doc-profiles", "doc-start", "dump-a100-80-515", "dump-a100-80-new", "gonvml-a100", "nvml-h"]),
    product(
      "PG506-96GB", "Ampere GA100", sevenSlices, needsReset: true, gigabytes: [12, 24, 48, 96],
      inferred: ["memory_slices", "nvml_enum", "placements"], guessesIDs: true,
      boards: ["NVIDIA PG506-232"],
      sources: ["dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h"]),
    product(
      "H100-80GB-SXM", "Hopper GH100", sevenSlices, gigabytes: [10, 20, 40, 80],
      mebibytes: [9984, 20096, 40448, 81152],
      multiprocessors: [16, 26, 32, 60, 64, 132],
      inferred: ["nvml_enum"],
      boards: ["NVIDIA H100 80GB HBM3", "NVIDIA H800"],
      sources: ["doc-profiles", "dump-h100-sxm", "nvml-h"]),
    product(
      "H100-80GB-PCIe", "Hopper GH100", sevenSlices, gigabytes: [10, 20, 40, 80],
      mebibytes: [9984, 20096, 40448, 81152],
      multiprocessors: [14, 14, 30, 46, 62, 114],
      inferred: ["nvml_enum"],
      boards: ["NVIDIA H100 PCIe", "NVIDIA H800 PCIe"],
      sources: ["doc-profiles", "dump-h100-pcie-525", "dump-h100-pcie-570", "nvml-h"]),
    product(
      "H100-94GB", "Hopper GH100", sevenSlices, gigabytes: [12, 24, 47, 94], mebibytes: [11008, 22144, 47488, 95360],
      multiprocessors: [16, 26, 32, 60, 64, 132],
      inferred: ["nvml_enum"],
      boards: ["NVIDIA H100 NVL", "NVIDIA H100", "NVIDIA H800 NVL"],
      sources: ["doc-profiles", "dump-h100-nvl", "dump-h100-nvl-2", "nvml-h"]),
    product(
      "GH200-96GB", "Hopper GH100", sevenSlices, gigabytes: [12, 24, 48, 96], mebibytes: [11264, 23552, 47616, 95232],
      multiprocessors: [16, 26, 32, 60, 64, 132],
      inferred: ["memory_slices", "nvml_enum", "placements"],
      boards: ["NVIDIA GH200 120GB", "NVIDIA GH200 480GB"],
      sources: ["doc-profiles", "dump-gh200-96", "dump-h100-sxm", "nvml-h"]),
    product(
      "H100-96GB", "Hopper GH100", sevenSlices, gigabytes: [12, 24, 48, 96],
      inferred: ["memory_slices", "nvml_enum", "placements"], guessesIDs: true,
      boards: [],
      sources: ["dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h"]),
    product(
      "GH200-144GB", "Hopper GH100", sevenSlices, gigabytes: [18, 36, 72, 144], mebibytes: [17920, 36096],
      multiprocessors: [16, 26, 32],
      inferred: ["memory_slices", "nvml_enum", "placements"], guessesIDs: true,
      boards: ["NVIDIA GH200 144G HBM3e"],
      sources: ["doc-profiles", "dump-h100-sxm", "gh200-144-pr", "gke-ids", "migparted-config", "nvml-h"]),
    product(
      "H200-141GB", "Hopper GH100", sevenSlices, gigabytes: [18, 35, 71, 141],
      mebibytes: [16384, 33024, 71168, 143104],
      multiprocessors: [16, 26, 32, 60, 64, 132],
      inferred: ["memory_slices", "nvml_enum", "placements"],
      boards: ["NVIDIA H200", "NVIDIA H200 NVL"],
      sources: ["doc-profiles", "dump-h100-sxm", "h200-issue", "nvml-h"]),
    product(
      "H20-96GB", "Hopper GH100", sevenSlices, gigabytes: [12, 24, 48, 96],
      inferred: ["memory_slices", "nvml_enum", "placements"], guessesIDs: true,
      boards: ["NVIDIA H20"],
      sources: ["dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h", "vgpu-hopper"]),
    product(
      "H20-141GB", "Hopper GH100", sevenSlices, gigabytes: [18, 35, 71, 141],
      inferred: ["memory_slices", "nvml_enum", "placements"], guessesIDs: true,
      boards: ["NVIDIA H20-3e", "NVIDIA H20 NVL16"],
      sources: ["dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h", "vgpu-hopper"]),
    product(
      "H100-64GB", "Hopper GH100", sevenSlices, gigabytes: [8, 16, 32, 64],
      inferred: ["memory_slices", "nvml_enum", "placements"], guessesIDs: true,
      boards: [],
      sources: ["dump-h100-sxm", "gke-ids", "nvml-h", "okm-names", "vgpu-hopper"]),
    product(
      "B200-180GB", "Blackwell GB100", sevenSlices, gigabytes: [23, 45, 90, 180], mebibytes: [22528, 45312],
      multiprocessors: [18, 30, 36],
      inferred: ["memory_slices", "nvml_enum", "placements"],
      boards: ["NVIDIA B200"],
      sources: ["b200-22", "doc-profiles", "dump-h100-sxm", "gke-ids", "migparted-config", "nvml-h"]),
    product(
      "GB200-186GB", "Blackwell GB100", sevenSlices, gigabytes: [23, 47, 93, 186], mebibytes: [22528, 46592],
      multiprocessors: [18, 32, 38],
      inferred: ["memory_slices", "nvml_enum", "placements"],
      boards: ["NVIDIA GB200"],
      sources: ["doc-profiles", "dump-h100-sxm", "gb200-prod", "gke-ids", "migparted-config", "nvml-h"]),
    product(
      "B300-269GB", "Blackwell GB100 family", sevenSlices, gigabytes: [34, 67, 135, 269],
      inferred: ["memory_slices", "nvml_enum", "placements"], guessesIDs: true,
      boards: ["NVIDIA B300 SXM6 AC"],
      sources: ["dump-h100-sxm", "gb300-station", "migparted-config", "nvml-h", "okm-names"]),
    product(
      "GB300-278GB", "Blackwell GB100 family", sevenSlices, gigabytes: [35, 70, 139, 278],
      inferred: ["memory_slices", "nvml_enum", "placements"],
      boards: ["NVIDIA GB300"],
      sources: ["dump-h100-sxm", "gb300-station", "migparted-config", "nvml-h"]),
    product(
      "RTX-PRO-6000-BSE-96GB", "Blackwell GB202", fourSlicesWithGraphics, gigabytes: [24, 48, 96],
      mebibytes: [24192, 48512, 97408],
      multiprocessors: [46, 94, 188],
      inferred: ["nvml_enum"],
      boards: [
        "NVIDIA RTX PRO 6000 Blackwell Server Edition", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
        "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
      ],
      sources: ["doc-profiles", "dump-rtx6000", "gke-ids", "nvml-h"]),
    whole("V100-16GB", "Volta GV100", boards: ["Tesla V100-SXM2-16GB", "Tesla V100-PCIE-16GB"]),
    whole("V100-32GB", "Volta GV100", boards: ["Tesla V100-SXM2-32GB", "Tesla V100-PCIE-32GB"]),
    whole("T4-16GB", "Turing TU104", boards: ["Tesla T4", "NVIDIA T4"]),
    whole("A2-16GB", "Ampere GA107", boards: ["NVIDIA A2"]),
    whole("A10-24GB", "Ampere GA102", boards: ["NVIDIA A10", "NVIDIA A10G"]),
    whole("A40-48GB", "Ampere GA102", boards: ["NVIDIA A40"]),
    whole("RTX-A6000-48GB", "Ampere GA102", boards: ["NVIDIA RTX A6000"]),
    whole("L4-24GB", "Ada AD104", boards: ["NVIDIA L4"]),
    whole("L40-48GB", "Ada AD102", boards: ["NVIDIA L40"]),
    whole("L40S-48GB", "Ada AD102", boards: ["NVIDIA L40S"]),
    whole("RTX-6000-Ada-48GB", "Ada AD102", boards: ["NVIDIA RTX 6000 Ada Generation"]),
  ]

  /// The product with this name, compared without regard to case. O(products).
  public static func product(named name: String) -> GPUProduct? {
    let wanted = name.lowercased()
    return all.first { $0.name.lowercased() == wanted }
  }
}
