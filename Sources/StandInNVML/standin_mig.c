/// NVML's GPU instance and compute instance calls.
#include <stdio.h>
#include <string.h>

#include "standin.h"

int standin_references(void) __attribute__((visibility("hidden")));

#define STANDIN_CALL(symbol)                                                                                         \
  struct standin *world;                                                                                             \
  if (standin_references() <= 0) return CNVML_UNINITIALIZED;                                                         \
  int code = standin_enter(symbol, &world);                                                                          \
  if (code != CNVML_OK) return code
#define STANDIN_DONE return standin_leave(world, code)

static int whole_gpu(const struct standin *world, const void *device, uint32_t *gpu) {
  struct standin_target t = standin_target(device);
  if (t.kind != KIND_GPU || t.gpu >= world->config.gpu_count) return CNVML_INVALID_ARGUMENT;
  *gpu = t.gpu;
  if (world->state->gpus[t.gpu].lost) return CNVML_GPU_IS_LOST;
  return standin_product(world, t.gpu)->profile_count == 0 ? CNVML_NOT_SUPPORTED : CNVML_OK;
}

/// Fills whichever version of the struct the caller named, up to the newest that `config` lets the library know.
static int fill_gi_profile(const struct standin *world, const struct standin_profile *p, void *info) {
  uint32_t version;
  memcpy(&version, info, sizeof version);
  if (version == CNVML_STRUCT_VERSION(cnvml_gi_profile_v3, 3) && world->config.structs >= 3) {
    cnvml_gi_profile_v3 *out = info;
    *out = (cnvml_gi_profile_v3){version, p->id, p->slices, p->limit, p->sms, 1, 1, 0, 0, 0, p->memory_mib, "", 1};
    snprintf(out->name, sizeof out->name, "MIG %s", p->name);
    return CNVML_OK;
  }
  if (version == CNVML_STRUCT_VERSION(cnvml_gi_profile_v2, 2) && world->config.structs >= 2) {
    cnvml_gi_profile_v2 *out = info;
    *out = (cnvml_gi_profile_v2){version, p->id, 1, p->slices, p->limit, p->sms, 1, 1, 0, 0, 0, p->memory_mib, ""};
    snprintf(out->name, sizeof out->name, "MIG %s", p->name);
    return CNVML_OK;
  }
  return (int)world->config.mismatch;
}

/// With MIG mode off the driver tells of no profiles.
static int gi_profile(const struct standin *world, void *device, unsigned enumeration, const struct standin_profile **p) {
  uint32_t gpu;
  int code = whole_gpu(world, device, &gpu);
  if (code != CNVML_OK) return code;
  if (enumeration >= CNVML_GI_PROFILE_COUNT) return CNVML_INVALID_ARGUMENT;
  if (!world->state->gpus[gpu].mode) return CNVML_NOT_SUPPORTED;
  const struct standin_product *product = standin_product(world, gpu);
  for (uint32_t i = 0; i < product->profile_count; i++) {
    *p = &product->profiles[i];
    if ((*p)->enumeration == enumeration) return CNVML_OK;
  }
  return CNVML_NOT_SUPPORTED;
}

