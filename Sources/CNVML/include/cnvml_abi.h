/// The part of NVML's binary interface that Parva uses: return codes, profile enumerations and struct layouts of the
/// x86-64 library. Declared here so that nothing of NVIDIA's is needed to build; the layouts are checked when compiling.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/// Return codes of every NVML call.
enum cnvml_code {
  CNVML_OK = 0,
  CNVML_UNINITIALIZED = 1,
  CNVML_INVALID_ARGUMENT = 2,
  CNVML_NOT_SUPPORTED = 3,
  CNVML_NO_PERMISSION = 4,
  CNVML_ALREADY_INITIALIZED = 5,
  CNVML_NOT_FOUND = 6,
  CNVML_INSUFFICIENT_SIZE = 7,
  CNVML_INSUFFICIENT_POWER = 8,
  CNVML_DRIVER_NOT_LOADED = 9,
  CNVML_TIMEOUT = 10,
  CNVML_IRQ_ISSUE = 11,
  CNVML_LIBRARY_NOT_FOUND = 12,
  CNVML_FUNCTION_NOT_FOUND = 13,
  CNVML_CORRUPTED_INFOROM = 14,
  CNVML_GPU_IS_LOST = 15,
  CNVML_RESET_REQUIRED = 16,
  CNVML_OPERATING_SYSTEM = 17,
  CNVML_LIB_RM_VERSION_MISMATCH = 18,
  CNVML_IN_USE = 19,
  CNVML_MEMORY = 20,
  CNVML_NO_DATA = 21,
  CNVML_VGPU_ECC_NOT_SUPPORTED = 22,
  CNVML_INSUFFICIENT_RESOURCES = 23,
  CNVML_FREQ_NOT_SUPPORTED = 24,
  CNVML_ARGUMENT_VERSION_MISMATCH = 25,
  CNVML_DEPRECATED = 26,
  CNVML_NOT_READY = 27,
  CNVML_GPU_NOT_FOUND = 28,
  CNVML_INVALID_STATE = 29,
  CNVML_RESET_TYPE_NOT_SUPPORTED = 30,
  CNVML_UNKNOWN = 999,
};

enum {
  /// GPU instance profile enumeration values are 0 up to, not including, this; a newer library may know more.
  CNVML_GI_PROFILE_COUNT = 18,
  /// Compute instance profile enumeration values are 0 up to, not including, this.
  CNVML_CI_PROFILE_COUNT = 9,
  CNVML_ENGINE_PROFILE_SHARED = 0,
  CNVML_NAME_SIZE = 96,
  CNVML_UUID_SIZE = 96,
  CNVML_VERSION_SIZE = 80,
};

/// GPU and compute instance ids of a process outside MIG.
#define CNVML_NO_INSTANCE UINT32_C(0xFFFFFFFF)

/// The leading `version` member of a versioned struct.
#define CNVML_STRUCT_VERSION(type, number) ((uint32_t)(sizeof(type) | ((uint32_t)(number) << 24)))

/// GPU instances: memory slices. Compute instances: compute slices.
typedef struct {
  uint32_t start, size;
} cnvml_placement;

typedef struct {
  uint32_t id, is_p2p, slice_count, instance_count, multiprocessor_count;
  uint32_t copy, decoder, encoder, jpeg, ofa;
  uint64_t memory_mb;
} cnvml_gi_profile_v1;

typedef struct {
  uint32_t version;
  uint32_t id, is_p2p, slice_count, instance_count, multiprocessor_count;
  uint32_t copy, decoder, encoder, jpeg, ofa;
  uint64_t memory_mb;
  char name[CNVML_NAME_SIZE];
} cnvml_gi_profile_v2;

/// Same size as version 2 and other offsets: the version that was set is the version to read.
typedef struct {
  uint32_t version;
  uint32_t id, slice_count, instance_count, multiprocessor_count;
  uint32_t copy, decoder, encoder, jpeg, ofa;
  uint64_t memory_mb;
  char name[CNVML_NAME_SIZE];
  uint32_t capabilities;
} cnvml_gi_profile_v3;

typedef struct {
  void *device;
  uint32_t id, profile_id;
  cnvml_placement placement;
} cnvml_gi_info;

typedef struct {
  uint32_t id, slice_count, instance_count, multiprocessor_count;
  uint32_t shared_copy, shared_decoder, shared_encoder, shared_jpeg, shared_ofa;
} cnvml_ci_profile_v1;

typedef struct {
  uint32_t version;
  uint32_t id, slice_count, instance_count, multiprocessor_count;
  uint32_t shared_copy, shared_decoder, shared_encoder, shared_jpeg, shared_ofa;
  char name[CNVML_NAME_SIZE];
} cnvml_ci_profile_v2;

