#include "cnvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Every symbol that is ever called, with its type. `_old` members are the versions to fall back to.
#define CNVML_SYMBOLS(X)                                                                                             \
  X(init, "nvmlInit_v2", (void))                                                                                     \
  X(init_old, "nvmlInit", (void))                                                                                    \
  X(shutdown, "nvmlShutdown", (void))                                                                                \
  X(driver_version, "nvmlSystemGetDriverVersion", (char *, unsigned))                                                \
  X(cuda_version, "nvmlSystemGetCudaDriverVersion_v2", (int *))                                                      \
  X(cuda_version_old, "nvmlSystemGetCudaDriverVersion", (int *))                                                     \
  X(process_name, "nvmlSystemGetProcessName", (unsigned, char *, unsigned))                                          \
  X(device_count, "nvmlDeviceGetCount_v2", (unsigned *))                                                             \
  X(device_count_old, "nvmlDeviceGetCount", (unsigned *))                                                            \
  X(device_by_index, "nvmlDeviceGetHandleByIndex_v2", (unsigned, cnvml_device *))                                    \
  X(device_by_index_old, "nvmlDeviceGetHandleByIndex", (unsigned, cnvml_device *))                                   \
  X(device_by_uuid, "nvmlDeviceGetHandleByUUID", (const char *, cnvml_device *))                                     \
  X(device_name, "nvmlDeviceGetName", (cnvml_device, char *, unsigned))                                              \
  X(device_uuid, "nvmlDeviceGetUUID", (cnvml_device, char *, unsigned))                                              \
  X(device_pci, "nvmlDeviceGetPciInfo_v3", (cnvml_device, cnvml_pci *))                                              \
  X(device_minor, "nvmlDeviceGetMinorNumber", (cnvml_device, unsigned *))                                            \
  X(device_memory, "nvmlDeviceGetMemoryInfo_v2", (cnvml_device, cnvml_memory_v2 *))                                  \
  X(device_memory_old, "nvmlDeviceGetMemoryInfo", (cnvml_device, cnvml_memory_v1 *))                                 \
  X(mig_mode, "nvmlDeviceGetMigMode", (cnvml_device, unsigned *, unsigned *))                                        \
  X(set_mig_mode, "nvmlDeviceSetMigMode", (cnvml_device, unsigned, int *))                                           \
  X(gi_profile, "nvmlDeviceGetGpuInstanceProfileInfoV", (cnvml_device, unsigned, void *))                            \
  X(gi_profile_old, "nvmlDeviceGetGpuInstanceProfileInfo", (cnvml_device, unsigned, cnvml_gi_profile_v1 *))          \
  X(gi_placements, "nvmlDeviceGetGpuInstancePossiblePlacements_v2",                                                  \
    (cnvml_device, unsigned, cnvml_placement *, unsigned *))                                                         \
  X(gi_create, "nvmlDeviceCreateGpuInstanceWithPlacement",                                                           \
    (cnvml_device, unsigned, const cnvml_placement *, cnvml_gi *))                                                   \
  X(gi_list, "nvmlDeviceGetGpuInstances", (cnvml_device, unsigned, cnvml_gi *, unsigned *))                          \
  X(gi_by_id, "nvmlDeviceGetGpuInstanceById", (cnvml_device, unsigned, cnvml_gi *))                                  \
  X(gi_info, "nvmlGpuInstanceGetInfo", (cnvml_gi, cnvml_gi_info *))                                                  \
  X(gi_destroy, "nvmlGpuInstanceDestroy", (cnvml_gi))                                                                \
  X(ci_profile, "nvmlGpuInstanceGetComputeInstanceProfileInfoV", (cnvml_gi, unsigned, unsigned, void *))             \
  X(ci_profile_old, "nvmlGpuInstanceGetComputeInstanceProfileInfo",                                                  \
    (cnvml_gi, unsigned, unsigned, cnvml_ci_profile_v1 *))                                                           \
  X(ci_create, "nvmlGpuInstanceCreateComputeInstance", (cnvml_gi, unsigned, cnvml_ci *))                             \
  X(ci_list, "nvmlGpuInstanceGetComputeInstances", (cnvml_gi, unsigned, cnvml_ci *, unsigned *))                     \
  X(ci_by_id, "nvmlGpuInstanceGetComputeInstanceById", (cnvml_gi, unsigned, cnvml_ci *))                             \
  X(ci_info, "nvmlComputeInstanceGetInfo_v2", (cnvml_ci, cnvml_ci_info *))                                           \
  X(ci_destroy, "nvmlComputeInstanceDestroy", (cnvml_ci))                                                            \
  X(compute, "nvmlDeviceGetComputeRunningProcesses_v3", (cnvml_device, unsigned *, void *))                 \
  X(compute_2, "nvmlDeviceGetComputeRunningProcesses_v2", (cnvml_device, unsigned *, void *))                 \
  X(compute_old, "nvmlDeviceGetComputeRunningProcesses", (cnvml_device, unsigned *, cnvml_process_v1 *))             \
  X(graphics, "nvmlDeviceGetGraphicsRunningProcesses_v3", (cnvml_device, unsigned *, void *))               \
  X(graphics_2, "nvmlDeviceGetGraphicsRunningProcesses_v2", (cnvml_device, unsigned *, void *))               \
  X(graphics_old, "nvmlDeviceGetGraphicsRunningProcesses", (cnvml_device, unsigned *, cnvml_process_v1 *))           \
  X(mps, "nvmlDeviceGetMPSComputeRunningProcesses_v3", (cnvml_device, unsigned *, void *))                  \
  X(mps_2, "nvmlDeviceGetMPSComputeRunningProcesses_v2", (cnvml_device, unsigned *, void *))                  \
  X(mps_old, "nvmlDeviceGetMPSComputeRunningProcesses", (cnvml_device, unsigned *, cnvml_process_v1 *))              \
  X(events_create, "nvmlEventSetCreate", (void **))                                                                  \
  X(events_register, "nvmlDeviceRegisterEvents", (cnvml_device, unsigned long long, void *))                         \
  X(events_wait, "nvmlEventSetWait_v2", (void *, cnvml_event *, unsigned))                                           \
  X(events_wait_old, "nvmlEventSetWait", (void *, cnvml_event *, unsigned))                                          \
  X(events_free, "nvmlEventSetFree", (void *))

