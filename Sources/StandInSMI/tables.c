/// The listings, in the columns of the release that the machine answers as.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smi.h"

enum { MOST = 64 };

const char *smi_name(const cnvml_gi_profile *profile) {
  static char made[CNVML_NAME_SIZE];
  if (profile->name[0]) return strncmp(profile->name, "MIG ", 4) == 0 ? profile->name + 4 : profile->name;
  snprintf(made, sizeof made, "%" PRIu32 "g.%" PRIu64 "gb", profile->slice_count, (profile->memory_mb + 512) / 1024);
  return made;
}

/// Calls `visit` for every profile of every GPU with MIG on; answers the number of GPUs.
static uint32_t each_profile(
    const struct smi *s, void (*visit)(const struct smi *, uint32_t, cnvml_device, const cnvml_gi_profile *, void *),
    void *context) {
  uint32_t enabled = 0;
  for (uint32_t g = 0; g < s->gpus; g++) {
    cnvml_device device;
    if (!smi_chooses(s, g)) continue;
    if (cnvml_device_by_index(s->library, g, &device) != CNVML_OK || !smi_mig_on(s, device)) continue;
    enabled++;
    for (uint32_t e = 0; e < CNVML_GI_PROFILE_COUNT; e++) {
      cnvml_gi_profile profile;
      if (cnvml_gi_profile_by_enum(s->library, device, e, &profile) != CNVML_OK) continue;
      visit(s, g, device, &profile, context);
    }
  }
  return enabled;
}

static int none_enabled(void) {
  printf("No MIG-enabled devices found.\n");
  return CNVML_NOT_FOUND;
}

static void rule(int width) {
  putchar('+');
  for (int i = 0; i < width; i++) putchar('-');
  printf("+\n");
}

static void profile_row(
    const struct smi *s, uint32_t gpu, cnvml_device device, const cnvml_gi_profile *p, void *context) {
  (void)context;
  cnvml_gi found[MOST];
  uint32_t there = MOST;
  if (cnvml_gi_list(s->library, device, p->id, found, &there) != CNVML_OK) there = 0;
  double gib = (double)p->memory_mb / 1024;
  uint32_t total = p->instance_count, left = there < total ? total - there : 0;
  if (s->strange) {
    printf("| %" PRIu32 " > MIG %s ~ %" PRIu32 " ~ %.2f |\n", gpu, smi_name(p), p->id, gib);
  } else if (s->branch < 525) {
    printf("| %3" PRIu32 "  MIG %-12s %2" PRIu32 "     %" PRIu32 "/%" PRIu32 "        %-6.2f      No     %3" PRIu32
           "     1     0   |\n", gpu, smi_name(p), p->id, left, total, gib, p->multiprocessor_count);
    printf("|                                                             1     0     0   |\n");
    rule(76);
  } else {
    printf("| %3" PRIu32 "  MIG %-15s %3" PRIu32 "     %" PRIu32 "/%-2" PRIu32 "       %-6.2f     No     %3" PRIu32
           "     1     0   |\n", gpu, smi_name(p), p->id, left, total, gib, p->multiprocessor_count);
    printf("|                                                               1     0     0   |\n");
    rule(79);
  }
}

int smi_list_profiles(const struct smi *s) {
  printf("| GPU instance profiles:\n| GPU   Name   ID    Instances   Memory     P2P    SM    DEC   ENC\n|====|\n");
  return each_profile(s, profile_row, NULL) ? 0 : none_enabled();
}

static void placement_row(
    const struct smi *s, uint32_t gpu, cnvml_device device, const cnvml_gi_profile *p, void *context) {
  (void)context;
  cnvml_placement places[MOST];
  uint32_t count = MOST;
  if (cnvml_gi_placements(s->library, device, p->id, places, &count) != CNVML_OK || count == 0) return;
  printf("GPU %2" PRIu32 " Profile ID %2" PRIu32 " %s {", gpu, p->id, count > 1 ? "Placements:" : "Placement :");
  for (uint32_t i = 0; i < count; i++) printf(i ? ",%" PRIu32 : "%" PRIu32, places[i].start);
  printf("}:%" PRIu32 "\n", places[0].size);
}

