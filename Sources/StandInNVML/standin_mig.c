/// NVML's GPU instance calls.
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

/// Whether an instance of the profile may stand at `start` beside what is there.
static bool fits(const struct standin *world, uint32_t gpu, const struct standin_profile *p, uint32_t start) {
  const struct standin_product *product = standin_product(world, gpu);
  uint64_t taken = 0;
  uint32_t same = 0, slices = p->slices;
  for (uint32_t g = 0; g < STANDIN_GIS; g++) {
    const struct standin_gi *gi = &world->state->gpus[gpu].gis[g];
    if (!gi->used) continue;
    taken |= standin_span(gi->start, gi->size);
    same += gi->profile == p->id;
    const struct standin_profile *other = standin_profile(product, gi->profile);
    slices += other ? other->slices : 0;
  }
  return !(taken & standin_span(start, p->size)) && same < p->limit && slices <= product->compute_slices;
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

int standin_gi_of(struct standin *world, const void *handle, struct standin_target *t, struct standin_gi **gi) {
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
  code = standin_gi_of(world, instance, &t, &gi);
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
  code = standin_gi_of(world, instance, &t, &gi);
  if (code == CNVML_OK && !standin_may("config")) code = CNVML_NO_PERMISSION;
  for (uint32_t c = 0; code == CNVML_OK && c < STANDIN_CIS; c++) {
    if (gi->cis[c].used) code = CNVML_IN_USE;
  }
  if (code == CNVML_OK) gi->used = 0;
  STANDIN_DONE;
}
