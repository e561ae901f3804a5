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
};

const char *smi_reason(int code);
bool smi_mig_on(const struct smi *s, cnvml_device device);
/// Whether `-i NAME` means the GPU with this index; without a name every GPU is meant.
bool smi_chooses(const struct smi *s, const char *name, uint32_t index);
/// Without the `MIG ` of newer libraries; of a profile that has no name, one made of its slices and memory.
const char *smi_name(const cnvml_gi_profile *profile);

/// Each answers the program's exit status.
int smi_list(const struct smi *s);
int smi_query(const struct smi *s, const char *fields);
/// Of the GPU that `only` names, or of all.
int smi_overview(const struct smi *s, const char *only);
int smi_list_profiles(const struct smi *s);
int smi_list_placements(const struct smi *s);
int smi_list_instances(const struct smi *s);
int smi_list_computes(const struct smi *s);
