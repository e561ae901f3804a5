/// NVML by dlopen: each symbol is looked up by itself, a missing one falls back to its older version, and without either
/// the call answers CNVML_FUNCTION_NOT_FOUND. Every call returns an NVML code. Knows no Parva.
///
/// A library may be used from any thread (NVML is thread safe); opening and closing it is the owner's business.
#pragma once

#include <stdbool.h>

#include "cnvml_abi.h"

typedef struct cnvml_library cnvml_library;
/// Handles are NVML's own: valid until what they name is destroyed or the library is closed.
typedef struct cnvml_device *cnvml_device;
typedef struct cnvml_gi *cnvml_gi;
typedef struct cnvml_ci *cnvml_ci;

/// One GPU instance profile, whichever version of the struct the library filled.
typedef struct {
  uint32_t enumeration, id, slice_count, instance_count, multiprocessor_count;
  uint32_t copy, decoder, encoder, jpeg, ofa;
  uint64_t memory_mb;
  /// Empty where the library knows only version 1.
  char name[CNVML_NAME_SIZE];
} cnvml_gi_profile;

/// One compute instance profile.
typedef struct {
  uint32_t enumeration, id, slice_count, instance_count, multiprocessor_count;
  char name[CNVML_NAME_SIZE];
} cnvml_ci_profile;

enum cnvml_process_list { CNVML_PROCESSES_COMPUTE = 0, CNVML_PROCESSES_GRAPHICS = 1, CNVML_PROCESSES_MPS = 2 };

/// Stable lower-case name of a return code, `unknown` for one that is not in the table. Needs no library.
const char *cnvml_code_name(int code);

/// Loads the library at `path` (a file name is searched by the dynamic linker's rules), or `libnvidia-ml.so.1` for NULL.
/// NULL on failure, with the linker's message in `message`. The caller owns the result: `cnvml_close`.
cnvml_library *cnvml_open(const char *path, char *message, size_t message_size);
/// Frees the library's table; NULL is allowed. The mapping stays, because the driver library may have left threads.
void cnvml_close(cnvml_library *library);

int cnvml_init(const cnvml_library *l);
int cnvml_shutdown(const cnvml_library *l);
int cnvml_driver_version(const cnvml_library *l, char *buffer, uint32_t size);
/// 1000 x major + 10 x minor.
int cnvml_cuda_version(const cnvml_library *l, int *version);

int cnvml_device_count(const cnvml_library *l, uint32_t *count);
int cnvml_device_by_index(const cnvml_library *l, uint32_t index, cnvml_device *device);
int cnvml_device_by_uuid(const cnvml_library *l, const char *uuid, cnvml_device *device);
int cnvml_device_name(const cnvml_library *l, cnvml_device device, char *buffer, uint32_t size);
/// On a MIG handle: the UUID of the MIG device.
int cnvml_device_uuid(const cnvml_library *l, cnvml_device device, char *buffer, uint32_t size);
int cnvml_device_pci(const cnvml_library *l, cnvml_device device, cnvml_pci *pci);
int cnvml_device_minor(const cnvml_library *l, cnvml_device device, uint32_t *minor);
/// Bytes.
int cnvml_device_memory(const cnvml_library *l, cnvml_device device, uint64_t *total, uint64_t *used);

/// NOT_SUPPORTED on a GPU without MIG.
int cnvml_mig_mode(const cnvml_library *l, cnvml_device device, uint32_t *current, uint32_t *pending);
/// Success of the call says nothing about the mode: look at `activation` and read both modes again.
int cnvml_set_mig_mode(const cnvml_library *l, cnvml_device device, bool enabled, int *activation);

/// `enumeration` counts from 0; NOT_SUPPORTED means try the next, INVALID_ARGUMENT means there are no more.
int cnvml_gi_profile_by_enum(
    const cnvml_library *l, cnvml_device device, uint32_t enumeration, cnvml_gi_profile *profile);
/// The profile's static placements, MIG on or off, occupied or not. `*count` is the room on entry, the number on return.
int cnvml_gi_placements(
    const cnvml_library *l, cnvml_device device, uint32_t profile_id, cnvml_placement *placements, uint32_t *count);
/// There is no placement-less fallback: a placement the library cannot honour is FUNCTION_NOT_FOUND.
int cnvml_gi_create(
    const cnvml_library *l, cnvml_device device, uint32_t profile_id, cnvml_placement placement, cnvml_gi *instance);
/// The buffer must hold the profile's instance count: the call does not learn the room it has.
int cnvml_gi_list(
    const cnvml_library *l, cnvml_device device, uint32_t profile_id, cnvml_gi *instances, uint32_t *count);
int cnvml_gi_by_id(const cnvml_library *l, cnvml_device device, uint32_t id, cnvml_gi *instance);
int cnvml_gi_get_info(const cnvml_library *l, cnvml_gi instance, cnvml_gi_info *info);
int cnvml_gi_destroy(const cnvml_library *l, cnvml_gi instance);

int cnvml_ci_profile_by_enum(
    const cnvml_library *l, cnvml_gi instance, uint32_t enumeration, cnvml_ci_profile *profile);
int cnvml_ci_create(const cnvml_library *l, cnvml_gi instance, uint32_t profile_id, cnvml_ci *compute);
/// The buffer must hold the profile's instance count.
int cnvml_ci_list(
    const cnvml_library *l, cnvml_gi instance, uint32_t profile_id, cnvml_ci *computes, uint32_t *count);
int cnvml_ci_by_id(const cnvml_library *l, cnvml_gi instance, uint32_t id, cnvml_ci *compute);
int cnvml_ci_get_info(const cnvml_library *l, cnvml_ci compute, cnvml_ci_info *info);
int cnvml_ci_destroy(const cnvml_library *l, cnvml_ci compute);

/// `*count` is the room on entry; INSUFFICIENT_SIZE answers with the number needed.
int cnvml_processes(
    const cnvml_library *l, cnvml_device device, enum cnvml_process_list list, cnvml_process *processes,
    uint32_t *count);
int cnvml_process_name(const cnvml_library *l, uint32_t pid, char *buffer, uint32_t size);

/// A set that events of devices are collected in. FUNCTION_NOT_FOUND on libraries without events.
int cnvml_events_create(const cnvml_library *l, void **set);
int cnvml_events_register(const cnvml_library *l, cnvml_device device, uint64_t types, void *set);
/// Blocks until an event comes or `milliseconds` are over, which is TIMEOUT.
int cnvml_events_wait(const cnvml_library *l, void *set, cnvml_event *event, uint32_t milliseconds);
int cnvml_events_free(const cnvml_library *l, void *set);