struct cnvml_library {
  void *handle;
#define X(member, symbol, parameters) int(*member) parameters;
  CNVML_SYMBOLS(X)
#undef X
};

cnvml_library *cnvml_open(const char *path, char *message, size_t message_size) {
  void *handle = dlopen(path ? path : "libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    snprintf(message, message_size, "%s", reason ? reason : "the dynamic linker gave no reason");
    return NULL;
  }
  cnvml_library *l = calloc(1, sizeof *l);
  if (!l) {
    dlclose(handle);
    snprintf(message, message_size, "out of memory");
    return NULL;
  }
  l->handle = handle;
  // POSIX lets dlsym's object pointer stand for a function pointer; ISO C does not, hence the copy of its bytes.
#define X(member, symbol, parameters)                                                                                \
  {                                                                                                                  \
    void *address = dlsym(handle, symbol);                                                                           \
    memcpy(&l->member, &address, sizeof address);                                                                    \
  }
  CNVML_SYMBOLS(X)
#undef X
  if (!l->init && !l->init_old) {
    snprintf(message, message_size, "the library has no nvmlInit: it is not NVML");
    dlclose(handle);
    free(l);
    return NULL;
  }
  return l;
}

void cnvml_close(cnvml_library *library) { free(library); }

/// Calls the member, or answers that the library lacks it.
#define CNVML_CALL(member, ...) (l->member ? l->member(__VA_ARGS__) : CNVML_FUNCTION_NOT_FOUND)
/// Calls the member or its older version of the same type.
#define CNVML_EITHER(member, ...) (l->member ? l->member(__VA_ARGS__) : CNVML_CALL(member##_old, __VA_ARGS__))

int cnvml_init(const cnvml_library *l) { return l->init ? l->init() : l->init_old(); }
int cnvml_shutdown(const cnvml_library *l) { return l->shutdown ? l->shutdown() : CNVML_FUNCTION_NOT_FOUND; }
int cnvml_driver_version(const cnvml_library *l, char *buffer, uint32_t size) {
  return CNVML_CALL(driver_version, buffer, size);
}
int cnvml_cuda_version(const cnvml_library *l, int *version) { return CNVML_EITHER(cuda_version, version); }

