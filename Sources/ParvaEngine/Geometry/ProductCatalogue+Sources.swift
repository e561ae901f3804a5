extension ProductCatalogue {
  /// Where each key of ``GPUProduct/sources`` was read: vendor documents, vendor sources and listings of real machines.
  public static let sources: [String: String] = [
    "b200-22": "https://github.com/NVIDIA/gpu-operator/pull/1242 and https://github.com/NVIDIA/mig-parted/pull/166",
    "doc-profiles":
      "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html",
    "doc-supported":
      "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-gpus.html, which does not list the product",
    "doc-start":
      "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/getting-started-with-mig.html",
    "dump-a100-40-pcie": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-a100-80-515": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-a100-80-new": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-a30-535": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-gh200-96": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-h100-nvl": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-h100-nvl-2": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-h100-pcie-525":
      "github:scaleway/docs-content@09ec87a276224e5d1dc18eb8d52360f3fdef9762 : compute/gpu/how-to/use-nvidia-mig-technology.mdx",
    "dump-h100-pcie-570": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-h100-sxm": "a listing of nvidia-smi on the product, made public by its owner",
    "dump-rtx6000": "a listing of nvidia-smi on the product, made public by its owner",
    "gb200-prod": "https://github.com/NVIDIA/mig-parted/issues/227",
    "gb300-station": "NVIDIA/dgx-spark-playbooks MIG playbook",
    "gh200-144-pr": "https://github.com/NVIDIA/mig-parted/pull/139",
    "gke-ids":
      "github:GoogleCloudPlatform/container-engine-accelerators@992db81257553607f1477945f1b3219632991829 : partition_gpu/partition_gpu.go",
    "gonvml-a100": "github:NVIDIA/go-nvml@2f9e261fe40a7a1c54783d66805e8920564763b4 : pkg/nvml/mock/gpus/a100.go",
    "gonvml-a30": "github:NVIDIA/go-nvml@2f9e261fe40a7a1c54783d66805e8920564763b4 : pkg/nvml/mock/gpus/a30.go",
    "h200-issue": "https://github.com/NVIDIA/mig-parted/issues/120",
    "migparted-config":
      "github:NVIDIA/mig-parted@bd7160f43f16462eeb21e1eda5e67b5b6b03fd7d : deployments/systemd/config-default.yaml",
    "nvml-h": "github:NVIDIA/go-nvml@2f9e261fe40a7a1c54783d66805e8920564763b4 : gen/nvml/nvml.h (NVML 13.3.29)",
    "okm-names":
      "github:NVIDIA/open-gpu-kernel-modules@df1c9a3de2be4b130f4fc7680f7198193d8ac6ad : src/nvidia/generated/g_nv_name_released.h",
    "vgpu-hopper": "NVIDIA AI Enterprise, Hopper vGPU types",
  ]
}
