/// The stand-in for libnvidia-ml.so.1: a simulated driver that answers NVML's symbols from files in its own folder.
///
/// Nothing here measures or controls hardware, and the driver version it reports says SIMULATED. The exported symbols are
/// NVML's own and are found by dlsym, so this header declares none of them. The folder is the one that the loaded file
/// lies in: a copy of the library is a machine of its own. Files in it, all of them line based text but `state`:
///
///   config     written before loading; `#` starts a comment. Lines, in this order:
///              `driver VERSION`, `cuda NUMBER`, `structs 1|2|3` (newest profile struct known, default 3),
///              `mismatch CODE` (the answer to a newer struct, default 25), `process-entry 24|32` (bytes, default 24),
///              `linger MILLISECONDS` (an instance is in use for so long after its last process was seen),
///              `resets 0` (a machine on which no GPU can be reset),
///              `product COMPUTE_SLICES AXIS RESET_NEEDED MEMORY_MIB BOARD NAME...`,
///              then `profile ENUM ID SLICES SIZE MAX MEMORY_MIB SMS START,START,... NAME` of that product,
///              `gpu PRODUCT_INDEX UUID MIG_MODE_OF_A_NEW_BOARD`.
///   state      instances and MIG modes. Shared by every process that loads this copy; removing it is a reboot.
///   board      MIG mode of products that keep it across a reboot, and the mark that the boards are no longer new.
///   silent     `UUID PID` per line: a process that keeps the GPU or MIG device and that no list shows.
///   dev/nvidia-caps, proc/driver/nvidia-caps/mig-minors
///              where that folder is there, each call asks for the capability nodes that the driver asks for, by opening
///              them: `config` to make and destroy, `monitor` for processes of MIG devices, `gpuN/giM/access` and
///              `gpuN/giM/ciK/access` to use an instance. Nothing makes missing ones, not for root either. Changing the
///              mode then takes CAP_SYS_ADMIN.
///   processes  `UUID PID MIB C|G|M NAME` per line: UUID of a GPU or of a MIG device. A pid above 4194304 is always alive.
///   faults     `fail|after SYMBOL NTH TIMES CODE` (before or after the call's effect), `kill|killed SYMBOL NTH` (SIGKILL
///              before or after it), `lose SYMBOL NTH GPU`, `delay SYMBOL|* MILLISECONDS`, `hang SYMBOL NTH MILLISECONDS`.
///              NTH counts calls of the symbol from 1, from when the file was written.
///   events     `GPU_INDEX XID GI CI` per line, GI and CI -1 outside MIG: errors that the GPUs report. Append to it; each
///              set of events tells those that came after it was made.
///   reset      `GPU_INDEX` per line: what `nvidia-smi -r` asks for; consumed by the next call, without effect while a
///              process has the library initialised. Handles and event sets from before a reset or a change of the mode
///              are dead, and so are event sets after the last nvmlShutdown.
#pragma once