int smi_list_placements(const struct smi *s) {
  return each_profile(s, placement_row, NULL) ? 0 : none_enabled();
}

static void instance_rows(
    const struct smi *s, uint32_t gpu, cnvml_device device, const cnvml_gi_profile *p, void *context) {
  uint32_t *shown = context, count = MOST;
  cnvml_gi found[MOST];
  if (cnvml_gi_list(s->library, device, p->id, found, &count) != CNVML_OK) return;
  for (uint32_t i = 0; i < count; i++) {
    cnvml_gi_info info;
    if (cnvml_gi_get_info(s->library, found[i], &info) != CNVML_OK) continue;
    if ((*shown)++ == 0) {
      rule(57);
      printf("| GPU instances:                                          |\n"
             "| GPU   Name               Profile  Instance   Placement  |\n"
             "|                            ID       ID       Start:Size |\n");
    }
    const char *form = s->strange ? "| %3" PRIu32 " MIG %s %" PRIu32 " @ %" PRIu32 " [%" PRIu32 "+%" PRIu32 "] |\n"
        : s->branch < 525 ? "| %3" PRIu32 "  MIG %-12s  %2" PRIu32 "       %2" PRIu32 "          %" PRIu32 ":%" PRIu32
                            "     |\n"
                          : "| %3" PRIu32 "  MIG %-15s  %3" PRIu32 "       %2" PRIu32 "          %" PRIu32 ":%" PRIu32
                            "     |\n";
    printf(form, gpu, smi_name(p), p->id, info.id, info.placement.start, info.placement.size);
    rule(57);
  }
}

int smi_list_instances(const struct smi *s) {
  uint32_t shown = 0;
  if (each_profile(s, instance_rows, &shown) == 0) return none_enabled();
  if (shown == 0) printf("No GPU instances found: Not Found\n");
  return shown ? 0 : CNVML_NOT_FOUND;
}

/// A compute instance with the name that NVIDIA gives it: with `Nc.` before it where it is not all of its GPU instance.
struct compute {
  char name[CNVML_NAME_SIZE + 16], uuid[96];
  uint32_t gi, id, profile, start, size;
};

struct computes {
  struct compute list[MOST];
  uint32_t count;
  int code;
  uint32_t only;
};

static void gather(
    const struct smi *s, uint32_t gpu, cnvml_device device, const cnvml_gi_profile *p, void *context) {
  struct computes *all = context;
  if (all->only != gpu) return;
  uint32_t instances = MOST;
  cnvml_gi found[MOST];
  if (cnvml_gi_list(s->library, device, p->id, found, &instances) != CNVML_OK) return;
  for (uint32_t i = 0; i < instances; i++) {
    cnvml_gi_info gi;
    if (cnvml_gi_get_info(s->library, found[i], &gi) != CNVML_OK) continue;
    uint32_t widest = 0;
    for (int pass = 0; pass < 2; pass++) {
      for (uint32_t e = 0; e < CNVML_CI_PROFILE_COUNT; e++) {
        cnvml_ci_profile kind;
        int code = cnvml_ci_profile_by_enum(s->library, found[i], e, &kind);
        if (code == CNVML_NO_PERMISSION) all->code = code;
        if (code != CNVML_OK) continue;
        if (pass == 0) {
          if (kind.multiprocessor_count > widest) widest = kind.multiprocessor_count;
          continue;
        }
        cnvml_ci computes[MOST];
        uint32_t count = MOST;
        if (cnvml_ci_list(s->library, found[i], kind.id, computes, &count) != CNVML_OK) continue;
        for (uint32_t c = 0; c < count && all->count < MOST; c++) {
          cnvml_ci_info info;
          int read = cnvml_ci_get_info(s->library, computes[c], &info);
          if (read != CNVML_OK) all->code = read;
          if (read != CNVML_OK) continue;
          struct compute *to = &all->list[all->count++];
          *to = (struct compute){.gi = gi.id, .id = info.id, .profile = info.profile_id,
                                 .start = info.placement.start, .size = info.placement.size};
          cnvml_device_uuid(s->library, info.device, to->uuid, sizeof to->uuid);
          if (kind.multiprocessor_count == widest) {
            snprintf(to->name, sizeof to->name, "%s", smi_name(p));
          } else {
            snprintf(to->name, sizeof to->name, "%" PRIu32 "c.%s", kind.slice_count, smi_name(p));
          }
        }
      }
    }
  }
}

