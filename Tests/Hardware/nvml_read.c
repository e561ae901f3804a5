// Reads what only a real library can tell, and changes nothing: codes and agreement of the three versions of the profile
// structs, the answer to a version that nobody knows, and how wide the entries of process lists are.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "cnvml.h"

typedef int (*versioned)(cnvml_device, unsigned, void *);
typedef int (*listed)(cnvml_device, unsigned *, void *);

static void *symbol(void *handle, const char *name) {
  void *found = dlsym(handle, name);
  if (!found) printf("  %s is missing\n", name);
  return found;
}

static void profiles(cnvml_device device, void *handle) {
  versioned info = (versioned)(size_t)symbol(handle, "nvmlDeviceGetGpuInstanceProfileInfoV");
  versioned plain = (versioned)(size_t)symbol(handle, "nvmlDeviceGetGpuInstanceProfileInfo");
  for (unsigned e = 0; e < 24; e++) {
    cnvml_gi_profile_v3 third = {.version = CNVML_STRUCT_VERSION(cnvml_gi_profile_v3, 3)};
    cnvml_gi_profile_v2 second = {.version = CNVML_STRUCT_VERSION(cnvml_gi_profile_v2, 2)};
    cnvml_gi_profile_v2 ninth = {.version = CNVML_STRUCT_VERSION(cnvml_gi_profile_v2, 9)};
    cnvml_gi_profile_v1 first = {0};
    int c3 = info ? info(device, e, &third) : -1, c2 = info ? info(device, e, &second) : -1;
    int c9 = info ? info(device, e, &ninth) : -1, c1 = plain ? plain(device, e, &first) : -1;
    printf("  enum %2u: v3 %d v2 %d v1 %d, unknown version %d", e, c3, c2, c1, c9);
    if (c3 == 0 && c2 == 0) printf(", id %u %u, %s", third.id, second.id, second.name);
    if (c3 == 0 && c2 == 0 && (third.id != second.id || third.memory_mb != second.memory_mb)) printf(" DIFFER");
    printf("\n");
  }
}

static void processes(cnvml_device device, void *handle) {
  static unsigned char entries[256 * 32];
  listed list = (listed)(size_t)symbol(handle, "nvmlDeviceGetComputeRunningProcesses_v3");
  unsigned count = 256;
  memset(entries, 0xa5, sizeof entries);
  int code = list ? list(device, &count, entries) : -1;
  size_t written = sizeof entries;
  while (written > 0 && entries[written - 1] == 0xa5) written--;
  printf("  compute processes: code %d, %u entries, %zu bytes written\n", code, code == 0 ? count : 0, written);
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "libnvidia-ml.so.1";
  char message[256], text[96] = "";
  void *handle = dlopen(path, RTLD_NOW);
  cnvml_library *l = cnvml_open(path, message, sizeof message);
  if (!handle || !l || cnvml_init(l) != CNVML_OK) {
    printf("%s cannot be used: %s\n", path, l ? "nvmlInit fails" : message);
    return 1;
  }
  cnvml_driver_version(l, text, sizeof text);
  uint32_t count = 0;
  cnvml_device_count(l, &count);
  printf("driver %s, %u GPUs\n", text, count);
  for (uint32_t i = 0; i < count; i++) {
    cnvml_device device;
    uint32_t current = 0, pending = 0;
    int code = cnvml_device_by_index(l, i, &device);
    if (code == CNVML_OK) code = cnvml_device_name(l, device, text, sizeof text);
    printf("GPU %u: %s, %s", i, code == CNVML_OK ? text : "", cnvml_code_name(code));
    if (code != CNVML_OK) continue;
    code = cnvml_mig_mode(l, device, &current, &pending);
    printf(", MIG mode %s %u %u\n", cnvml_code_name(code), current, pending);
    profiles(device, handle);
    processes(device, handle);
  }
  cnvml_shutdown(l);
  cnvml_close(l);
  return 0;
}
