// Walks every call of CNVML against the stand-in driver, right and wrong ways, for the sanitizers to watch.
// usage: nvml_walk LIBRARY SEED. Prints the number of calls made; ends with 1 where an answer is not what it must be.
#include "cnvml.h"
#include "cspawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long calls;
static uint64_t state;

static uint32_t draw(uint32_t bound) {
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(state >> 33) % bound;
}

/// One call, counted, whose code must have a name.
static int call(int code) {
  calls++;
  if (strcmp(cnvml_code_name(code), "unknown") == 0 && code != CNVML_UNKNOWN) {
    printf("code %d has no name\n", code);
    exit(1);
  }
  return code;
}

static void expect(bool holds, const char *what) {
  if (!holds) {
    printf("not so: %s\n", what);
    exit(1);
  }
}

static void read_device(const cnvml_library *l, cnvml_device d) {
  char text[96], small[2];
  uint32_t minor, current, pending, count;
  uint64_t total, used;
  cnvml_pci pci;
  expect(call(cnvml_device_name(l, d, text, sizeof text)) == CNVML_OK, "a GPU has a name");
  expect(call(cnvml_device_uuid(l, d, text, sizeof text)) == CNVML_OK, "a GPU has a UUID");
  expect(call(cnvml_device_uuid(l, d, small, sizeof small)) == CNVML_INSUFFICIENT_SIZE, "two bytes hold no UUID");
  call(cnvml_device_pci(l, d, &pci));
  call(cnvml_device_minor(l, d, &minor));
  call(cnvml_device_memory(l, d, &total, &used));
  call(cnvml_mig_mode(l, d, &current, &pending));
  for (int list = 0; list < 3; list++) {
    cnvml_process processes[4];
    for (count = 0; count <= 4; count += 2) {
      uint32_t room = count;
      call(cnvml_processes(l, d, (enum cnvml_process_list)list, processes, &room));
    }
  }
}

static void read_instance(const cnvml_library *l, cnvml_gi gi) {
  cnvml_gi_info info;
  if (call(cnvml_gi_get_info(l, gi, &info)) != CNVML_OK) return;
  for (uint32_t e = 0; e < 12; e++) {
    cnvml_ci_profile profile;
    if (call(cnvml_ci_profile_by_enum(l, gi, e, &profile)) != CNVML_OK) continue;
    cnvml_ci found[16];
    uint32_t count = 16;
    if (call(cnvml_ci_list(l, gi, profile.id, found, &count)) != CNVML_OK) continue;
    for (uint32_t i = 0; i < count && i < 16; i++) {
      cnvml_ci_info ci;
      cnvml_ci again;
      expect(call(cnvml_ci_get_info(l, found[i], &ci)) == CNVML_OK, "a listed compute instance can be read");
      expect(call(cnvml_ci_by_id(l, gi, ci.id, &again)) == CNVML_OK && again == found[i], "and is found by its id");
      read_device(l, ci.device);
    }
  }
}

static void change(const cnvml_library *l, cnvml_device d) {
  cnvml_gi_profile profile;
  if (call(cnvml_gi_profile_by_enum(l, d, draw(20), &profile)) != CNVML_OK) return;
  cnvml_gi found[32];
  uint32_t count = 32;
  call(cnvml_gi_list(l, d, profile.id, found, &count));
  switch (draw(4)) {
  case 0:
  case 1: {
    cnvml_gi gi;
    cnvml_ci ci;
    cnvml_placement place = {draw(9), draw(3) ? 1u << draw(4) : draw(9)};
    if (call(cnvml_gi_create(l, d, profile.id, place, &gi)) != CNVML_OK) return;
    call(cnvml_ci_create(l, gi, draw(9), &ci));
    read_instance(l, gi);
    return;
  }
  case 2: {
    if (count == 0 || count > 32) return;
    cnvml_gi gi = found[draw(count)];
    for (uint32_t id = 0; id < 8; id++) {
      cnvml_ci ci;
      if (call(cnvml_ci_by_id(l, gi, id, &ci)) == CNVML_OK) call(cnvml_ci_destroy(l, ci));
    }
    call(cnvml_gi_destroy(l, gi));
    // Its handle is stale now and must be known for that.
    read_instance(l, gi);
    return;
  }
  default: {
    cnvml_placement places[16];
    count = 16;
    call(cnvml_gi_placements(l, d, profile.id, draw(2) ? places : NULL, &count));
    int activation;
    if (draw(16) == 0) call(cnvml_set_mig_mode(l, d, draw(2), &activation));
  }
  }
}

