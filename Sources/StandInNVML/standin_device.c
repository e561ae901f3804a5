/// NVML's system and device calls, MIG mode, MIG handles and process lists.
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "standin.h"

static atomic_int references;

/// Opens every exported call but init: `world` is locked and `code` is what the call will answer.
#define STANDIN_CALL(symbol)                                                                                         \
  struct standin *world;                                                                                             \
  if (atomic_load(&references) <= 0) return CNVML_UNINITIALIZED;                                                     \
  int code = standin_enter(symbol, &world);                                                                          \
  if (code != CNVML_OK) return code
#define STANDIN_DONE return standin_leave(world, code)

void standin_forget_events(void) __attribute__((visibility("hidden")));

int standin_references(void) { return atomic_load(&references); }

STANDIN_EXPORT int nvmlInit_v2(void);
STANDIN_EXPORT int nvmlInit_v2(void) {
  struct standin *world;
  int code = standin_enter("nvmlInit_v2", &world);
  if (code != CNVML_OK) return code;
  atomic_fetch_add(&references, 1);
  standin_count_user(world, 1);
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlShutdown(void);
STANDIN_EXPORT int nvmlShutdown(void) {
  STANDIN_CALL("nvmlShutdown");
  standin_count_user(world, -1);
  if (atomic_fetch_sub(&references, 1) == 1) standin_forget_events();
  STANDIN_DONE;
}

static int text(char *buffer, unsigned size, const char *value) {
  int length = snprintf(buffer, size, "%s", value);
  return length < 0 || (unsigned)length >= size ? CNVML_INSUFFICIENT_SIZE : CNVML_OK;
}

STANDIN_EXPORT int nvmlSystemGetDriverVersion(char *buffer, unsigned size);
STANDIN_EXPORT int nvmlSystemGetDriverVersion(char *buffer, unsigned size) {
  STANDIN_CALL("nvmlSystemGetDriverVersion");
  code = text(buffer, size, world->config.driver);
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version);
STANDIN_EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version) {
  STANDIN_CALL("nvmlSystemGetCudaDriverVersion_v2");
  *version = world->config.cuda;
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlSystemGetProcessName(unsigned pid, char *buffer, unsigned size);
STANDIN_EXPORT int nvmlSystemGetProcessName(unsigned pid, char *buffer, unsigned size) {
  STANDIN_CALL("nvmlSystemGetProcessName");
  static struct standin_process found[STANDIN_PROCESSES];  // guarded by the world's lock
  code = CNVML_NOT_FOUND;
  for (uint32_t g = 0; g < world->config.gpu_count && code == CNVML_NOT_FOUND; g++) {
    for (uint32_t at = 0; at <= STANDIN_GIS * STANDIN_CIS && code == CNVML_NOT_FOUND; at++) {
      char uuid[64];
      struct standin_target t = {KIND_MIG, g, at / STANDIN_CIS, at % STANDIN_CIS};
      if (at == STANDIN_GIS * STANDIN_CIS) {
        snprintf(uuid, sizeof uuid, "%s", world->config.gpus[g].uuid);
      } else if (standin_find_ci(world, t)) {
        standin_mig_uuid(world, t, uuid, sizeof uuid);
      } else {
        continue;
      }
      uint32_t count = standin_processes(uuid, 0, found, STANDIN_PROCESSES);
      for (uint32_t i = 0; i < count && i < STANDIN_PROCESSES; i++) {
        if (found[i].pid == pid) code = text(buffer, size, found[i].name);
      }
    }
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetCount_v2(unsigned *count);
STANDIN_EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
  STANDIN_CALL("nvmlDeviceGetCount_v2");
  *count = world->config.gpu_count;
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
STANDIN_EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  STANDIN_CALL("nvmlDeviceGetHandleByIndex_v2");
  if (index >= world->config.gpu_count) {
    code = CNVML_INVALID_ARGUMENT;
  } else if (world->state->gpus[index].lost) {
    code = CNVML_GPU_IS_LOST;
  } else {
    *device = standin_handle((struct standin_target){KIND_GPU, index, 0, 0});
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, void **device);
STANDIN_EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
  STANDIN_CALL("nvmlDeviceGetHandleByUUID");
  code = CNVML_NOT_FOUND;
  for (uint32_t g = 0; g < world->config.gpu_count && code == CNVML_NOT_FOUND; g++) {
    if (strcmp(uuid, world->config.gpus[g].uuid) != 0) continue;
    code = world->state->gpus[g].lost ? CNVML_GPU_IS_LOST : CNVML_OK;
    *device = standin_handle((struct standin_target){KIND_GPU, g, 0, 0});
  }
  for (uint32_t g = 0; g < world->config.gpu_count && code == CNVML_NOT_FOUND; g++) {
    for (uint32_t at = 0; at < STANDIN_GIS * STANDIN_CIS; at++) {
      char own[64];
      struct standin_target t = {KIND_MIG, g, at / STANDIN_CIS, at % STANDIN_CIS};
      if (!standin_find_ci(world, t)) continue;
      standin_mig_uuid(world, t, own, sizeof own);
      if (strcmp(uuid, own) != 0) continue;
      *device = standin_handle(t);
      code = CNVML_OK;
      break;
    }
  }
  STANDIN_DONE;
}

/// The GPU of a device handle (whole or MIG), with the code that a lost or unknown one answers.
static int gpu_of(const struct standin *world, const void *device, struct standin_target *target) {
  *target = standin_target(device);
  if ((target->kind != KIND_GPU && target->kind != KIND_MIG) || target->gpu >= world->config.gpu_count) {
    return CNVML_INVALID_ARGUMENT;
  }
  return world->state->gpus[target->gpu].lost ? CNVML_GPU_IS_LOST : CNVML_OK;
}

STANDIN_EXPORT int nvmlDeviceGetName(void *device, char *buffer, unsigned size);
STANDIN_EXPORT int nvmlDeviceGetName(void *device, char *buffer, unsigned size) {
  STANDIN_CALL("nvmlDeviceGetName");
  struct standin_target t;
  code = gpu_of(world, device, &t);
  if (code == CNVML_OK) code = text(buffer, size, standin_product(world, t.gpu)->board);
  STANDIN_DONE;
}

static int uuid_of(struct standin *world, struct standin_target t, char *buffer, unsigned size) {
  if (t.kind == KIND_GPU) return text(buffer, size, world->config.gpus[t.gpu].uuid);
  if (!standin_find_ci(world, t)) return CNVML_NOT_FOUND;
  char uuid[64];
  standin_mig_uuid(world, t, uuid, sizeof uuid);
  return text(buffer, size, uuid);
}

STANDIN_EXPORT int nvmlDeviceGetUUID(void *device, char *buffer, unsigned size);
STANDIN_EXPORT int nvmlDeviceGetUUID(void *device, char *buffer, unsigned size) {
  STANDIN_CALL("nvmlDeviceGetUUID");
  struct standin_target t;
  code = gpu_of(world, device, &t);
  if (code == CNVML_OK) code = uuid_of(world, t, buffer, size);
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetPciInfo_v3(void *device, cnvml_pci *pci);
STANDIN_EXPORT int nvmlDeviceGetPciInfo_v3(void *device, cnvml_pci *pci) {
  STANDIN_CALL("nvmlDeviceGetPciInfo_v3");
  struct standin_target t;
  code = gpu_of(world, device, &t);
  if (code == CNVML_OK) {
    *pci = (cnvml_pci){.bus = 0x10 + t.gpu * 0x10};
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", pci->bus);
    snprintf(pci->bus_id_legacy, sizeof pci->bus_id_legacy, "0000:%02X:00.0", pci->bus & 0xff);
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetMinorNumber(void *device, unsigned *minor);
STANDIN_EXPORT int nvmlDeviceGetMinorNumber(void *device, unsigned *minor) {
  STANDIN_CALL("nvmlDeviceGetMinorNumber");
  struct standin_target t;
  code = gpu_of(world, device, &t);
  *minor = t.gpu;
  STANDIN_DONE;
}

static int memory_info(void *device, cnvml_memory_v2 *memory) {
  STANDIN_CALL("nvmlDeviceGetMemoryInfo_v2");
  struct standin_target t;
  code = memory->version == CNVML_STRUCT_VERSION(cnvml_memory_v2, 2) ? gpu_of(world, device, &t)
                                                                     : CNVML_ARGUMENT_VERSION_MISMATCH;
  if (code == CNVML_OK) {
    const struct standin_product *product = standin_product(world, t.gpu);
    const struct standin_gi *gi = standin_find_gi(world, t);
    const struct standin_profile *profile = gi ? standin_profile(product, gi->profile) : NULL;
    // The whole GPU has a little more than its largest instance, and full GiB.
    memory->total = (uint64_t)(profile ? profile->memory_mib : (product->memory_mib / 1024 + 1) * 1024) << 20;
    memory->reserved = memory->used = 0;
    char uuid[64];
    struct standin_process found[8];
    if (uuid_of(world, t, uuid, sizeof uuid) == CNVML_OK) {
      uint32_t count = standin_processes(uuid, 0, found, 8);
      for (uint32_t i = 0; i < count && i < 8; i++) memory->used += (uint64_t)found[i].memory_mib << 20;
    }
    memory->free = memory->total > memory->used ? memory->total - memory->used : 0;
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetMemoryInfo_v2(void *device, cnvml_memory_v2 *memory);
STANDIN_EXPORT int nvmlDeviceGetMemoryInfo_v2(void *device, cnvml_memory_v2 *memory) {
  return memory_info(device, memory);
}

STANDIN_EXPORT int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending);
STANDIN_EXPORT int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  STANDIN_CALL("nvmlDeviceGetMigMode");
  struct standin_target t;
  code = gpu_of(world, device, &t);
  if (code == CNVML_OK && standin_product(world, t.gpu)->profile_count == 0) code = CNVML_NOT_SUPPORTED;
  if (code == CNVML_OK) {
    *current = world->state->gpus[t.gpu].mode;
    *pending = world->state->gpus[t.gpu].pending;
  }
  STANDIN_DONE;
}

/// The pending mode changes at once; the current one waits for a reset where the product needs it, or for its users.
STANDIN_EXPORT int nvmlDeviceSetMigMode(void *device, unsigned mode, int *activation);
STANDIN_EXPORT int nvmlDeviceSetMigMode(void *device, unsigned mode, int *activation) {
  STANDIN_CALL("nvmlDeviceSetMigMode");
  struct standin_target t;
  code = mode > 1 ? CNVML_INVALID_ARGUMENT : gpu_of(world, device, &t);
  if (code == CNVML_OK && standin_product(world, t.gpu)->profile_count == 0) code = CNVML_NOT_SUPPORTED;
  if (code == CNVML_OK && !standin_is_admin()) code = CNVML_NO_PERMISSION;
  if (code == CNVML_OK) {
    struct standin_gpu *gpu = &world->state->gpus[t.gpu];
    const char *uuid = world->config.gpus[t.gpu].uuid;
    bool busy = standin_processes(uuid, 0, NULL, 0) > 0 || standin_held_silently(uuid);
    for (uint32_t g = 0; g < STANDIN_GIS; g++) busy = busy || gpu->gis[g].used;
    gpu->pending = mode;
    if (mode == gpu->mode) {
      *activation = CNVML_OK;
    } else if (busy) {
      *activation = CNVML_IN_USE;
    } else if (standin_product(world, t.gpu)->reset_needed) {
      *activation = CNVML_RESET_REQUIRED;
    } else {
      gpu->mode = mode;
      gpu->generation++;
      *activation = CNVML_OK;
    }
    standin_remember_mode(world);
  }
  STANDIN_DONE;
}

/// Early libraries of R535 write entries of 32 bytes, with a member more at their end.
static int processes(const char *symbol, char type, void *device, unsigned *count, void *list) {
  STANDIN_CALL(symbol);
  struct standin_target t;
  static struct standin_process found[STANDIN_PROCESSES];  // guarded by the world's lock
  code = gpu_of(world, device, &t);
  bool mig = code == CNVML_OK && t.kind == KIND_MIG;
  if (mig && !standin_may("monitor")) code = CNVML_NO_PERMISSION;
  char uuid[64];
  if (code == CNVML_OK) code = uuid_of(world, t, uuid, sizeof uuid);
  if (code == CNVML_OK) {
    uint32_t room = *count, there = standin_processes(uuid, type, found, STANDIN_PROCESSES);
    if (there > STANDIN_PROCESSES) there = STANDIN_PROCESSES;
    if (mig && there > 0) standin_find_ci(world, t)->seen = standin_now();
    *count = there;
    if (there > room) code = CNVML_INSUFFICIENT_SIZE;
    for (uint32_t i = 0; code == CNVML_OK && i < there; i++) {
      cnvml_process entry = {
          found[i].pid, (uint64_t)found[i].memory_mib << 20, mig ? t.gi : CNVML_NO_INSTANCE,
          mig ? t.ci : CNVML_NO_INSTANCE};
      char *to = (char *)list + (size_t)i * world->config.process_entry;
      memset(to, 0, world->config.process_entry);
      memcpy(to, &entry, sizeof entry);
    }
  }
  STANDIN_DONE;
}

/// Both versions of one list: older libraries have the second alone. For faults it counts as the one that it became.
#define STANDIN_PROCESSES(name, kind)                                                                                \
  STANDIN_EXPORT int name##_v3(void *device, unsigned *count, cnvml_process *list);                                  \
  STANDIN_EXPORT int name##_v3(void *device, unsigned *count, cnvml_process *list) {                                 \
    return processes(#name "_v3", kind, device, count, list);                                                        \
  }                                                                                                                  \
  STANDIN_EXPORT int name##_v2(void *device, unsigned *count, cnvml_process *list);                                  \
  STANDIN_EXPORT int name##_v2(void *device, unsigned *count, cnvml_process *list) {                                 \
    return processes(#name "_v3", kind, device, count, list);                                                        \
  }

STANDIN_PROCESSES(nvmlDeviceGetComputeRunningProcesses, 'C')
STANDIN_PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, 'G')
STANDIN_PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses, 'M')

STANDIN_EXPORT int nvmlDeviceGetMemoryInfo(void *device, cnvml_memory_v1 *memory);
STANDIN_EXPORT int nvmlDeviceGetMemoryInfo(void *device, cnvml_memory_v1 *memory) {
  cnvml_memory_v2 whole = {.version = CNVML_STRUCT_VERSION(cnvml_memory_v2, 2)};
  int code = memory_info(device, &whole);
  if (code == CNVML_OK) *memory = (cnvml_memory_v1){whole.total, whole.free, whole.used};
  return code;
}