typedef struct {
  uint32_t version;
  uint32_t id, slice_count, instance_count, multiprocessor_count;
  uint32_t shared_copy, shared_decoder, shared_encoder, shared_jpeg, shared_ofa;
  char name[CNVML_NAME_SIZE];
  uint32_t capabilities;
} cnvml_ci_profile_v3;

/// `device` is the handle of the MIG device itself: its UUID needs no scan.
typedef struct {
  void *device;
  void *gpu_instance;
  uint32_t id, profile_id;
  cnvml_placement placement;
} cnvml_ci_info;

typedef struct {
  uint32_t pid;
  uint64_t used_memory;
  uint32_t gpu_instance_id, compute_instance_id;
} cnvml_process;

/// What the unversioned process lists fill.
typedef struct {
  uint32_t pid;
  uint64_t used_memory;
} cnvml_process_v1;

typedef struct {
  uint64_t total, free, used;
} cnvml_memory_v1;

typedef struct {
  uint32_t version;
  uint64_t total, reserved, free, used;
} cnvml_memory_v2;

typedef struct {
  char bus_id_legacy[16];
  uint32_t domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
} cnvml_pci;

/// `data` is the XID of a critical error. Libraries before MIG fill the first three members alone.
typedef struct {
  void *device;
  uint64_t type, data;
  uint32_t gpu_instance_id, compute_instance_id;
} cnvml_event;

/// Type of an event: the driver reports an error of the GPU or of what runs on it, by its XID.
#define CNVML_EVENT_XID UINT64_C(0x8)

static_assert(sizeof(void *) == 8, "the layouts are those of a 64-bit library");
static_assert(sizeof(cnvml_placement) == 8, "placement");
static_assert(sizeof(cnvml_gi_profile_v1) == 48 && offsetof(cnvml_gi_profile_v1, memory_mb) == 40, "GI profile 1");
static_assert(CNVML_STRUCT_VERSION(cnvml_gi_profile_v2, 2) == 0x02000098, "GI profile 2");
static_assert(
    offsetof(cnvml_gi_profile_v2, memory_mb) == 48 && offsetof(cnvml_gi_profile_v2, name) == 56, "GI profile 2");
static_assert(CNVML_STRUCT_VERSION(cnvml_gi_profile_v3, 3) == 0x03000098, "GI profile 3");
static_assert(
    offsetof(cnvml_gi_profile_v3, memory_mb) == 40 && offsetof(cnvml_gi_profile_v3, name) == 48
        && offsetof(cnvml_gi_profile_v3, capabilities) == 144,
    "GI profile 3");
static_assert(
    sizeof(cnvml_gi_info) == 24 && offsetof(cnvml_gi_info, id) == 8 && offsetof(cnvml_gi_info, profile_id) == 12
        && offsetof(cnvml_gi_info, placement) == 16,
    "GI info");
static_assert(sizeof(cnvml_ci_profile_v1) == 36, "CI profile 1");
static_assert(
    CNVML_STRUCT_VERSION(cnvml_ci_profile_v2, 2) == 0x02000088 && offsetof(cnvml_ci_profile_v2, name) == 40,
    "CI profile 2");
static_assert(
    CNVML_STRUCT_VERSION(cnvml_ci_profile_v3, 3) == 0x0300008c && offsetof(cnvml_ci_profile_v3, name) == 40
        && offsetof(cnvml_ci_profile_v3, capabilities) == 136,
    "CI profile 3");
static_assert(
    sizeof(cnvml_ci_info) == 32 && offsetof(cnvml_ci_info, gpu_instance) == 8 && offsetof(cnvml_ci_info, id) == 16
        && offsetof(cnvml_ci_info, profile_id) == 20 && offsetof(cnvml_ci_info, placement) == 24,
    "CI info");
static_assert(
    sizeof(cnvml_process) == 24 && offsetof(cnvml_process, used_memory) == 8
        && offsetof(cnvml_process, gpu_instance_id) == 16 && offsetof(cnvml_process, compute_instance_id) == 20,
    "process");
static_assert(sizeof(cnvml_process_v1) == 16, "process of the unversioned calls");
static_assert(sizeof(cnvml_memory_v1) == 24, "memory 1");
static_assert(CNVML_STRUCT_VERSION(cnvml_memory_v2, 2) == 0x02000028, "memory 2");
static_assert(
    sizeof(cnvml_pci) == 68 && offsetof(cnvml_pci, domain) == 16 && offsetof(cnvml_pci, pci_device_id) == 28
        && offsetof(cnvml_pci, bus_id) == 36,
    "PCI info");
static_assert(
    sizeof(cnvml_event) == 32 && offsetof(cnvml_event, type) == 8 && offsetof(cnvml_event, data) == 16
        && offsetof(cnvml_event, gpu_instance_id) == 24 && offsetof(cnvml_event, compute_instance_id) == 28,
    "event");
