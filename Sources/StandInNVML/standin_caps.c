/// The driver's capabilities: device nodes that a process must be able to open for what it does with MIG.
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "standin.h"

/// Whether `path` below the machine's folder can be opened by this process.
static bool opens(const char *path) {
  char whole[4160];
  if (snprintf(whole, sizeof whole, "%s/%s", standin_directory(), path) >= (int)sizeof whole) return false;
  int fd = open(whole, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

static bool is_guarded(void) {
  char folder[4160];
  snprintf(folder, sizeof folder, "%s/dev/nvidia-caps", standin_directory());
  return access(folder, F_OK) == 0;
}

bool standin_may(const char *name) {
  if (!is_guarded()) return true;
  char path[4160], line[128], own[96];
  snprintf(path, sizeof path, "%s/proc/driver/nvidia-caps/mig-minors", standin_directory());
  FILE *file = fopen(path, "re");
  if (!file) return false;
  uint32_t minor = 0;
  bool found = false;
  while (!found && fgets(line, sizeof line, file)) {
    found = sscanf(line, "%95s %" SCNu32, own, &minor) == 2 && strcmp(own, name) == 0;
  }
  fclose(file);
  snprintf(path, sizeof path, "dev/nvidia-caps/nvidia-cap%" PRIu32, minor);
  return found && opens(path);
}

bool standin_may_use(uint32_t gpu, uint32_t gi, int ci) {
  char name[96];
  if (ci < 0) {
    snprintf(name, sizeof name, "gpu%" PRIu32 "/gi%" PRIu32 "/access", gpu, gi);
  } else {
    snprintf(name, sizeof name, "gpu%" PRIu32 "/gi%" PRIu32 "/ci%d/access", gpu, gi, ci);
  }
  return standin_may(name);
}

bool standin_is_admin(void) {
  if (!is_guarded()) return true;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  return syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> CAP_SYS_ADMIN & 1);
}