static int by_ids(const void *a, const void *b) {
  const struct compute *x = a, *y = b;
  if (x->gi != y->gi) return x->gi < y->gi ? -1 : 1;
  return x->id < y->id ? -1 : x->id > y->id;
}

/// All compute instances of one GPU, by both ids.
static const struct computes *computes_of(const struct smi *s, uint32_t gpu) {
  static struct computes all;
  all = (struct computes){.only = gpu};
  each_profile(s, gather, &all);
  qsort(all.list, all.count, sizeof *all.list, by_ids);
  return &all;
}

int smi_list_computes(const struct smi *s) {
  uint32_t shown = 0;
  for (uint32_t g = 0; g < s->gpus; g++) {
    const struct computes *all = computes_of(s, g);
    if (all->code != CNVML_OK) {
      printf("Failed to list compute instances: %s\n", smi_reason(all->code));
      return all->code;
    }
    for (uint32_t i = 0; i < all->count; i++, shown++) {
      const struct compute *c = &all->list[i];
      printf("| %3" PRIu32 "     %2" PRIu32 "       MIG %-16s %2" PRIu32 "         %" PRIu32, g, c->gi, c->name, c->profile,
             c->id);
      if (s->branch >= 510) printf("          %" PRIu32 ":%" PRIu32, c->start, c->size);
      printf("    |\n");
      rule(68);
    }
  }
  if (shown == 0) printf("No compute instances found: Not Found\n");
  return shown ? 0 : CNVML_NOT_FOUND;
}

/// What it says of a GPU that it cannot reach, in place of all else of it.
static void lost_line(const struct smi *s, uint32_t gpu, int code) {
  const char *mend = code == CNVML_GPU_IS_LOST ? ".  Reboot the system to recover this GPU" : "";
  char index[16] = " ";
  if (s->branch >= 535) snprintf(index, sizeof index, "%" PRIu32 ": ", gpu);
  printf("Unable to determine the device handle for GPU%s0000:%02" PRIX32 ":00.0: %s%s\n", index, 0x10 + gpu * 0x10,
         smi_reason(code), mend);
}

int smi_list(const struct smi *s) {
  for (uint32_t g = 0; g < s->gpus; g++) {
    cnvml_device device;
    char uuid[96], name[96];
    int code = cnvml_device_by_index(s->library, g, &device);
    if (code == CNVML_OK) code = cnvml_device_uuid(s->library, device, uuid, sizeof uuid);
    if (code == CNVML_OK) code = cnvml_device_name(s->library, device, name, sizeof name);
    if (code != CNVML_OK) {
      lost_line(s, g, code);
      continue;
    }
    printf("GPU %" PRIu32 ": %s (UUID: %s)\n", g, name, uuid);
    const struct computes *all = computes_of(s, g);
    for (uint32_t i = 0; i < all->count; i++) {
      const struct compute *c = &all->list[i];
      printf(s->branch < 525 ? "  MIG %s Device %" PRIu32 ": (UUID: %s)\n" : "  MIG %-11s Device %2" PRIu32 ": (UUID: %s)\n",
             c->name, i, c->uuid);
    }
  }
  return 0;
}