int cnvml_device_count(const cnvml_library *l, uint32_t *count) { return CNVML_EITHER(device_count, count); }
int cnvml_device_by_index(const cnvml_library *l, uint32_t index, cnvml_device *device) {
  return CNVML_EITHER(device_by_index, index, device);
}
int cnvml_device_by_uuid(const cnvml_library *l, const char *uuid, cnvml_device *device) {
  return CNVML_CALL(device_by_uuid, uuid, device);
}
int cnvml_device_name(const cnvml_library *l, cnvml_device device, char *buffer, uint32_t size) {
  return CNVML_CALL(device_name, device, buffer, size);
}
int cnvml_device_uuid(const cnvml_library *l, cnvml_device device, char *buffer, uint32_t size) {
  return CNVML_CALL(device_uuid, device, buffer, size);
}
int cnvml_device_pci(const cnvml_library *l, cnvml_device device, cnvml_pci *pci) {
  return CNVML_CALL(device_pci, device, pci);
}
int cnvml_device_minor(const cnvml_library *l, cnvml_device device, uint32_t *minor) {
  return CNVML_CALL(device_minor, device, minor);
}

int cnvml_device_memory(const cnvml_library *l, cnvml_device device, uint64_t *total, uint64_t *used) {
  if (l->device_memory) {
    cnvml_memory_v2 memory = {.version = CNVML_STRUCT_VERSION(cnvml_memory_v2, 2)};
    int code = l->device_memory(device, &memory);
    *total = memory.total;
    *used = memory.used;
    if (code != CNVML_ARGUMENT_VERSION_MISMATCH) return code;
  }
  cnvml_memory_v1 memory = {0};
  int code = CNVML_CALL(device_memory_old, device, &memory);
  *total = memory.total;
  *used = memory.used;
  return code;
}

int cnvml_mig_mode(const cnvml_library *l, cnvml_device device, uint32_t *current, uint32_t *pending) {
  return CNVML_CALL(mig_mode, device, current, pending);
}
int cnvml_set_mig_mode(const cnvml_library *l, cnvml_device device, bool enabled, int *activation) {
  return CNVML_CALL(set_mig_mode, device, enabled ? 1 : 0, activation);
}

/// Copies the members that every version of a profile struct has under the same name.
#define CNVML_COPY_GI(to, from)                                                                                      \
  ((to)->id = (from).id, (to)->slice_count = (from).slice_count, (to)->instance_count = (from).instance_count,       \
   (to)->multiprocessor_count = (from).multiprocessor_count, (to)->copy = (from).copy, (to)->decoder = (from).decoder, \
   (to)->encoder = (from).encoder, (to)->jpeg = (from).jpeg, (to)->ofa = (from).ofa, (to)->memory_mb = (from).memory_mb)
#define CNVML_COPY_CI(to, from)                                                                                      \
  ((to)->id = (from).id, (to)->slice_count = (from).slice_count, (to)->instance_count = (from).instance_count,       \
   (to)->multiprocessor_count = (from).multiprocessor_count)

static void copy_name(char *to, const char *from) {
  memcpy(to, from, CNVML_NAME_SIZE - 1);
  to[CNVML_NAME_SIZE - 1] = 0;
}

/// Numbers of profiles in the enumeration (nvml.h, NVML_GPU_INSTANCE_PROFILE_*).
enum { CNVML_ONE_SLICE_MEDIA = 7, CNVML_TWO_SLICES_MEDIA = 8, CNVML_LAST_OLD_PROFILE = 9 };

/// Whether a library does not know the version of a struct: those of R510 to R535 call it an invalid argument, which is
/// also what an enumeration ends with; only version 1, which has no version, tells the two apart.
static bool unknown_version(int code) {
  return code == CNVML_ARGUMENT_VERSION_MISMATCH || code == CNVML_INVALID_ARGUMENT;
}

/// The name that NVIDIA's tools give a profile whose library tells none (R510 and older): the slices, and the share of the
/// GPU's memory in eighths. Of the profiles of those days the second ones of a size have the media engines.
static void make_name(const cnvml_library *l, cnvml_device device, cnvml_gi_profile *profile) {
  uint64_t total = 0, used = 0;
  const uint64_t gib = 1u << 30;
  if (profile->enumeration > CNVML_LAST_OLD_PROFILE) return;
  if (cnvml_device_memory(l, device, &total, &used) != CNVML_OK || total < gib) return;
  uint64_t eighths = (profile->memory_mb * (8u << 20) + total - 1) / total;
  uint64_t whole = (total + gib - 1) / gib;
  bool media = profile->enumeration == CNVML_ONE_SLICE_MEDIA || profile->enumeration == CNVML_TWO_SLICES_MEDIA;
  snprintf(profile->name, sizeof profile->name, "%ug.%llugb%s", profile->slice_count,
           (unsigned long long)((eighths * whole + 4) / 8), media ? "+me" : "");
}

