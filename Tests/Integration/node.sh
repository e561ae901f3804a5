#!/usr/bin/env bash
# The node's local verbs on simulated machines, as an operator uses them.
# usage: PARVA=PATH node.sh; prints `ok - NAME` and `not ok - NAME` lines, one a check.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
in_empty_folder

node() { # VERB...: on the machine in ./state
  local verb=$1
  shift
  "$PARVA" node "$verb" --simulate "${machine:-A100-80GBx2}" --name n1 --state-dir "$work/${state:-state}" "$@"
}
uuid() { node state -o json 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["gpus"][0]["uuid"])'; }
plan() { # REVISION PROFILE:START...: a file of that name
  local instances=''
  for place in "${@:2}"; do instances+="${instances:+,}{\"profileId\":${place%:*},\"start\":${place#*:}}"; done
  printf '{"revision":%d,"gpus":[{"uuid":"%s","instances":[%s]}]}' "$1" "$gpu" "$instances" >"$1.json"
}
gpu=$(uuid)

# --- names
for name in Node-1 -a 'a b' ''; do
  check "a node named '$name' is refused" code 2 "$PARVA" node state --simulate A100-80GBx1 --name "$name" --state-dir "$work/names"
done
for name in dgx-a100@ @570 dgx-a100@none; do
  check "a machine named '$name' is refused" code 2 "$PARVA" node state --simulate "$name" --state-dir "$work/names"
done
check 'and nothing was made for them' test ! -e names
for group in 4294967295 4294967296 -1 no-such-group ''; do
  check "a group '$group' is refused" code 2 node prepare --group="$group"
done

# --- revisions
plan 5 9:0
check 'a plan is applied' code 0 node apply -f 5.json
plan 4 9:4
check 'an older one is refused' code 4 node apply -f 4.json
check 'by the name that it has over HTTP' says err 'revision_stale: '
check 'and so is a look at its steps' code 4 node apply -f 4.json --dry-run
plan 5 14:4
check 'the same number with other contents is refused' code 4 node apply -f 5.json
check 'by its name' says err 'revision_conflict: '
check '--force applies it under a number of its own' code 0 node apply -f 5.json --force
check 'and says which' says out 'verified: revision 6, 1 instances'
node export >exported.json 2>/dev/null
check 'what is exported can be applied' code 0 node apply -f exported.json
check 'and changes nothing' says out 'verified: revision 7, 1 instances'

# --- looking changes nothing
cp state/simulated/config before
check 'a look at another machine in the same folder is refused' code 2 env bash -c \
  '"$PARVA" node state --simulate A100-80GBx3 --name n1 --state-dir "$0/state"' "$work"
check 'with a code' says err 'simulated_machine_differs: '
check 'and the machine that is there stays' cmp before state/simulated/config

# --- killed in the middle
plan 8 9:0 14:4
printf 'kill nvmlGpuInstanceCreateComputeInstance 1\n' >state/simulated/faults
node apply -f 8.json >out 2>err
check 'an apply that was killed did not end' test $? -gt 4
rm state/simulated/faults
check 'what it had made shows' code 0 node state
check 'as ours and unfinished' says out 'parva, unfinished'
check 'and nothing shows as foreign' bash -c '! grep -q foreign out'
check 'what is left to do is told' code 4 node diff -f 8.json
check 'without calling it foreign' bash -c '! grep -q foreign err && grep -q "create compute instance" out'
check 'an assertion fails for the steps alone' code 4 node assert -f 8.json
check 'and says how many' says err '1 steps are needed'
check 'the doctor tells of it' code 0 node doctor
check 'by its revision' says out 'revision 8 has not come to its end'
check 'the next apply ends it' code 0 node apply -f 8.json
check 'and all is as wanted' code 0 node assert -f 8.json

# --- records that something else changed
cp state/verified.json saved && echo '{}' >state/verified.json
check 'GPUs are shown without records, and it fails' code 1 node state
check 'with nobody named as the owner' says out 'owner unknown'
check 'and with what is wrong' says err 'records_damaged: '
check 'the doctor stops there' code 4 node doctor
check 'an agent does not start on them' code 1 timeout 60 "$PARVA" node run --simulate A100-80GBx2 --name n1 \
  --state-dir "$work/state" --listen 127.0.0.1:0 --insecure
cp saved state/verified.json

# --- a driver that does not answer
printf 'fail nvmlInit_v2 1 99 9\n' >state/simulated/faults
check 'the doctor says that the driver does not answer' code 4 node doctor
check 'and what mends it' says out 'modprobe nvidia'
check 'a look fails in words' code 1 node state
rm state/simulated/faults

# --- a MIG mode that cannot be read is no proof that instances are gone
for driver in nvml nvidia-smi; do
  printf 'fail nvmlDeviceGetMigMode 1 99 999\n' >state/simulated/faults
  node apply --driver $driver -f 8.json >/dev/null 2>&1
  rm state/simulated/faults
  check "what was ours is ours after the mode could not be read: $driver" code 0 node state --driver $driver
  check 'none of it foreign' bash -c '! grep -q foreign out'
done

# --- root beside an agent with less power
if [ "$(id -u)" -eq 0 ]; then
  mkdir -p owned && node state >/dev/null 2>&1
  state=owned
  node state >/dev/null 2>&1
  chown 61234:61234 owned
  node export >owned.json 2>/dev/null
  check 'root applies in the folder of another user' code 0 node apply -f owned.json
  for file in lock verified.json journal.jsonl; do
    check "$file is that user's" test "$(stat -c %u owned/$file)" = 61234
  done
  state=state
fi

# --- a lost GPU, through both drivers
for driver in nvml nvidia-smi; do
  for release in 470 550 580; do
    (
      machine=A100-80GBx3@$release state=lost-$driver-$release
      node state >/dev/null 2>&1
      plan 1 9:4
      sed -i "s/$gpu/$(node state -o json 2>/dev/null | python3 -c \
        'import json, sys; print(json.load(sys.stdin)["gpus"][1]["uuid"])')/" 1.json
      node apply -f 1.json >/dev/null 2>&1
      check "what is applied is as the file says: $driver, R$release" code 0 node assert -f 1.json
      printf 'lose nvmlDeviceGetName 1 1\n' >"$state/simulated/faults"
      node state >/dev/null 2>&1
      rm "$state/simulated/faults"
      check "a lost GPU stops the doctor: $driver, R$release" code 4 node doctor --driver $driver
      check 'of instances on it nothing is asserted' code 4 node assert -f 1.json
      check 'in words' says err 'does not answer'
      node doctor --driver $driver >out 2>err
      check 'which names it' grep -q '^stop  gpu .*GPU 1.*gpu_is_lost' out
    )
  done
done

exit "$bad"
