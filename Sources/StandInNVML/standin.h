/// What the stand-in's files share with each other.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cnvml_abi.h"

#pragma GCC visibility push(hidden)

enum {
  STANDIN_PRODUCTS = 32,
  STANDIN_PROFILES = 24,
  STANDIN_GPUS = 16,
  STANDIN_GIS = 32,
  STANDIN_CIS = 8,
  STANDIN_FAULTS = 32,
  /// Handles of so many lives of a GPU are told apart.
  STANDIN_GENERATIONS = 8,
  /// Processes that may have the library initialised at once.
  STANDIN_USERS = 64,
  STANDIN_PROCESSES = 256,
  /// Above the kernel's largest pid: a process that is not there and counts as alive.
  STANDIN_FAKE_PID = 4194304,
};

struct standin_profile {
  uint32_t enumeration, id, slices, size, limit, memory_mib, sms;
  uint64_t starts;
  char name[48];
};

struct standin_product {
  uint32_t compute_slices, axis, reset_needed, memory_mib, profile_count;
  struct standin_profile profiles[STANDIN_PROFILES];
  char board[64];
};

struct standin_config {
  char driver[CNVML_VERSION_SIZE];
  int cuda;
  uint32_t structs, mismatch, process_entry, linger, resets, product_count, gpu_count;
  struct standin_product products[STANDIN_PRODUCTS];
  struct {
    uint32_t product, new_board_mode;
    char uuid[64];
  } gpus[STANDIN_GPUS];
};

/// `seen` is when a process was last seen on it, in milliseconds since boot: it keeps it for a while after its death.
struct standin_ci {
  uint32_t used, profile, start, size;
  int64_t seen;
};

/// Indexed by instance id; `used` is written last when one is made and first when one goes.
struct standin_gi {
  uint32_t used, profile, start, size;
  struct standin_ci cis[STANDIN_CIS];
};

/// `generation` counts resets and changes of the mode: handles of an earlier one are dead.
struct standin_gpu {
  uint32_t mode, pending, lost, generation;
  struct standin_gi gis[STANDIN_GIS];
};

/// The mapped `state` file.
struct standin_state {
  uint64_t magic;
  struct standin_gpu gpus[STANDIN_GPUS];
  /// Who has the library initialised, and how often.
  struct {
    int32_t pid;
    uint32_t count;
  } users[STANDIN_USERS];
  int64_t faults_stamp;
  uint32_t fault_calls[STANDIN_FAULTS];
};

enum standin_fault_kind { FAULT_FAIL, FAULT_AFTER, FAULT_KILL, FAULT_KILLED, FAULT_LOSE, FAULT_DELAY, FAULT_HANG };

struct standin_fault {
  enum standin_fault_kind kind;
  char symbol[64];
  uint32_t nth, times, value;
};

struct standin_process {
  char uuid[64], name[64];
  uint32_t pid, memory_mib;
  char type;
};

struct standin {
  struct standin_config config;
  struct standin_state *state;
  struct standin_fault faults[STANDIN_FAULTS];
  uint32_t fault_count;
  /// What the running call must still suffer once its effect is there.
  int after_code;
  bool killed_after;
};

/// Starts a call: locks out other threads and processes, maps the state, plays faults. On CNVML_OK the caller holds the
/// lock and must end with `standin_leave`; on anything else nothing is held.
int standin_enter(const char *symbol, struct standin **world);
/// Ends a call and answers its code.
int standin_leave(struct standin *world, int code);

/// Writes what the boards keep across a reboot.
void standin_remember_mode(const struct standin *world);

/// Reads `config`; false when it is absent or not understood.
bool standin_read_config(const char *directory, struct standin_config *config);
void standin_read_faults(const char *directory, struct standin *world);
/// Processes alive on the GPU or MIG device with this UUID; at most `room` are stored, all are counted.
uint32_t standin_processes(const char *uuid, char type, struct standin_process *processes, uint32_t room);
/// Whether a process that no list shows keeps the GPU or MIG device with this UUID.
bool standin_held_silently(const char *uuid);
/// Counts this process in or out of those that have the library initialised.
void standin_count_user(struct standin *world, int change);
/// Whether any process that lives has it initialised.
bool standin_in_use(struct standin *world);
/// The life that a GPU is in and its handle, for callers that do not hold the lock.
uint32_t standin_generation(uint32_t gpu);
void *standin_device(uint32_t gpu);
int64_t standin_now(void);

/// The driver's capabilities by their names in mig-minors: whether this process may open the node of one. Without a
/// folder `dev/nvidia-caps` nothing is asked for.
bool standin_may(const char *name);
/// `gpuN/giM/access`, or with `ci` at least 0 `gpuN/giM/ciK/access`.
bool standin_may_use(uint32_t gpu, uint32_t gi, int ci);
/// Whether the process may do what takes CAP_SYS_ADMIN.
bool standin_is_admin(void);

/// Where the loaded library lies.
const char *standin_directory(void);
/// A file of the machine for reading; NULL where there is none, or something else, which might make the reader wait.
FILE *standin_open(const char *name);

/// What a handle points at; `gi` and `ci` are ids.
enum standin_kind { KIND_NONE, KIND_GPU, KIND_GI, KIND_CI, KIND_MIG };
struct standin_target {
  enum standin_kind kind;
  uint32_t gpu, gi, ci;
};
/// Handles hold for the life that their GPU is in; one of an earlier life is of no kind. Called with the lock held.
void *standin_handle(struct standin_target target);
struct standin_target standin_target(const void *handle);
/// The target's instances, or NULL when a handle is stale or of another kind.
struct standin_gi *standin_find_gi(struct standin *world, struct standin_target target);
struct standin_ci *standin_find_ci(struct standin *world, struct standin_target target);
/// The instance behind a handle, or the code that a stale handle or a lost GPU answers.
int standin_gi_of(struct standin *world, const void *handle, struct standin_target *target, struct standin_gi **gi);
/// `size` slices from `start` on, as bits.
static inline uint64_t standin_span(uint32_t start, uint32_t size) { return ((UINT64_C(1) << size) - 1) << start; }
const struct standin_product *standin_product(const struct standin *world, uint32_t gpu);
const struct standin_profile *standin_profile(const struct standin_product *product, uint32_t id);
void standin_mig_uuid(const struct standin *world, struct standin_target target, char *buffer, uint32_t size);

#pragma GCC visibility pop

/// NVML's symbols are the only ones the library shows.
#define STANDIN_EXPORT __attribute__((visibility("default")))
