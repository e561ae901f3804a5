#!/usr/bin/env bash
# The first look at a machine with real GPUs: nothing is changed. Skips where there is no driver.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

look doctor "every check ok on a guarded simulated machine whose nodes were prepared" "$PARVA" node doctor
look doctor-json "the same as JSON" "$PARVA" node doctor -o json
look mig-mode "Ampere keeps it over a reboot, Hopper and later do not" nvidia-smi -q -d MIG
look devices "nvidia, nvidia-caps and nvidia-uvm have numbers" grep -E 'nvidia' /proc/devices
look mig-minors "config 1, monitor 2, gpuN/giM/access, gpuN/giM/ciK/access" cat /proc/driver/nvidia-caps/mig-minors
look caps-nodes "plain files; config and monitor 0440 of the group, others 0444" ls -l /dev/nvidia-caps
look uvm "loaded before the agent starts" grep -E '^nvidia' /proc/modules
look config-capability "DeviceFileModify: 0 after parva node prepare" \
  cat /proc/driver/nvidia/capabilities/mig/config
look state "profiles of each GPU, no fault" "$PARVA" node state
look state-json "the same as JSON" "$PARVA" node state -o json
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  look state-as-nobody "profiles and no fault; instances unreadable without their nodes" \
    setpriv --reuid=65534 --regid=65534 --clear-groups "$PARVA" node state
fi
look state-smi "the same GPUs and instances, read through nvidia-smi" "$PARVA" node state --driver nvidia-smi
for listing in lgip lgipp lgi lci; do
  look "smi-$listing" "Tests/ParvaNodeTests/Driver/Listings holds the known forms" nvidia-smi mig "-$listing"
done
look smi-list "MIG devices in the order of their ids" nvidia-smi -L
look smi-overview "a table of processes with GI and CI" nvidia-smi
if command -v cc >/dev/null; then
  cc -std=c17 -D_GNU_SOURCE -ISources/CNVML/include Tests/Hardware/nvml_read.c Sources/CNVML/*.c -o "$OUT/nvml_read" -ldl &&
    look nvml-read "v3 and v2 agree; an unknown version is 25 from R545 on and 2 before; entries of 24 bytes" \
      "$OUT/nvml_read"
fi
for device in /dev/nvidia[0-9]* /dev/nvidiactl; do
  look "holders-$(basename "$device")" "none" fuser -v "$device"
done
rm -f "$OUT/nvml_read"
printf '\nEverything is in %s. Compare it with docs/hardware.md; serial numbers are in smi-overview and mig-mode.\n' "$OUT"
