/// NVML's event sets: errors that a file injects.
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "standin.h"

int standin_references(void) __attribute__((visibility("hidden")));

void standin_forget_events(void) __attribute__((visibility("hidden")));

/// Sets of this process. The one at an index is its handle.
static struct event_set {
  atomic_bool used;
  /// GPUs that are registered, as bits, and the life that each was in: of a later one the set hears nothing.
  uint64_t gpus;
  uint32_t lives[STANDIN_GPUS];
  /// Bytes of the file that the set has told of, or that were there before it.
  long offset;
} sets[8];

/// What the last nvmlShutdown of a process does to them.
void standin_forget_events(void) {
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) atomic_store(&sets[i].used, false);
}

static struct event_set *set_of(const void *handle) {
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    if (handle == &sets[i] && atomic_load(&sets[i].used)) return &sets[i];
  }
  return NULL;
}

static FILE *open_events(void) { return standin_open("events"); }

static int create(void **handle) {
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    bool free_one = false;
    if (!atomic_compare_exchange_strong(&sets[i].used, &free_one, true)) continue;
    sets[i].gpus = 0;
    sets[i].offset = 0;
    FILE *file = open_events();
    if (file) {
      if (fseek(file, 0, SEEK_END) == 0) sets[i].offset = ftell(file);
      fclose(file);
    }
    *handle = &sets[i];
    return CNVML_OK;
  }
  return CNVML_MEMORY;
}

STANDIN_EXPORT int nvmlEventSetCreate(void **handle);
STANDIN_EXPORT int nvmlEventSetCreate(void **handle) {
  struct standin *world;
  if (standin_references() <= 0) return CNVML_UNINITIALIZED;
  int code = standin_enter("nvmlEventSetCreate", &world);
  return code != CNVML_OK ? code : standin_leave(world, create(handle));
}

static int enlist(const struct standin *world, const void *device, unsigned long long types, const void *handle) {
  struct standin_target t = standin_target(device);
  struct event_set *set = set_of(handle);
  if (!set || t.kind != KIND_GPU) return CNVML_INVALID_ARGUMENT;
  if (types & ~CNVML_EVENT_XID) return CNVML_NOT_SUPPORTED;
  set->gpus |= UINT64_C(1) << t.gpu;
  set->lives[t.gpu] = world->state->gpus[t.gpu].generation;
  return CNVML_OK;
}

STANDIN_EXPORT int nvmlDeviceRegisterEvents(const void *device, unsigned long long types, void *handle);
STANDIN_EXPORT int nvmlDeviceRegisterEvents(const void *device, unsigned long long types, void *handle) {
  struct standin *world;
  if (standin_references() <= 0) return CNVML_UNINITIALIZED;
  int code = standin_enter("nvmlDeviceRegisterEvents", &world);
  return code != CNVML_OK ? code : standin_leave(world, enlist(world, device, types, handle));
}

/// The next whole line of a registered GPU, if one has come.
static bool take(struct event_set *set, cnvml_event *event) {
  FILE *file = open_events();
  if (!file) return false;
  bool found = false;
  char line[256];
  // A shorter file is a new one.
  if (fseek(file, 0, SEEK_END) == 0 && ftell(file) < set->offset) set->offset = 0;
  if (fseek(file, set->offset, SEEK_SET) == 0) {
    while (!found && fgets(line, sizeof line, file) && strchr(line, '\n')) {
      set->offset = ftell(file);
      unsigned gpu, xid;
      int gi, ci;
      if (sscanf(line, "%u %u %d %d", &gpu, &xid, &gi, &ci) != 4) continue;
      if (gpu >= STANDIN_GPUS || !(set->gpus >> gpu & 1) || standin_generation(gpu) != set->lives[gpu]) continue;
      *event = (cnvml_event){
          standin_device(gpu), CNVML_EVENT_XID, xid, (uint32_t)gi, (uint32_t)ci};
      found = true;
    }
  }
  fclose(file);
  return found;
}

STANDIN_EXPORT int nvmlEventSetWait_v2(void *handle, cnvml_event *event, unsigned milliseconds);
STANDIN_EXPORT int nvmlEventSetWait_v2(void *handle, cnvml_event *event, unsigned milliseconds) {
  struct standin *world;
  if (standin_references() <= 0) return CNVML_UNINITIALIZED;
  int code = standin_enter("nvmlEventSetWait_v2", &world);
  if (code == CNVML_OK) code = standin_leave(world, CNVML_OK);
  for (unsigned waited = 0; code == CNVML_OK; waited += 5) {
    struct event_set *set = set_of(handle);
    if (!set) return CNVML_INVALID_ARGUMENT;
    if (take(set, event)) return CNVML_OK;
    if (waited >= milliseconds) return CNVML_TIMEOUT;
    nanosleep(&(struct timespec){0, 5000000}, NULL);
  }
  return code;
}

STANDIN_EXPORT int nvmlEventSetFree(void *handle);
STANDIN_EXPORT int nvmlEventSetFree(void *handle) {
  struct event_set *set = set_of(handle);
  if (!set) return CNVML_INVALID_ARGUMENT;
  atomic_store(&set->used, false);
  return CNVML_OK;
}
