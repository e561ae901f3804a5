/// NVML's compute instance calls.
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
  int code = standin_gi_of(world, instance, &t, &gi);
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
        taken |= standin_span(gi->cis[c].start, gi->cis[c].size);
      } else {
        slot = c;
      }
    }
    while (start + p.size <= whole->slices && (taken & standin_span(start, p.size))) start++;
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
  code = standin_gi_of(world, instance, &t, &gi);
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
    if (busy) ci->seen = standin_now();
    bool lingers = ci->seen > 0 && standin_now() < ci->seen + world->config.linger;
    if (busy || lingers || standin_held_silently(uuid)) code = CNVML_IN_USE;
  }
  if (code == CNVML_OK) ci->used = 0;
  STANDIN_DONE;
}