STANDIN_EXPORT int nvmlDeviceGetGpuInstanceProfileInfoV(void *device, unsigned enumeration, void *info);
STANDIN_EXPORT int nvmlDeviceGetGpuInstanceProfileInfoV(void *device, unsigned enumeration, void *info) {
  STANDIN_CALL("nvmlDeviceGetGpuInstanceProfileInfoV");
  const struct standin_profile *p;
  code = gi_profile(world, device, enumeration, &p);
  if (code == CNVML_OK) code = fill_gi_profile(world, p, info);
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetGpuInstanceProfileInfo(void *device, unsigned enumeration, cnvml_gi_profile_v1 *info);
STANDIN_EXPORT int nvmlDeviceGetGpuInstanceProfileInfo(void *device, unsigned enumeration, cnvml_gi_profile_v1 *info) {
  STANDIN_CALL("nvmlDeviceGetGpuInstanceProfileInfo");
  const struct standin_profile *p;
  code = gi_profile(world, device, enumeration, &p);
  if (code == CNVML_OK) {
    *info = (cnvml_gi_profile_v1){p->id, 1, p->slices, p->limit, p->sms, 1, 1, 0, 0, 0, p->memory_mib};
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetGpuInstancePossiblePlacements_v2(
    void *device, unsigned id, cnvml_placement *placements, unsigned *count);
STANDIN_EXPORT int nvmlDeviceGetGpuInstancePossiblePlacements_v2(
    void *device, unsigned id, cnvml_placement *placements, unsigned *count) {
  STANDIN_CALL("nvmlDeviceGetGpuInstancePossiblePlacements_v2");
  uint32_t gpu;
  code = whole_gpu(world, device, &gpu);
  const struct standin_profile *p = code == CNVML_OK ? standin_profile(standin_product(world, gpu), id) : NULL;
  if (code == CNVML_OK && !p) code = CNVML_NOT_SUPPORTED;
  if (code == CNVML_OK) {
    uint32_t room = placements ? *count : 0, found = 0;
    for (uint32_t start = 0; start < 64; start++) {
      if (!(p->starts >> start & 1)) continue;
      if (found < room) placements[found] = (cnvml_placement){start, p->size};
      found++;
    }
    if (placements && found > room) code = CNVML_INSUFFICIENT_SIZE;
    *count = found;
  }
  STANDIN_DONE;
}

static uint64_t span(uint32_t start, uint32_t size) { return ((UINT64_C(1) << size) - 1) << start; }

/// Whether an instance of the profile may stand at `start` beside what is there.
static bool fits(const struct standin *world, uint32_t gpu, const struct standin_profile *p, uint32_t start) {
  const struct standin_product *product = standin_product(world, gpu);
  uint64_t taken = 0;
  uint32_t same = 0, slices = p->slices;
  for (uint32_t g = 0; g < STANDIN_GIS; g++) {
    const struct standin_gi *gi = &world->state->gpus[gpu].gis[g];
    if (!gi->used) continue;
    taken |= span(gi->start, gi->size);
    same += gi->profile == p->id;
    const struct standin_profile *other = standin_profile(product, gi->profile);
    slices += other ? other->slices : 0;
  }
  return !(taken & span(start, p->size)) && same < p->limit && slices <= product->compute_slices;
}

/// Ids are bound to the placement: whole 0, halves 1 and 2, quarters 3 to 6, eighths from 7, without the tenth, which one
/// board was seen to skip. A span that is not such a part of the axis has an id of its own beyond those.
static uint32_t gi_id(const struct standin_product *product, uint32_t start, uint32_t size) {
  if (product->axis % size == 0 && start % size == 0) {
    uint32_t id = product->axis / size - 1 + start / size;
    return id < 10 ? id : id + 1;
  }
  return 16 + (start * 2 + size) % 16;
}

static int create_gi(
    struct standin *world, void *device, unsigned id, const cnvml_placement *placement, void **instance) {
  uint32_t gpu;
  int code = whole_gpu(world, device, &gpu);
  if (code != CNVML_OK) return code;
  struct standin_gpu *state = &world->state->gpus[gpu];
  const struct standin_product *product = standin_product(world, gpu);
  const struct standin_profile *p = standin_profile(product, id);
  if (!state->mode || !p) return CNVML_NOT_SUPPORTED;
  if (placement->start > 63 || placement->size != p->size || !(p->starts >> placement->start & 1)) {
    return CNVML_INVALID_ARGUMENT;
  }
  if (!standin_may("config")) return CNVML_NO_PERMISSION;
  uint32_t slot = gi_id(product, placement->start, p->size);
  if (slot >= STANDIN_GIS || state->gis[slot].used || !fits(world, gpu, p, placement->start)) {
    return CNVML_INSUFFICIENT_RESOURCES;
  }
  struct standin_gi *gi = &state->gis[slot];
  *gi = (struct standin_gi){.profile = id, .start = placement->start, .size = p->size};
  gi->used = 1;
  *instance = standin_handle((struct standin_target){KIND_GI, gpu, slot, 0});
  return CNVML_OK;
}

STANDIN_EXPORT int nvmlDeviceCreateGpuInstanceWithPlacement(
    void *device, unsigned id, const cnvml_placement *placement, void **instance);
STANDIN_EXPORT int nvmlDeviceCreateGpuInstanceWithPlacement(
    void *device, unsigned id, const cnvml_placement *placement, void **instance) {
  STANDIN_CALL("nvmlDeviceCreateGpuInstanceWithPlacement");
  code = placement ? create_gi(world, device, id, placement, instance) : CNVML_INVALID_ARGUMENT;
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetGpuInstances(void *device, unsigned id, void **instances, unsigned *count);
STANDIN_EXPORT int nvmlDeviceGetGpuInstances(void *device, unsigned id, void **instances, unsigned *count) {
  STANDIN_CALL("nvmlDeviceGetGpuInstances");
  uint32_t gpu;
  code = whole_gpu(world, device, &gpu);
  if (code == CNVML_OK && (!world->state->gpus[gpu].mode || !standin_profile(standin_product(world, gpu), id))) {
    code = CNVML_NOT_SUPPORTED;
  }
  if (code == CNVML_OK) {
    *count = 0;
    for (uint32_t g = 0; g < STANDIN_GIS; g++) {
      const struct standin_gi *gi = &world->state->gpus[gpu].gis[g];
      if (gi->used && gi->profile == id) {
        instances[(*count)++] = standin_handle((struct standin_target){KIND_GI, gpu, g, 0});
      }
    }
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlDeviceGetGpuInstanceById(void *device, unsigned id, void **instance);
STANDIN_EXPORT int nvmlDeviceGetGpuInstanceById(void *device, unsigned id, void **instance) {
  STANDIN_CALL("nvmlDeviceGetGpuInstanceById");
  uint32_t gpu;
  code = whole_gpu(world, device, &gpu);
  if (code == CNVML_OK && (id >= STANDIN_GIS || !world->state->gpus[gpu].gis[id].used)) code = CNVML_NOT_FOUND;
  if (code == CNVML_OK) *instance = standin_handle((struct standin_target){KIND_GI, gpu, id, 0});
  STANDIN_DONE;
}

/// The instance behind a handle, or the code that a stale handle or a lost GPU answers.
static int gi_of(struct standin *world, const void *handle, struct standin_target *t, struct standin_gi **gi) {
  *t = standin_target(handle);
  if (t->kind != KIND_GI) return CNVML_INVALID_ARGUMENT;
  if (world->state->gpus[t->gpu].lost) return CNVML_GPU_IS_LOST;
  *gi = standin_find_gi(world, *t);
  return *gi ? CNVML_OK : CNVML_NOT_FOUND;
}

STANDIN_EXPORT int nvmlGpuInstanceGetInfo(void *instance, cnvml_gi_info *info);
STANDIN_EXPORT int nvmlGpuInstanceGetInfo(void *instance, cnvml_gi_info *info) {
  STANDIN_CALL("nvmlGpuInstanceGetInfo");
  struct standin_target t;
  struct standin_gi *gi;
  code = gi_of(world, instance, &t, &gi);
  if (code == CNVML_OK) {
    *info = (cnvml_gi_info){
        standin_handle((struct standin_target){KIND_GPU, t.gpu, 0, 0}), t.gi, gi->profile, {gi->start, gi->size}};
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlGpuInstanceDestroy(void *instance);
STANDIN_EXPORT int nvmlGpuInstanceDestroy(void *instance) {
  STANDIN_CALL("nvmlGpuInstanceDestroy");
  struct standin_target t;
  struct standin_gi *gi;
  code = gi_of(world, instance, &t, &gi);
  if (code == CNVML_OK && !standin_may("config")) code = CNVML_NO_PERMISSION;
  for (uint32_t c = 0; code == CNVML_OK && c < STANDIN_CIS; c++) {
    if (gi->cis[c].used) code = CNVML_IN_USE;
  }
  if (code == CNVML_OK) gi->used = 0;
  STANDIN_DONE;
}

/// Compute slices and SMs of a compute instance profile inside this GPU instance; 0 slices where it has none such.
///
/// The profile of the instance's own width takes all its SMs. A one-slice instance with more than one memory slice has the
/// plain one-slice profile too, which is narrower wherever the instance has more SMs than a plain one.
static struct standin_profile ci_profile(
    const struct standin_product *product, const struct standin_profile *p, uint32_t enumeration) {
  static const uint32_t slices_of[CNVML_CI_PROFILE_COUNT] = {1, 2, 3, 4, 7, 8, 6, 1, 7};
  struct standin_profile none = {0};
  uint32_t slices = slices_of[enumeration], unit = p->sms / (p->slices ? p->slices : 1);
  bool wide = enumeration == 7;
  if (slices > p->slices || enumeration == 8 || (wide && (p->slices != 1 || p->size < 2))) return none;
  for (uint32_t i = 0; i < product->profile_count; i++) {
    const struct standin_profile *other = &product->profiles[i];
    if (other->slices == 1 && other->sms < unit) unit = other->sms;
  }
  struct standin_profile found = {.enumeration = enumeration, .id = enumeration, .slices = slices, .size = slices};
  bool plain_of_wide = enumeration == 0 && p->slices == 1 && p->size > 1;
  found.sms = slices == p->slices && !plain_of_wide ? p->sms : unit * slices;
  found.limit = p->slices / slices;
  snprintf(found.name, sizeof found.name, "%uc.%s", slices, p->name);
  return found;
}

static int ci_profile_of(
    struct standin *world, void *instance, unsigned enumeration, unsigned engine, struct standin_profile *found) {
  struct standin_target t;
  struct standin_gi *gi;
  int code = gi_of(world, instance, &t, &gi);
  if (code != CNVML_OK) return code;
  if (!standin_may_use(t.gpu, t.gi, -1)) return CNVML_NO_PERMISSION;
  if (enumeration >= CNVML_CI_PROFILE_COUNT || engine != CNVML_ENGINE_PROFILE_SHARED) return CNVML_INVALID_ARGUMENT;
  const struct standin_product *product = standin_product(world, t.gpu);
  const struct standin_profile *p = standin_profile(product, gi->profile);
  if (!p) return CNVML_NOT_SUPPORTED;
  *found = ci_profile(product, p, enumeration);
  return found->slices ? CNVML_OK : CNVML_NOT_SUPPORTED;
}

STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstanceProfileInfoV(
    void *instance, unsigned enumeration, unsigned engine, void *info);
STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstanceProfileInfoV(
    void *instance, unsigned enumeration, unsigned engine, void *info) {
  STANDIN_CALL("nvmlGpuInstanceGetComputeInstanceProfileInfoV");
  struct standin_profile p;
  code = ci_profile_of(world, instance, enumeration, engine, &p);
  uint32_t version;
  memcpy(&version, info, sizeof version);
  if (code == CNVML_OK && version == CNVML_STRUCT_VERSION(cnvml_ci_profile_v3, 3) && world->config.structs >= 3) {
    cnvml_ci_profile_v3 *out = info;
    *out = (cnvml_ci_profile_v3){version, p.id, p.slices, p.limit, p.sms, 1, 1, 0, 0, 0, "", 1};
    snprintf(out->name, sizeof out->name, "MIG %s", p.name);
  } else if (
      code == CNVML_OK && version == CNVML_STRUCT_VERSION(cnvml_ci_profile_v2, 2) && world->config.structs >= 2) {
    cnvml_ci_profile_v2 *out = info;
    *out = (cnvml_ci_profile_v2){version, p.id, p.slices, p.limit, p.sms, 1, 1, 0, 0, 0, ""};
    snprintf(out->name, sizeof out->name, "MIG %s", p.name);
  } else if (code == CNVML_OK) {
    code = (int)world->config.mismatch;
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstanceProfileInfo(
    void *instance, unsigned enumeration, unsigned engine, cnvml_ci_profile_v1 *info);
STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstanceProfileInfo(
    void *instance, unsigned enumeration, unsigned engine, cnvml_ci_profile_v1 *info) {
  STANDIN_CALL("nvmlGpuInstanceGetComputeInstanceProfileInfo");
  struct standin_profile p;
  code = ci_profile_of(world, instance, enumeration, engine, &p);
  if (code == CNVML_OK) *info = (cnvml_ci_profile_v1){p.id, p.slices, p.limit, p.sms, 1, 1, 0, 0, 0};
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlGpuInstanceCreateComputeInstance(void *instance, unsigned id, void **compute);
STANDIN_EXPORT int nvmlGpuInstanceCreateComputeInstance(void *instance, unsigned id, void **compute) {
  STANDIN_CALL("nvmlGpuInstanceCreateComputeInstance");
  struct standin_profile p;
  code = id < CNVML_CI_PROFILE_COUNT ? ci_profile_of(world, instance, id, 0, &p) : CNVML_NOT_SUPPORTED;
  if (code == CNVML_OK) {
    struct standin_target t = standin_target(instance);
    struct standin_gi *gi = standin_find_gi(world, t);
    const struct standin_profile *whole = standin_profile(standin_product(world, t.gpu), gi->profile);
    uint64_t taken = 0;
    uint32_t slot = STANDIN_CIS, start = 0;
    for (uint32_t c = STANDIN_CIS; c-- > 0;) {
      if (gi->cis[c].used) {
        taken |= span(gi->cis[c].start, gi->cis[c].size);
      } else {
        slot = c;
      }
    }
    while (start + p.size <= whole->slices && (taken & span(start, p.size))) start++;
    if (start + p.size > whole->slices || slot == STANDIN_CIS) {
      code = CNVML_INSUFFICIENT_RESOURCES;
    } else {
      struct standin_ci *ci = &gi->cis[slot];
      *ci = (struct standin_ci){.profile = id, .start = start, .size = p.size};
      ci->used = 1;
      *compute = standin_handle((struct standin_target){KIND_CI, t.gpu, t.gi, slot});
    }
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstances(void *instance, unsigned id, void **computes, unsigned *count);
STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstances(void *instance, unsigned id, void **computes, unsigned *count) {
  STANDIN_CALL("nvmlGpuInstanceGetComputeInstances");
  struct standin_profile p;
  code = id < CNVML_CI_PROFILE_COUNT ? ci_profile_of(world, instance, id, 0, &p) : CNVML_NOT_SUPPORTED;
  if (code == CNVML_OK) {
    struct standin_target t = standin_target(instance);
    const struct standin_gi *gi = standin_find_gi(world, t);
    *count = 0;
    for (uint32_t c = 0; c < STANDIN_CIS; c++) {
      if (gi->cis[c].used && gi->cis[c].profile == id) {
        computes[(*count)++] = standin_handle((struct standin_target){KIND_CI, t.gpu, t.gi, c});
      }
    }
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstanceById(void *instance, unsigned id, void **compute);
STANDIN_EXPORT int nvmlGpuInstanceGetComputeInstanceById(void *instance, unsigned id, void **compute) {
  STANDIN_CALL("nvmlGpuInstanceGetComputeInstanceById");
  struct standin_target t;
  struct standin_gi *gi;
  code = gi_of(world, instance, &t, &gi);
  if (code == CNVML_OK && (id >= STANDIN_CIS || !gi->cis[id].used)) code = CNVML_NOT_FOUND;
  if (code == CNVML_OK) *compute = standin_handle((struct standin_target){KIND_CI, t.gpu, t.gi, id});
  STANDIN_DONE;
}

static int ci_of(struct standin *world, const void *handle, struct standin_target *t, struct standin_ci **ci) {
  *t = standin_target(handle);
  if (t->kind != KIND_CI) return CNVML_INVALID_ARGUMENT;
  if (world->state->gpus[t->gpu].lost) return CNVML_GPU_IS_LOST;
  *ci = standin_find_ci(world, *t);
  return *ci ? CNVML_OK : CNVML_NOT_FOUND;
}

STANDIN_EXPORT int nvmlComputeInstanceGetInfo_v2(void *compute, cnvml_ci_info *info);
STANDIN_EXPORT int nvmlComputeInstanceGetInfo_v2(void *compute, cnvml_ci_info *info) {
  STANDIN_CALL("nvmlComputeInstanceGetInfo_v2");
  struct standin_target t;
  struct standin_ci *ci;
  code = ci_of(world, compute, &t, &ci);
  if (code == CNVML_OK && !standin_may_use(t.gpu, t.gi, (int)t.ci)) code = CNVML_NO_PERMISSION;
  if (code == CNVML_OK) {
    *info = (cnvml_ci_info){
        standin_handle((struct standin_target){KIND_MIG, t.gpu, t.gi, t.ci}),
        standin_handle((struct standin_target){KIND_GI, t.gpu, t.gi, 0}), t.ci, ci->profile, {ci->start, ci->size}};
  }
  STANDIN_DONE;
}

STANDIN_EXPORT int nvmlComputeInstanceDestroy(void *compute);
STANDIN_EXPORT int nvmlComputeInstanceDestroy(void *compute) {
  STANDIN_CALL("nvmlComputeInstanceDestroy");
  struct standin_target t;
  struct standin_ci *ci;
  code = ci_of(world, compute, &t, &ci);
  if (code == CNVML_OK && !(standin_may("config") && standin_may_use(t.gpu, t.gi, (int)t.ci))) {
    code = CNVML_NO_PERMISSION;
  }
  if (code == CNVML_OK) {
    char uuid[64];
    standin_mig_uuid(world, (struct standin_target){KIND_MIG, t.gpu, t.gi, t.ci}, uuid, sizeof uuid);
    bool busy = standin_processes(uuid, 0, NULL, 0) > 0;
    if (busy) ci->busy_until = standin_now() + world->config.linger;
    if (busy || standin_held_silently(uuid) || standin_now() < ci->busy_until) code = CNVML_IN_USE;
  }
  if (code == CNVML_OK) ci->used = 0;
  STANDIN_DONE;
}
