/// What the files of the stand-in for nvidia-smi share.
#pragma once

#include "cnvml.h"

struct smi {
  cnvml_library *library;
  char folder[4096], driver[CNVML_VERSION_SIZE];
  /// First number of the driver's version.
  int branch;
  /// Tables are printed in a form that nobody knows.
  bool strange;
  uint32_t gpus;
  /// What `-i` names by its index; all GPUs where it is `gpus`.
  uint32_t only;
};

const char *smi_reason(int code);
bool smi_mig_on(const struct smi *s, cnvml_device device);
/// Whether the listing is about this GPU.
bool smi_chooses(const struct smi *s, uint32_t index);
/// Prints the line of the first GPU that cannot be reached and answers its code; nothing and 0 where all can.
int smi_lost(const struct smi *s);
/// Without the `MIG ` of newer libraries; of a profile that has no name, one made of its slices and memory.
const char *smi_name(const cnvml_gi_profile *profile);

/// Each answers the program's exit status.
int smi_list(const struct smi *s);
int smi_query(const struct smi *s, const char *fields);
int smi_overview(const struct smi *s);
int smi_list_profiles(const struct smi *s);
int smi_list_placements(const struct smi *s);
int smi_list_instances(const struct smi *s);
int smi_list_computes(const struct smi *s);
