/// A stand-in for nvidia-smi: SIMULATED, over the stand-in driver library beside it in its folder. It takes the commands
/// that a node gives and prints the forms that releases from R470 to R580 print; `texts` in the folder names another:
/// `strange` prints tables that nobody knows.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cnvml.h"
#include "smi.h"

static int usage(void) {
  printf("Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n");
  return CNVML_INVALID_ARGUMENT;
}

/// The folder that the program was called in, by a link as well, or the one that it lies in.
static bool find_folder(struct smi *s, const char *called) {
  if (strchr(called, '/')) {
    snprintf(s->folder, sizeof s->folder, "%s", called);
    *strrchr(s->folder, '/') = 0;
    return true;
  }
  ssize_t length = readlink("/proc/self/exe", s->folder, sizeof s->folder - 1);
  if (length <= 0) return false;
  s->folder[length] = 0;
  char *slash = strrchr(s->folder, '/');
  if (slash) *slash = 0;
  return slash != NULL;
}

static bool start(struct smi *s) {
  char path[4200], message[256], text[64] = "";
  snprintf(path, sizeof path, "%s/libnvidia-ml.so.1", s->folder);
  s->library = cnvml_open(path, message, sizeof message);
  if (!s->library || cnvml_init(s->library) != CNVML_OK
      || cnvml_driver_version(s->library, s->driver, sizeof s->driver) != CNVML_OK) {
    printf("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
           "NVIDIA driver is installed and running.\n");
    return false;
  }
  s->branch = atoi(s->driver);
  snprintf(path, sizeof path, "%s/texts", s->folder);
  FILE *file = fopen(path, "re");
  if (file) {
    s->strange = fscanf(file, "%63s", text) == 1 && strcmp(text, "strange") == 0;
    fclose(file);
  }
  if (cnvml_device_count(s->library, &s->gpus) != CNVML_OK) return false;
  s->only = s->gpus;
  return true;
}

const char *smi_reason(int code) {
  switch (code) {
  case CNVML_INVALID_ARGUMENT: return "Invalid Argument";
  case CNVML_NOT_SUPPORTED: return "Not Supported";
  case CNVML_NO_PERMISSION: return "Insufficient Permissions";
  case CNVML_NOT_FOUND: return "Not Found";
  case CNVML_IN_USE: return "In use by another client";
  case CNVML_INSUFFICIENT_RESOURCES: return "Insufficient Resources";
  case CNVML_GPU_IS_LOST: return "GPU is lost";
  case CNVML_TIMEOUT: return "Timeout";
  default: return "Unknown Error";
  }
}

bool smi_mig_on(const struct smi *s, cnvml_device device) {
  uint32_t current = 0, pending;
  return cnvml_mig_mode(s->library, device, &current, &pending) == CNVML_OK && current == 1;
}

/// The GPU that `-i` names, by index or UUID.
static int chosen(const struct smi *s, const char *name, cnvml_device *device, uint32_t *index) {
  char uuid[96];
  for (uint32_t i = 0; name && i < s->gpus; i++) {
    int code = cnvml_device_by_index(s->library, i, device);
    if (code != CNVML_OK) continue;
    char number[16];
    snprintf(number, sizeof number, "%" PRIu32, i);
    *index = i;
    if (strcmp(name, number) == 0) return CNVML_OK;
    if (cnvml_device_uuid(s->library, *device, uuid, sizeof uuid) == CNVML_OK && strcmp(uuid, name) == 0) {
      return CNVML_OK;
    }
  }
  printf("Unable to determine the device handle for GPU %s: GPU is lost.  Reboot the system to recover this GPU\n",
         name ? name : "");
  return CNVML_GPU_IS_LOST;
}

bool smi_chooses(const struct smi *s, uint32_t index) { return s->only == s->gpus || s->only == index; }

/// Has listings tell of the GPU that `-i` names, or of all. Without a name one that is lost ends the command.
static int choose(struct smi *s, const char *name) {
  cnvml_device device;
  s->only = s->gpus;
  return name ? chosen(s, name, &device, &s->only) : smi_lost(s);
}