int smi_query(const struct smi *s, const char *fields) {
  for (uint32_t g = 0; g < s->gpus; g++) {
    cnvml_device device;
    cnvml_pci pci = {0};
    uint64_t total = 0, used;
    uint32_t current = 0, pending = 0;
    if (cnvml_device_by_index(s->library, g, &device) != CNVML_OK) continue;
    if (cnvml_device_pci(s->library, device, &pci) != CNVML_OK) continue;
    cnvml_device_memory(s->library, device, &total, &used);
    bool mig = cnvml_mig_mode(s->library, device, &current, &pending) == CNVML_OK;
    char copy[512], *left = copy;
    snprintf(copy, sizeof copy, "%s", fields);
    for (const char *field = strsep(&left, ","); field; field = strsep(&left, ",")) {
      if (field != copy) printf(", ");
      if (strcmp(field, "index") == 0) printf("%" PRIu32, g);
      if (strcmp(field, "driver_version") == 0) printf("%s", s->driver);
      if (strcmp(field, "pci.bus_id") == 0) printf("%s", pci.bus_id);
      if (strcmp(field, "memory.total") == 0) printf("%" PRIu64, total >> 20);
      const char *absent = s->branch < 525 ? "N/A" : "[N/A]";
      if (strcmp(field, "mig.mode.current") == 0) printf("%s", !mig ? absent : current ? "Enabled" : "Disabled");
      if (strcmp(field, "mig.mode.pending") == 0) printf("%s", !mig ? absent : pending ? "Enabled" : "Disabled");
    }
    printf("\n");
  }
  return 0;
}

static void processes_of(
    const struct smi *s, uint32_t gpu, cnvml_device device, const struct compute *c, uint32_t *shown) {
  static const char *const types[] = {"C", "G", "M+C"};
  for (int list = 0; list < 3; list++) {
    cnvml_process found[256];
    uint32_t count = 256;
    if (cnvml_processes(s->library, device, (enum cnvml_process_list)list, found, &count) != CNVML_OK) continue;
    for (uint32_t i = 0; i < count; i++, (*shown)++) {
      char name[64] = "[Not Found]", gi[16] = "N/A", ci[16] = "N/A";
      cnvml_process_name(s->library, found[i].pid, name, sizeof name);
      if (c) snprintf(gi, sizeof gi, "%" PRIu32, c->gi);
      if (c) snprintf(ci, sizeof ci, "%" PRIu32, c->id);
      printf("| %4" PRIu32 " %4s %4s %10" PRIu32 " %6s   %-40s %6" PRIu64 "MiB |\n", gpu, gi, ci, found[i].pid, types[list],
             name, found[i].used_memory >> 20);
    }
  }
}

int smi_lost(const struct smi *s) {
  for (uint32_t g = 0; g < s->gpus; g++) {
    cnvml_device device;
    int code = cnvml_device_by_index(s->library, g, &device);
    if (code == CNVML_OK) continue;
    lost_line(s, g, code);
    return code;
  }
  return CNVML_OK;
}

int smi_overview(const struct smi *s) {
  uint32_t shown = 0;
  printf("| NVIDIA-SMI %s    Driver Version: %s |\n", s->driver, s->driver);
  if (s->strange) return 0;
  printf("| Processes:                                                                  |\n"
         "|  GPU   GI   CI        PID   Type   Process name                  GPU Memory |\n"
         "|        ID   ID                                                   Usage      |\n"
         "|=============================================================================|\n");
  for (uint32_t g = 0; g < s->gpus; g++) {
    cnvml_device device, mig;
    if (!smi_chooses(s, g) || cnvml_device_by_index(s->library, g, &device) != CNVML_OK) continue;
    processes_of(s, g, device, NULL, &shown);
    const struct computes *all = computes_of(s, g);
    for (uint32_t i = 0; i < all->count; i++) {
      if (cnvml_device_by_uuid(s->library, all->list[i].uuid, &mig) == CNVML_OK) {
        processes_of(s, g, mig, &all->list[i], &shown);
      }
    }
  }
  if (shown == 0) printf("|  No running processes found                                                 |\n");
  return 0;
}
