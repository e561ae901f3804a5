#include "cnvml.h"

const char *cnvml_code_name(int code) {
  switch (code) {
  case CNVML_OK: return "success";
  case CNVML_UNINITIALIZED: return "uninitialized";
  case CNVML_INVALID_ARGUMENT: return "invalid_argument";
  case CNVML_NOT_SUPPORTED: return "not_supported";
  case CNVML_NO_PERMISSION: return "no_permission";
  case CNVML_ALREADY_INITIALIZED: return "already_initialized";
  case CNVML_NOT_FOUND: return "not_found";
  case CNVML_INSUFFICIENT_SIZE: return "insufficient_size";
  case CNVML_INSUFFICIENT_POWER: return "insufficient_power";
  case CNVML_DRIVER_NOT_LOADED: return "driver_not_loaded";
  case CNVML_TIMEOUT: return "timeout";
  case CNVML_IRQ_ISSUE: return "irq_issue";
  case CNVML_LIBRARY_NOT_FOUND: return "library_not_found";
  case CNVML_FUNCTION_NOT_FOUND: return "function_not_found";
  case CNVML_CORRUPTED_INFOROM: return "corrupted_inforom";
  case CNVML_GPU_IS_LOST: return "gpu_is_lost";
  case CNVML_RESET_REQUIRED: return "reset_required";
  case CNVML_OPERATING_SYSTEM: return "operating_system";
  case CNVML_LIB_RM_VERSION_MISMATCH: return "lib_rm_version_mismatch";
  case CNVML_IN_USE: return "in_use";
  case CNVML_MEMORY: return "memory";
  case CNVML_NO_DATA: return "no_data";
  case CNVML_VGPU_ECC_NOT_SUPPORTED: return "vgpu_ecc_not_supported";
  case CNVML_INSUFFICIENT_RESOURCES: return "insufficient_resources";
  case CNVML_FREQ_NOT_SUPPORTED: return "freq_not_supported";
  case CNVML_ARGUMENT_VERSION_MISMATCH: return "argument_version_mismatch";
  case CNVML_DEPRECATED: return "deprecated";
  case CNVML_NOT_READY: return "not_ready";
  case CNVML_GPU_NOT_FOUND: return "gpu_not_found";
  case CNVML_INVALID_STATE: return "invalid_state";
  case CNVML_RESET_TYPE_NOT_SUPPORTED: return "reset_type_not_supported";
  default: return "unknown";
  }
}