/// `-cgi PROFILE:START`.
static int create_gi(const struct smi *s, cnvml_device device, uint32_t index, const char *what) {
  uint32_t id, start;
  if (sscanf(what, "%" SCNu32 ":%" SCNu32, &id, &start) != 2) return usage();
  cnvml_placement places[32], place = {start, 0};
  uint32_t count = 32;
  cnvml_gi_profile profile;
  bool known = false;
  for (uint32_t e = 0; e < CNVML_GI_PROFILE_COUNT && !known; e++) {
    known = cnvml_gi_profile_by_enum(s->library, device, e, &profile) == CNVML_OK && profile.id == id;
  }
  int code = known ? cnvml_gi_placements(s->library, device, id, places, &count) : CNVML_NOT_SUPPORTED;
  if (code == CNVML_OK && count > 0) place.size = places[0].size;
  cnvml_gi gi;
  cnvml_gi_info info;
  if (code == CNVML_OK) code = cnvml_gi_create(s->library, device, id, place, &gi);
  if (code == CNVML_OK) code = cnvml_gi_get_info(s->library, gi, &info);
  if (code != CNVML_OK) {
    printf("Unable to create a GPU instance on GPU %2" PRIu32 " using profile %s: %s\n", index, what, smi_reason(code));
    printf("Failed to create GPU instances: %s\n", smi_reason(code));
    return code;
  }
  printf("Successfully created GPU instance ID %2" PRIu32 " on GPU %2" PRIu32 " using profile MIG %s (ID %2" PRIu32 ")\n",
         info.id, index, smi_name(&profile), id);
  return 0;
}

/// `-cci`: the profile with all multiprocessors is the default.
static int create_ci(const struct smi *s, cnvml_device device, uint32_t index, uint32_t id) {
  cnvml_gi gi;
  cnvml_ci ci;
  cnvml_ci_info info;
  cnvml_ci_profile widest = {0};
  int code = cnvml_gi_by_id(s->library, device, id, &gi);
  for (uint32_t e = 0; code == CNVML_OK && e < CNVML_CI_PROFILE_COUNT; e++) {
    cnvml_ci_profile profile;
    int read = cnvml_ci_profile_by_enum(s->library, gi, e, &profile);
    if (read == CNVML_NO_PERMISSION) code = read;
    if (read == CNVML_OK && profile.multiprocessor_count > widest.multiprocessor_count) widest = profile;
  }
  if (code == CNVML_OK) code = cnvml_ci_create(s->library, gi, widest.id, &ci);
  if (code == CNVML_OK) code = cnvml_ci_get_info(s->library, ci, &info);
  if (code != CNVML_OK) {
    printf("Unable to create a compute instance on GPU %2" PRIu32 " GPU instance ID %2" PRIu32 " using profile %" PRIu32
           ": %s\nFailed to create compute instances: %s\n", index, id, widest.id, smi_reason(code), smi_reason(code));
    return code;
  }
  printf("Successfully created compute instance ID %2" PRIu32 " on GPU %2" PRIu32 " GPU instance ID %2" PRIu32
         " using profile ID %2" PRIu32 "\n", info.id, index, id, widest.id);
  return 0;
}

static int destroy(const struct smi *s, cnvml_device device, uint32_t index, uint32_t gi_id, const uint32_t *ci_id) {
  cnvml_gi gi;
  cnvml_ci ci;
  int code = cnvml_gi_by_id(s->library, device, gi_id, &gi);
  if (code == CNVML_OK && ci_id) code = cnvml_ci_by_id(s->library, gi, *ci_id, &ci);
  if (code == CNVML_OK) code = ci_id ? cnvml_ci_destroy(s->library, ci) : cnvml_gi_destroy(s->library, gi);
  const char *did = code == CNVML_OK ? "Successfully destroyed" : "Unable to destroy", *end = code == CNVML_OK ? "" : ": ";
  if (ci_id) {
    printf("%s compute instance ID %2" PRIu32 " from GPU %2" PRIu32 " GPU instance ID %2" PRIu32 "%s%s\n", did, *ci_id,
           index, gi_id, end, code == CNVML_OK ? "" : smi_reason(code));
  } else {
    printf("%s GPU instance ID %2" PRIu32 " from GPU %2" PRIu32 "%s%s\n", did, gi_id, index, end,
           code == CNVML_OK ? "" : smi_reason(code));
  }
  return code;
}

