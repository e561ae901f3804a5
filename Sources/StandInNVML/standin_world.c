#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

#include "standin.h"

static const uint64_t state_magic = UINT64_C(0x5041525653494d33);

/// One machine per loaded copy; all of it is guarded by `mutex`, and the mapped state by the lock file too.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct standin machine;
static char directory[4000];
static int lock_file = -1;
static ino_t mapped_inode;
static struct timespec config_time;

const char *standin_directory(void) {
  if (!directory[0]) {
    Dl_info info;
    // Casting through an integer: ISO C has no conversion from a function to an object pointer.
    if (!dladdr((void *)(uintptr_t)&standin_directory, &info) || !info.dli_fname) return "";
    snprintf(directory, sizeof directory, "%s", info.dli_fname);
    char *slash = strrchr(directory, '/');
    if (slash) {
      *slash = 0;
    } else {
      snprintf(directory, sizeof directory, ".");
    }
  }
  return directory;
}

static int open_file(const char *name, int flags) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", standin_directory(), name);
  int fd;
  do {
    fd = open(path, flags | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EINTR);
  struct stat folder;
  // What root makes in the folder of a user is that user's.
  if (fd >= 0 && (flags & O_CREAT) && geteuid() == 0 && stat(standin_directory(), &folder) == 0 && folder.st_uid != 0) {
    if (fchown(fd, folder.st_uid, folder.st_gid) != 0) errno = 0;
  }
  return fd;
}

/// A driver load: Ampere's mode comes from the board, later products start with MIG off unless the board is new.
static void boot(struct standin_state *state, const struct standin_config *config) {
  uint32_t kept[STANDIN_GPUS] = {0};
  bool new_boards = true;
  int board = open_file("board", O_RDWR | O_CREAT);
  if (board >= 0) {
    new_boards = read(board, kept, sizeof kept) != (ssize_t)sizeof kept;
    for (uint32_t i = 0; new_boards && i < config->gpu_count; i++) kept[i] = config->gpus[i].new_board_mode;
    if (new_boards && pwrite(board, kept, sizeof kept, 0) != (ssize_t)sizeof kept) new_boards = true;
    close(board);
  }
  memset(state, 0, sizeof *state);
  for (uint32_t i = 0; i < config->gpu_count; i++) {
    bool keeps = config->products[config->gpus[i].product].reset_needed;
    state->gpus[i].mode = state->gpus[i].pending = keeps || new_boards ? kept[i] : 0;
  }
  state->magic = state_magic;
}

void standin_remember_mode(const struct standin *world) {
  uint32_t kept[STANDIN_GPUS] = {0};
  for (uint32_t i = 0; i < world->config.gpu_count; i++) kept[i] = world->state->gpus[i].pending;
  int board = open_file("board", O_WRONLY | O_CREAT);
  if (board < 0) return;
  // A board that cannot be written forgets its mode with the next reboot.
  (void)!pwrite(board, kept, sizeof kept, 0);
  close(board);
}