int cnvml_gi_profile_by_enum(
    const cnvml_library *l, cnvml_device device, uint32_t enumeration, cnvml_gi_profile *profile) {
  *profile = (cnvml_gi_profile){.enumeration = enumeration};
  if (l->gi_profile) {
    cnvml_gi_profile_v3 third = {.version = CNVML_STRUCT_VERSION(cnvml_gi_profile_v3, 3)};
    int code = l->gi_profile(device, enumeration, &third);
    if (!unknown_version(code)) {
      CNVML_COPY_GI(profile, third);
      copy_name(profile->name, third.name);
      return code;
    }
    cnvml_gi_profile_v2 second = {.version = CNVML_STRUCT_VERSION(cnvml_gi_profile_v2, 2)};
    code = l->gi_profile(device, enumeration, &second);
    if (!unknown_version(code)) {
      CNVML_COPY_GI(profile, second);
      copy_name(profile->name, second.name);
      return code;
    }
  }
  cnvml_gi_profile_v1 first = {0};
  int code = CNVML_CALL(gi_profile_old, device, enumeration, &first);
  CNVML_COPY_GI(profile, first);
  if (code == CNVML_OK) make_name(l, device, profile);
  return code;
}

int cnvml_gi_placements(
    const cnvml_library *l, cnvml_device device, uint32_t profile_id, cnvml_placement *placements, uint32_t *count) {
  return CNVML_CALL(gi_placements, device, profile_id, placements, count);
}
int cnvml_gi_create(
    const cnvml_library *l, cnvml_device device, uint32_t profile_id, cnvml_placement placement, cnvml_gi *instance) {
  return CNVML_CALL(gi_create, device, profile_id, &placement, instance);
}
int cnvml_gi_list(
    const cnvml_library *l, cnvml_device device, uint32_t profile_id, cnvml_gi *instances, uint32_t *count) {
  return CNVML_CALL(gi_list, device, profile_id, instances, count);
}
int cnvml_gi_by_id(const cnvml_library *l, cnvml_device device, uint32_t id, cnvml_gi *instance) {
  return CNVML_CALL(gi_by_id, device, id, instance);
}
int cnvml_gi_get_info(const cnvml_library *l, cnvml_gi instance, cnvml_gi_info *info) {
  return CNVML_CALL(gi_info, instance, info);
}
int cnvml_gi_destroy(const cnvml_library *l, cnvml_gi instance) { return CNVML_CALL(gi_destroy, instance); }

int cnvml_ci_profile_by_enum(
    const cnvml_library *l, cnvml_gi instance, uint32_t enumeration, cnvml_ci_profile *profile) {
  *profile = (cnvml_ci_profile){.enumeration = enumeration};
  if (l->ci_profile) {
    cnvml_ci_profile_v3 third = {.version = CNVML_STRUCT_VERSION(cnvml_ci_profile_v3, 3)};
    int code = l->ci_profile(instance, enumeration, CNVML_ENGINE_PROFILE_SHARED, &third);
    if (!unknown_version(code)) {
      CNVML_COPY_CI(profile, third);
      copy_name(profile->name, third.name);
      return code;
    }
    cnvml_ci_profile_v2 second = {.version = CNVML_STRUCT_VERSION(cnvml_ci_profile_v2, 2)};
    code = l->ci_profile(instance, enumeration, CNVML_ENGINE_PROFILE_SHARED, &second);
    if (!unknown_version(code)) {
      CNVML_COPY_CI(profile, second);
      copy_name(profile->name, second.name);
      return code;
    }
  }
  cnvml_ci_profile_v1 first = {0};
  int code = CNVML_CALL(ci_profile_old, instance, enumeration, CNVML_ENGINE_PROFILE_SHARED, &first);
  CNVML_COPY_CI(profile, first);
  return code;
}