static int mig(struct smi *s, int argc, char **argv) {
  const char *gpu = NULL, *place = NULL;
  enum { LGIP, LGIPP, LGI, LCI, CGI, CCI, DCI, DGI, NONE } verb = NONE;
  static const char *const verbs[] = {"-lgip", "-lgipp", "-lgi", "-lci", "-cgi", "-cci", "-dci", "-dgi"};
  long gi = -1, ci = -1;
  for (int i = 0; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "-i") == 0) gpu = argv[++i < argc ? i : i - 1];
    if (strcmp(argv[i], "-gi") == 0) gi = strtol(value, NULL, 10);
    if (strcmp(argv[i], "-ci") == 0) ci = strtol(value, NULL, 10);
    for (unsigned v = 0; v < NONE; v++) {
      if (strcmp(argv[i], verbs[v]) == 0) verb = v;
    }
    if (strcmp(argv[i], "-cgi") == 0) place = value;
  }
  if (verb <= LCI) {
    int lost = choose(s, gpu);
    if (lost != CNVML_OK) return lost;
  }
  switch (verb) {
  case LGIP: return smi_list_profiles(s);
  case LGIPP: return smi_list_placements(s);
  case LGI: return smi_list_instances(s);
  case LCI: return smi_list_computes(s);
  default: break;
  }
  cnvml_device device;
  uint32_t index;
  int code = chosen(s, gpu, &device, &index);
  if (code != CNVML_OK) return code;
  if (!smi_mig_on(s, device)) {
    printf("No MIG-enabled devices found.\n");
    return CNVML_NOT_FOUND;
  }
  uint32_t gi_id = (uint32_t)gi, ci_id = (uint32_t)ci;
  if (verb == CGI && place) return create_gi(s, device, index, place);
  if (verb == CCI && gi >= 0) return create_ci(s, device, index, gi_id);
  if (verb == DCI && gi >= 0 && ci >= 0) return destroy(s, device, index, gi_id, &ci_id);
  if (verb == DGI && gi >= 0) return destroy(s, device, index, gi_id, NULL);
  return usage();
}

static int set_mode(const struct smi *s, const char *gpu, bool enabled) {
  cnvml_device device;
  uint32_t index;
  cnvml_pci pci;
  int activation = 0, code = chosen(s, gpu, &device, &index);
  if (code != CNVML_OK) return code;
  cnvml_device_pci(s->library, device, &pci);
  code = cnvml_set_mig_mode(s->library, device, enabled, &activation);
  const char *word = enabled ? "Enabled" : "Disabled", *state = enabled ? "enable" : "disable";
  if (code != CNVML_OK) {
    printf("Unable to %s MIG Mode for GPU %s: %s\n", state, pci.bus_id, smi_reason(code));
    return code;
  }
  if (activation != CNVML_OK) {
    printf("Warning: MIG mode is in pending %s state for GPU %s:%s\n", state, pci.bus_id,
           activation == CNVML_IN_USE ? "In use by another client" : "Reset Required");
  }
  printf("%s MIG Mode for GPU %s\nAll done.\n", word, pci.bus_id);
  return 0;
}

/// Asks the library's folder for the reset, which the next initialisation carries out unless somebody has it open.
static int reset(struct smi *s, const char *gpu) {
  cnvml_device device;
  uint32_t index, current = 0, pending = 0;
  int code = chosen(s, gpu, &device, &index);
  if (code != CNVML_OK) return code;
  cnvml_shutdown(s->library);
  char path[4200];
  snprintf(path, sizeof path, "%s/reset", s->folder);
  FILE *file = fopen(path, "we");
  if (!file) return CNVML_NO_PERMISSION;
  fprintf(file, "%" PRIu32 "\n", index);
  fclose(file);
  if (cnvml_init(s->library) != CNVML_OK) return CNVML_DRIVER_NOT_LOADED;
  code = cnvml_device_by_index(s->library, index, &device);
  if (code == CNVML_OK) code = cnvml_mig_mode(s->library, device, &current, &pending);
  if (code != CNVML_OK || current != pending) {
    printf("The following GPUs could not be reset:\n  GPU %s: In use by another client\n", gpu);
    return CNVML_IN_USE;
  }
  printf("GPU %s was successfully reset.\nAll done.\n", gpu);
  return 0;
}

int main(int argc, char **argv) {
  static struct smi s;
  if (argc < 1 || !find_folder(&s, argv[0]) || !start(&s)) return CNVML_DRIVER_NOT_LOADED;
  const char *gpu = NULL, *mode = NULL, *query = NULL;
  bool is_reset = false, is_list = false;
  if (argc > 1 && strcmp(argv[1], "mig") == 0) return mig(&s, argc - 2, argv + 2);
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "-i") == 0) gpu = value;
    if (strcmp(argv[i], "-mig") == 0) mode = value;
    if (strcmp(argv[i], "-r") == 0) is_reset = true;
    if (strcmp(argv[i], "-L") == 0) is_list = true;
    if (strncmp(argv[i], "--query-gpu=", 12) == 0) query = argv[i] + 12;
  }
  if (is_list) return smi_list(&s);
  if (query) return smi_query(&s, query);
  if (mode) return set_mode(&s, gpu, mode[0] == '1');
  if (is_reset) return reset(&s, gpu);
  if (argc != 1 && (argc != 3 || !gpu)) return usage();
  int lost = choose(&s, gpu);
  return lost == CNVML_OK ? smi_overview(&s) : lost;
}
