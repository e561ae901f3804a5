#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "standin.h"

static bool read_starts(const char *text, uint64_t *starts) {
  *starts = 0;
  for (;;) {
    char *end;
    unsigned long start = strtoul(text, &end, 10);
    if (end == text || start > 63) return false;
    *starts |= UINT64_C(1) << start;
    if (*end != ',') return *end == 0;
    text = end + 1;
  }
}

static bool read_line(struct standin_config *c, const char *line) {
  struct standin_product *product = c->product_count ? &c->products[c->product_count - 1] : NULL;
  if (sscanf(line, "driver %79s", c->driver) == 1 || sscanf(line, "cuda %d", &c->cuda) == 1
      || sscanf(line, "structs %" SCNu32, &c->structs) == 1 || sscanf(line, "mismatch %" SCNu32, &c->mismatch) == 1
      || sscanf(line, "process-entry %" SCNu32, &c->process_entry) == 1
      || sscanf(line, "linger %" SCNu32, &c->linger) == 1 || sscanf(line, "resets %" SCNu32, &c->resets) == 1) {
    return true;
  }
  if (strncmp(line, "product ", 8) == 0 && c->product_count < STANDIN_PRODUCTS) {
    product = &c->products[c->product_count++];
    return sscanf(
               line, "product %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %63[^\n]", &product->compute_slices,
               &product->axis, &product->reset_needed, &product->memory_mib, product->board)
        == 5;
  }
  if (strncmp(line, "profile ", 8) == 0 && product && product->profile_count < STANDIN_PROFILES) {
    struct standin_profile *p = &product->profiles[product->profile_count++];
    char starts[256];
    return sscanf(
               line,
               "profile %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32 " %255s %47s",
               &p->enumeration, &p->id, &p->slices, &p->size, &p->limit, &p->memory_mib, &p->sms, starts, p->name)
        == 9
        && read_starts(starts, &p->starts);
  }
  if (strncmp(line, "gpu ", 4) == 0 && c->gpu_count < STANDIN_GPUS) {
    uint32_t i = c->gpu_count++;
    return sscanf(
               line, "gpu %" SCNu32 " %63s %" SCNu32, &c->gpus[i].product, c->gpus[i].uuid, &c->gpus[i].new_board_mode)
        == 3
        && c->gpus[i].product < c->product_count;
  }
  return false;
}

static FILE *open_in(const char *directory, const char *name) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) return NULL;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return NULL;
  struct stat status;
  FILE *file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? fdopen(fd, "r") : NULL;
  if (!file) close(fd);
  return file;
}

FILE *standin_open(const char *name) { return open_in(standin_directory(), name); }

bool standin_read_config(const char *directory, struct standin_config *config) {
  *config = (struct standin_config){
      .structs = 3, .mismatch = CNVML_ARGUMENT_VERSION_MISMATCH, .process_entry = sizeof(cnvml_process), .resets = 1};
  FILE *file = open_in(directory, "config");
  if (!file) return false;
  char line[1024];
  bool good = true;
  while (good && fgets(line, sizeof line, file)) {
    if (line[0] != '#' && line[0] != '\n') good = read_line(config, line);
  }
  fclose(file);
  return good && config->driver[0] != 0;
}

void standin_read_faults(const char *directory, struct standin *world) {
  world->fault_count = 0;
  FILE *file = open_in(directory, "faults");
  if (!file) {
    world->state->faults_stamp = 0;
    return;
  }
  struct stat status;
  if (fstat(fileno(file), &status) == 0) {
    int64_t stamp =
        (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec + (int64_t)status.st_ino * 1009;
    if (stamp != world->state->faults_stamp) {
      memset(world->state->fault_calls, 0, sizeof world->state->fault_calls);
      world->state->faults_stamp = stamp;
    }
  }
  static const char *const kinds[] = {"fail", "after", "kill", "killed", "lose", "delay", "hang"};
  char line[256], kind[16];
  while (fgets(line, sizeof line, file) && world->fault_count < STANDIN_FAULTS) {
    struct standin_fault f = {.nth = 1, .times = 1};
    if (sscanf(line, "%15s %63s", kind, f.symbol) != 2) continue;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
      if (strcmp(kind, kinds[k]) != 0) continue;
      f.kind = (enum standin_fault_kind)k;
      int read = 0;
      switch (f.kind) {
      case FAULT_FAIL:
      case FAULT_AFTER:
        read = sscanf(line, "%*s %*s %" SCNu32 " %" SCNu32 " %" SCNu32, &f.nth, &f.times, &f.value) == 3;
        break;
      case FAULT_KILL:
      case FAULT_KILLED: read = sscanf(line, "%*s %*s %" SCNu32, &f.nth) == 1; break;
      case FAULT_LOSE:
      case FAULT_HANG: read = sscanf(line, "%*s %*s %" SCNu32 " %" SCNu32, &f.nth, &f.value) == 2; break;
      case FAULT_DELAY: read = sscanf(line, "%*s %*s %" SCNu32, &f.value) == 1; break;
      }
      if (read) world->faults[world->fault_count++] = f;
      break;
    }
  }
  fclose(file);
}

static bool is_alive(uint32_t pid) { return pid > STANDIN_FAKE_PID || kill((pid_t)pid, 0) == 0 || errno == EPERM; }

bool standin_held_silently(const char *uuid) {
  FILE *file = open_in(standin_directory(), "silent");
  if (!file) return false;
  char line[256], own[64];
  uint32_t pid;
  bool held = false;
  while (!held && fgets(line, sizeof line, file)) {
    held = sscanf(line, "%63s %" SCNu32, own, &pid) == 2 && strcmp(own, uuid) == 0 && is_alive(pid);
  }
  fclose(file);
  return held;
}

uint32_t standin_processes(const char *uuid, char type, struct standin_process *processes, uint32_t room) {
  FILE *file = open_in(standin_directory(), "processes");
  if (!file) return 0;
  char line[512];
  uint32_t count = 0;
  while (fgets(line, sizeof line, file)) {
    struct standin_process p;
    if (sscanf(line, "%63s %" SCNu32 " %" SCNu32 " %c %63[^\n]", p.uuid, &p.pid, &p.memory_mib, &p.type, p.name) != 5) {
      continue;
    }
    if (strcmp(p.uuid, uuid) != 0 || (type && p.type != type)) continue;
    if (!is_alive(p.pid)) continue;
    if (count < room) processes[count] = p;
    count++;
  }
  fclose(file);
  return count;
}