int cnvml_ci_create(const cnvml_library *l, cnvml_gi instance, uint32_t profile_id, cnvml_ci *compute) {
  return CNVML_CALL(ci_create, instance, profile_id, compute);
}
int cnvml_ci_list(
    const cnvml_library *l, cnvml_gi instance, uint32_t profile_id, cnvml_ci *computes, uint32_t *count) {
  return CNVML_CALL(ci_list, instance, profile_id, computes, count);
}
int cnvml_ci_by_id(const cnvml_library *l, cnvml_gi instance, uint32_t id, cnvml_ci *compute) {
  return CNVML_CALL(ci_by_id, instance, id, compute);
}
int cnvml_ci_get_info(const cnvml_library *l, cnvml_ci compute, cnvml_ci_info *info) {
  return CNVML_CALL(ci_info, compute, info);
}
int cnvml_ci_destroy(const cnvml_library *l, cnvml_ci compute) { return CNVML_CALL(ci_destroy, compute); }

/// Widens the unversioned list in place of the caller's buffer; such a library knows no MIG ids.
static int old_processes(
    int (*call)(cnvml_device, unsigned *, cnvml_process_v1 *), cnvml_device device, cnvml_process *processes,
    uint32_t *count) {
  if (!call) return CNVML_FUNCTION_NOT_FOUND;
  uint32_t room = *count;
  cnvml_process_v1 *first = room ? calloc(room, sizeof *first) : NULL;
  if (room && !first) return CNVML_MEMORY;
  int code = call(device, count, first);
  if (code == CNVML_OK) {
    for (uint32_t i = 0; i < *count && i < room; i++) {
      processes[i] = (cnvml_process){first[i].pid, first[i].used_memory, CNVML_NO_INSTANCE, CNVML_NO_INSTANCE};
    }
  }
  free(first);
  return code;
}

enum { WIDE_PROCESS = 32, UNTOUCHED = 0xa5 };
static_assert(sizeof(cnvml_process) < WIDE_PROCESS, "the wide entry holds the plain one");

/// The second and third versions of the call, whose entries tell the MIG ids. Early libraries of R535 write entries of 32
/// bytes with the same members first: there is room for those, and what was written beyond the plain entries tells which
/// they are.
static int new_processes(
    int (*call)(cnvml_device, unsigned *, void *), cnvml_device device, cnvml_process *processes, uint32_t *count) {
  size_t room = *count, size = room * WIDE_PROCESS;
  unsigned char *entries = malloc(size ? size : 1);
  if (!entries) return CNVML_MEMORY;
  memset(entries, UNTOUCHED, size);
  int code = call(device, count, room ? entries : NULL);
  if (code == CNVML_OK && *count <= room) {
    size_t stride = sizeof *processes;
    for (size_t at = *count * sizeof *processes; at < (size_t)*count * WIDE_PROCESS; at++) {
      if (entries[at] != UNTOUCHED) stride = WIDE_PROCESS;
    }
    for (size_t i = 0; i < *count; i++) memcpy(&processes[i], entries + i * stride, sizeof *processes);
  }
  free(entries);
  return code;
}

int cnvml_processes(
    const cnvml_library *l, cnvml_device device, enum cnvml_process_list list, cnvml_process *processes,
    uint32_t *count) {
#define PROCESSES(member)                                                                                            \
  (l->member || l->member##_2                                                                                        \
       ? new_processes(l->member ? l->member : l->member##_2, device, processes, count)                              \
       : old_processes(l->member##_old, device, processes, count))
  switch (list) {
  case CNVML_PROCESSES_COMPUTE: return PROCESSES(compute);
  case CNVML_PROCESSES_GRAPHICS: return PROCESSES(graphics);
  case CNVML_PROCESSES_MPS: return PROCESSES(mps);
  }
#undef PROCESSES
  return CNVML_INVALID_ARGUMENT;
}

int cnvml_process_name(const cnvml_library *l, uint32_t pid, char *buffer, uint32_t size) {
  return CNVML_CALL(process_name, pid, buffer, size);
}

int cnvml_events_create(const cnvml_library *l, void **set) { return CNVML_CALL(events_create, set); }
int cnvml_events_register(const cnvml_library *l, cnvml_device device, uint64_t types, void *set) {
  return CNVML_CALL(events_register, device, types, set);
}
int cnvml_events_wait(const cnvml_library *l, void *set, cnvml_event *event, uint32_t milliseconds) {
  // What an older library leaves as it was has to mean: outside MIG.
  *event = (cnvml_event){.gpu_instance_id = CNVML_NO_INSTANCE, .compute_instance_id = CNVML_NO_INSTANCE};
  return CNVML_EITHER(events_wait, set, event, milliseconds);
}
int cnvml_events_free(const cnvml_library *l, void *set) { return CNVML_CALL(events_free, set); }