/// Maps the current `state` file, making one when it is gone. Called with both locks held.
static bool map_state(void) {
  int fd = open_file("state", O_RDWR | O_CREAT);
  if (fd < 0) return false;
  struct stat status;
  bool good = fstat(fd, &status) == 0;
  if (good && (!machine.state || status.st_ino != mapped_inode || status.st_size != sizeof *machine.state)) {
    if (machine.state) munmap(machine.state, sizeof *machine.state);
    machine.state = NULL;
    good = ftruncate(fd, sizeof *machine.state) == 0;
    void *map = good ? mmap(NULL, sizeof *machine.state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    good = map != MAP_FAILED;
    if (good) {
      machine.state = map;
      mapped_inode = status.st_ino;
    }
  }
  close(fd);
  if (good && machine.state->magic != state_magic) boot(machine.state, &machine.config);
  return good;
}

static bool refresh_config(void) {
  char path[4096];
  snprintf(path, sizeof path, "%s/config", standin_directory());
  struct stat status;
  if (stat(path, &status) != 0) return false;
  if (status.st_mtim.tv_sec == config_time.tv_sec && status.st_mtim.tv_nsec == config_time.tv_nsec) return true;
  if (!standin_read_config(standin_directory(), &machine.config)) return false;
  config_time = status.st_mtim;
  return true;
}

/// Does what `nvidia-smi -r` was asked to: instances and handles go, the pending mode comes into force. While anybody has
/// the library initialised, or the GPU in use, it does nothing.
static void consume_resets(void) {
  FILE *file = standin_open("reset");
  if (!file) return;
  char path[4096];
  snprintf(path, sizeof path, "%s/reset", standin_directory());
  uint32_t index;
  while (fscanf(file, "%" SCNu32, &index) == 1) {
    if (index >= machine.config.gpu_count || !machine.config.resets || standin_in_use(&machine)) continue;
    const char *uuid = machine.config.gpus[index].uuid;
    if (standin_processes(uuid, 0, NULL, 0) > 0 || standin_held_silently(uuid)) continue;
    struct standin_gpu *gpu = &machine.state->gpus[index];
    memset(gpu->gis, 0, sizeof gpu->gis);
    gpu->mode = gpu->pending;
    gpu->lost = 0;
    gpu->generation++;
  }
  fclose(file);
  unlink(path);
}

static bool acquire(void) {
  pthread_mutex_lock(&mutex);
  if (lock_file < 0) lock_file = open_file("lock", O_RDWR | O_CREAT);
  int locked = -1;
  if (lock_file >= 0) {
    do {
      locked = flock(lock_file, LOCK_EX);
    } while (locked != 0 && errno == EINTR);
  }
  if (locked == 0 && refresh_config() && map_state()) return true;
  if (locked == 0) flock(lock_file, LOCK_UN);
  pthread_mutex_unlock(&mutex);
  return false;
}

static void release(void) {
  flock(lock_file, LOCK_UN);
  pthread_mutex_unlock(&mutex);
}

static void wait_milliseconds(uint32_t milliseconds) {
  struct timespec left = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

int standin_enter(const char *symbol, struct standin **world) {
  if (!acquire()) return CNVML_DRIVER_NOT_LOADED;
  consume_resets();
  standin_read_faults(standin_directory(), &machine);
  machine.after_code = CNVML_OK;
  machine.killed_after = false;
  uint32_t wait = 0;
  int code = CNVML_OK;
  for (uint32_t i = 0; i < machine.fault_count; i++) {
    const struct standin_fault *f = &machine.faults[i];
    if (strcmp(f->symbol, symbol) != 0 && !(f->kind == FAULT_DELAY && strcmp(f->symbol, "*") == 0)) continue;
    uint32_t call = ++machine.state->fault_calls[i];
    if (f->kind == FAULT_DELAY) wait += f->value;
    if (f->kind == FAULT_DELAY || call < f->nth || call - f->nth >= f->times) continue;
    switch (f->kind) {
    case FAULT_FAIL: code = (int)f->value; break;
    case FAULT_AFTER: machine.after_code = (int)f->value; break;
    case FAULT_KILL: raise(SIGKILL); break;
    case FAULT_KILLED: machine.killed_after = true; break;
    case FAULT_LOSE:
      if (f->value < STANDIN_GPUS) machine.state->gpus[f->value].lost = 1;
      break;
    case FAULT_HANG: wait += f->value; break;
    case FAULT_DELAY: break;
    }
  }
  if (wait > 0) {
    // Other processes go on meanwhile; what this call must suffer afterwards is kept beside the lock.
    int after = machine.after_code;
    bool killed = machine.killed_after;
    release();
    wait_milliseconds(wait);
    if (!acquire()) return CNVML_DRIVER_NOT_LOADED;
    machine.after_code = after;
    machine.killed_after = killed;
  }
  if (code != CNVML_OK) {
    release();
    return code;
  }
  *world = &machine;
  return CNVML_OK;
}

int standin_leave(struct standin *world, int code) {
  if (world->killed_after) raise(SIGKILL);
  if (code == CNVML_OK && world->after_code != CNVML_OK) code = world->after_code;
  release();
  return code;
}

int64_t standin_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void standin_count_user(struct standin *world, int change) {
  int32_t self = (int32_t)getpid();
  for (size_t pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < STANDIN_USERS; i++) {
      if (world->state->users[i].pid != (pass == 0 ? self : 0)) continue;
      world->state->users[i].pid = self;
      world->state->users[i].count += (uint32_t)change;
      if (world->state->users[i].count == 0) world->state->users[i].pid = 0;
      return;
    }
  }
}

bool standin_in_use(struct standin *world) {
  bool used = false;
  for (size_t i = 0; i < STANDIN_USERS; i++) {
    int32_t pid = world->state->users[i].pid;
    if (pid == 0) continue;
    if (kill(pid, 0) != 0 && errno == ESRCH) {
      world->state->users[i].pid = 0;
      world->state->users[i].count = 0;
    } else {
      used = true;
    }
  }
  return used;
}

uint32_t standin_generation(uint32_t gpu) {
  if (!acquire()) return 0;
  uint32_t generation = machine.state->gpus[gpu].generation;
  release();
  return generation;
}

/// One byte per thing that a handle can name in each life of its GPU: the address is the handle, and nothing is ever
/// allocated.
static char gpu_handles[STANDIN_GENERATIONS][STANDIN_GPUS];
static char gi_handles[STANDIN_GENERATIONS][STANDIN_GPUS][STANDIN_GIS];
static char ci_handles[STANDIN_GENERATIONS][STANDIN_GPUS][STANDIN_GIS][STANDIN_CIS];
static char mig_handles[STANDIN_GENERATIONS][STANDIN_GPUS][STANDIN_GIS][STANDIN_CIS];

void *standin_handle(struct standin_target t) {
  uint32_t life = machine.state->gpus[t.gpu].generation % STANDIN_GENERATIONS;
  switch (t.kind) {
  case KIND_GPU: return &gpu_handles[life][t.gpu];
  case KIND_GI: return &gi_handles[life][t.gpu][t.gi];
  case KIND_CI: return &ci_handles[life][t.gpu][t.gi][t.ci];
  case KIND_MIG: return &mig_handles[life][t.gpu][t.gi][t.ci];
  case KIND_NONE: break;
  }
  return NULL;
}

static bool within(const void *handle, const void *table, size_t size, uint32_t *offset) {
  uintptr_t address = (uintptr_t)handle, first = (uintptr_t)table;
  if (address < first || address >= first + size) return false;
  *offset = (uint32_t)(address - first);
  return true;
}

struct standin_target standin_target(const void *handle) {
  const struct standin_target none = {KIND_NONE, 0, 0, 0};
  struct standin_target t = none;
  uint32_t at;
  if (within(handle, gpu_handles, sizeof gpu_handles, &at)) {
    t.kind = KIND_GPU;
    at *= STANDIN_GIS * STANDIN_CIS;
  } else if (within(handle, gi_handles, sizeof gi_handles, &at)) {
    t.kind = KIND_GI;
    at *= STANDIN_CIS;
  } else if (within(handle, ci_handles, sizeof ci_handles, &at)) {
    t.kind = KIND_CI;
  } else if (within(handle, mig_handles, sizeof mig_handles, &at)) {
    t.kind = KIND_MIG;
  } else {
    return none;
  }
  t.ci = at % STANDIN_CIS;
  t.gi = at / STANDIN_CIS % STANDIN_GIS;
  t.gpu = at / STANDIN_CIS / STANDIN_GIS % STANDIN_GPUS;
  uint32_t life = at / STANDIN_CIS / STANDIN_GIS / STANDIN_GPUS;
  return life == machine.state->gpus[t.gpu].generation % STANDIN_GENERATIONS ? t : none;
}

void *standin_device(uint32_t gpu) {
  if (!acquire()) return NULL;
  void *handle = standin_handle((struct standin_target){KIND_GPU, gpu, 0, 0});
  release();
  return handle;
}

struct standin_gi *standin_find_gi(struct standin *world, struct standin_target t) {
  if (t.kind != KIND_GI && t.kind != KIND_CI && t.kind != KIND_MIG) return NULL;
  struct standin_gi *gi = &world->state->gpus[t.gpu].gis[t.gi];
  return gi->used ? gi : NULL;
}

struct standin_ci *standin_find_ci(struct standin *world, struct standin_target t) {
  struct standin_gi *gi = t.kind == KIND_GI ? NULL : standin_find_gi(world, t);
  return gi && gi->cis[t.ci].used ? &gi->cis[t.ci] : NULL;
}

const struct standin_product *standin_product(const struct standin *world, uint32_t gpu) {
  return &world->config.products[world->config.gpus[gpu].product];
}

const struct standin_profile *standin_profile(const struct standin_product *product, uint32_t id) {
  for (uint32_t i = 0; i < product->profile_count; i++) {
    if (product->profiles[i].id == id) return &product->profiles[i];
  }
  return NULL;
}

/// Bound to the place, as the driver's is: an instance made again there has the UUID of the one before.
void standin_mig_uuid(const struct standin *world, struct standin_target t, char *buffer, uint32_t size) {
  char name[96];
  snprintf(name, sizeof name, "%s/%" PRIu32 "/%" PRIu32, world->config.gpus[t.gpu].uuid, t.gi, t.ci);
  uint64_t words[2] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4)};
  for (size_t w = 0; w < 2; w++) {
    for (const char *c = name; *c; c++) words[w] = (words[w] ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    words[w] ^= words[w] >> 32;
  }
  snprintf(
      buffer, size, "MIG-%08" PRIx32 "-%04" PRIx32 "-5%03" PRIx32 "-8%03" PRIx32 "-%012" PRIx64,
      (uint32_t)(words[0] >> 32), (uint32_t)(words[0] >> 16) & 0xffff, (uint32_t)words[0] & 0xfff,
      (uint32_t)(words[1] >> 48) & 0xfff, words[1] & UINT64_C(0xffffffffffff));
}