static void walk(const cnvml_library *l) {
  uint32_t devices = 0;
  expect(call(cnvml_device_count(l, &devices)) == CNVML_OK && devices > 0, "there are GPUs");
  for (int round = 0; round < 400; round++) {
    cnvml_device d = NULL;
    uint32_t index = draw(devices + 1);
    int code = call(cnvml_device_by_index(l, index, &d));
    expect((code == CNVML_OK) == (index < devices), "the GPUs are those that were counted");
    if (code != CNVML_OK) continue;
    char uuid[96];
    cnvml_device again;
    read_device(l, d);
    call(cnvml_device_uuid(l, d, uuid, sizeof uuid));
    expect(call(cnvml_device_by_uuid(l, uuid, &again)) == CNVML_OK && again == d, "a GPU is found by its UUID");
    expect(call(cnvml_device_by_uuid(l, "GPU-none", &again)) != CNVML_OK, "no other is");
    change(l, d);
  }
  void *set = NULL;
  cnvml_event event;
  expect(call(cnvml_events_create(l, &set)) == CNVML_OK, "events can be collected");
  cnvml_device first;
  call(cnvml_device_by_index(l, 0, &first));
  expect(call(cnvml_events_register(l, first, CNVML_EVENT_XID, set)) == CNVML_OK, "of errors");
  expect(call(cnvml_events_wait(l, set, &event, 1)) == CNVML_TIMEOUT, "none comes");
  call(cnvml_events_free(l, set));
  expect(call(cnvml_events_wait(l, set, &event, 1)) == CNVML_INVALID_ARGUMENT, "a freed set tells nothing");
}

static void spawn_and_wait(void) {
  int ends[2], status = 0;
  pid_t pid;
  expect(csp_pipe(ends) == 0, "a pipe");
  const int stdio[3] = {ends[0], ends[1], ends[1]};
  char *const argv[] = {"true", NULL};
  expect(csp_spawn("true", argv, NULL, stdio, "/", true, &pid) == 0, "a child");
  int fd = csp_pidfd(pid);
  expect(waitpid(pid, &status, 0) == pid && status == 0, "it ends");
  if (fd >= 0) close(fd);
  expect(csp_spawn("/nowhere/true", argv, NULL, stdio, NULL, false, &pid) != 0, "no child of nothing");
  close(ends[0]);
  close(ends[1]);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  state = strtoull(argv[2], NULL, 10);
  char message[256];
  expect(!cnvml_open("/nowhere/libnvidia-ml.so.1", message, sizeof message) && message[0], "no library, a reason");
  for (int life = 0; life < 3; life++) {
    cnvml_library *l = cnvml_open(argv[1], message, sizeof message);
    if (!l) {
      printf("%s\n", message);
      return 1;
    }
    char text[80];
    int cuda;
    expect(call(cnvml_driver_version(l, text, sizeof text)) == CNVML_UNINITIALIZED, "nothing before init");
    expect(call(cnvml_init(l)) == CNVML_OK, "init");
    expect(call(cnvml_driver_version(l, text, sizeof text)) == CNVML_OK && strstr(text, "SIMULATED"), "labelled");
    call(cnvml_cuda_version(l, &cuda));
    call(cnvml_process_name(l, 1, text, sizeof text));
    walk(l);
    call(cnvml_shutdown(l));
    cnvml_close(l);
  }
  cnvml_close(NULL);
  spawn_and_wait();
  printf("%lu calls\n", calls);
  return 0;
}
