#!/usr/bin/env bash
# What only a changed GPU can show. Runs with PARVA_MAY_CHANGE_GPU=1 alone, on the GPU that PARVA_GPU names (a UUID), which
# must be empty; it makes and destroys instances there. MIG mode is changed only with PARVA_MAY_CHANGE_MODE=1 as well.
set -uo pipefail
if [ "${PARVA_MAY_CHANGE_GPU:-}" != 1 ]; then
  echo "SKIP: PARVA_MAY_CHANGE_GPU=1 was not given"
  exit 0
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
gpu=${PARVA_GPU:-}
if [ -z "$gpu" ] || ! nvidia-smi -i "$gpu" -L >/dev/null 2>&1; then
  echo "SKIP: PARVA_GPU names no GPU of this machine"
  exit 0
fi
state=$(mktemp -d)
failed=0
# The records say which instances are Parva's: they go only where none stands any more.
forget() {
  if [ -z "$(nvidia-smi mig -i "$gpu" -lgi 2>/dev/null | grep MIG)" ]; then
    rm -rf "$state"
  else
    echo "KEPT: instances stand on $gpu; $PARVA node apply --state-dir $state/node with a plan without GPUs ends them"
  fi
}
trap forget EXIT

plan() { # REVISION PROFILE:START...
  local revision=$1 list="" place
  shift
  for place in "$@"; do list+="${list:+, }{ \"profileId\": ${place%:*}, \"start\": ${place#*:} }"; done
  printf '{ "revision": %d, "gpus": [{ "uuid": "%s", "instances": [%s] }] }\n' "$revision" "$gpu" "$list" \
    >"$state/plan-$revision.json"
}
apply() { # NAME REVISION [OPTION...]
  local name=$1 revision=$2
  shift 2
  timed "$name" "$PARVA" node apply --state-dir "$state/node" -f "$state/plan-$revision.json" "$@" && return
  echo "   FAILED: $name"
  failed=1
}

if [ "${PARVA_MAY_CHANGE_MODE:-}" = 1 ]; then
  look persistenced "the mode changes with it running" sh -c 'pgrep -a nvidia-persiste; true'
  timed mode-on nvidia-smi -i "$gpu" -mig 1
fi
if nvidia-smi mig -i "$gpu" -lgi >/dev/null 2>&1; then
  echo "SKIP: instances stand on $gpu already"
  exit 0
fi
# Three small instances twice, in different orders: ids and UUIDs are bound to the place.
small=$("$PARVA" node state -o json | python3 -c '
import json, sys
gpu = next(g for g in json.load(sys.stdin)["gpus"] if g["uuid"] == sys.argv[1])
one = min((p for p in gpu["profiles"] if len(p["starts"]) >= 3), key=lambda p: (p["computeSlices"], p["size"], p["id"]))
print(*(str(one["id"]) + ":" + str(start) for start in one["starts"][:3]))' "$gpu") || exit 1
read -r a b c <<<"$small"
plan 2 "$a" "$b" "$c"
plan 3
plan 4 "$c" "$a"
plan 5 "$c" "$a" "$b"
apply three-at-once 2
look ids-first "halves 1 and 2, quarters 3 to 6, eighths from 7" nvidia-smi mig -lgi
look uuids-first "a hash of the GPU and both ids" nvidia-smi -L
apply empty 3
apply two-in-another-order 4
apply the-third-again 5
look ids-second "the same ids at the same places" nvidia-smi mig -lgi
look uuids-second "the same UUIDs at the same places" nvidia-smi -L
# Drivers up to R460 write MIG-GPU-UUID/GI/CI.
uuids() { grep -o 'MIG-[^)]*' "$OUT/$1.txt" | sort -u; }
if [ "$(uuids uuids-first | wc -l)" != 3 ] || [ "$(uuids uuids-second | wc -l)" != 3 ]; then
  echo "   FAILED: three instances were to stand, both times"
  failed=1
elif diff <(uuids uuids-first) <(uuids uuids-second) >/dev/null; then
  echo "   the UUIDs are bound to the place, as the stand-in has them"
else
  echo "   DIFFERS: the UUIDs are not bound to the place"
fi
# An instance goes right after its CUDA client was killed, where there is one to kill.
if [ -n "${PARVA_CUDA_PROGRAM:-}" ]; then
  device=$(grep -o 'MIG-[0-9a-f-]*' "$OUT/uuids-second.txt" | head -1)
  CUDA_VISIBLE_DEVICES=$device "$PARVA_CUDA_PROGRAM" &
  client=$!
  for _ in $(seq 100); do nvidia-smi | grep -q " $client " && break; done
  kill -9 "$client"
  wait "$client" 2>/dev/null
fi
plan 6
apply destroy-after-a-death 6
look dcgm "a destroy is in use while it looks, for some seconds" sh -c 'systemctl is-active nvidia-dcgm dcgm-exporter; true'
# The same through nvidia-smi.
plan 7 "$a" "$b"
plan 8
apply smi-create 7 --driver nvidia-smi
apply smi-destroy 8 --driver nvidia-smi
printf '\nEverything is in %s, times in times.txt.\n' "$OUT"
exit "$failed"
