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

# --- usage
for verb in run state apply assert diff export doctor prepare; do
  for arguments in --help --no-such-option; do
    "$PARVA" node $verb $arguments >usage 2>&1
    check "the usage of $verb is whole: $arguments" grep -qiE "^usage: parva node $verb( |$)" usage
  done
done
for verb in state doctor export prepare; do
  "$PARVA" node $verb --simulate none --state-dir "$work/names" >usage 2>&1
  check "and so it is where a value is wrong: $verb" grep -qE "^Usage: parva node $verb " usage
done

# --- simulated machines
state=passing
check 'a look of the doctor ends well' code 0 node doctor
check 'and leaves no folder' test ! -e passing
check 'a machine that asks for no capability nodes is prepared' code 0 node prepare
check 'without a module' bash -c '! grep -q modprobe out err && grep -q "+caps" out'
machine=A100-80GBx1+caps state=guarded
check 'one that asks for them is stopped without' code 4 node doctor
check 'and told what makes them' says out 'parva node prepare'
check 'which does' code 0 node prepare
check 'so that nothing stops it' code 0 node doctor
unset machine
state=state

# --- what is no file
for name in journal.jsonl verified.json services/server-x.json; do
  state=odd
  mkdir -p odd/services
  mkfifo "odd/$name"
  check "a pipe as $name stops the doctor" code 4 timeout 60 "$PARVA" node doctor --simulate A100-80GBx1 --name n1 --state-dir odd
  check 'which says what it is' says out 'a pipe'
  check 'and no agent starts on it' code 1 timeout 60 "$PARVA" node run --simulate A100-80GBx1 --name n1 \
    --state-dir odd --listen 127.0.0.1:0 --insecure
  rm -r odd
  state=state
done

# --- a disk without room, where one can be made
cat >full.sh <<'END'
mount -t tmpfs -o size=8m none disk || exit 99
node() { "$PARVA" node "$@" --simulate A100-80GBx1 --name n1 --state-dir disk/state; }
node doctor >disk.roomy 2>&1 || exit 8
node state >/dev/null 2>&1 || exit 2
dd if=/dev/zero of=disk/filler bs=64k >/dev/null 2>&1
ls -A disk disk/state >before
node doctor >disk.full 2>&1
[ $? -eq 4 ] || exit 3
ls -A disk disk/state | cmp -s before - || exit 4
node apply -f 1.json >disk.apply 2>&1 && exit 5
rm -r disk/state
dd if=/dev/zero of=disk/more bs=4k >/dev/null 2>&1
node state >disk.state 2>&1 && exit 6
mount -o remount,ro disk || exit 99
node doctor >disk.readonly 2>&1
[ $? -eq 4 ] || exit 7
END
mkdir -p disk
plan 1 9:0
unshare -rm bash full.sh 2>/dev/null
case $? in
  0)
    pass 'a full disk stops the doctor, which leaves nothing there'
    check 'a disk with room is said to have it' grep -q '^ok    state_dir' disk.roomy
    check 'in words' grep -q '^stop  state_dir .*No space left' disk.full
    check 'with what mends it' says disk.full 'df -i'
    check 'an apply there says why it fails' grep -qi 'cannot be written: .*space' disk.apply
    check 'and so does a look at a simulated machine' grep -qi 'cannot be .*space' disk.state
    check 'one for reading alone is said to be that' grep -q '^stop  state_dir .*Read-only' disk.readonly
    ;;
  99 | 1) skip 'a full disk stops the doctor' 'no disk of its own can be mounted here' ;;
  *) fail "a full disk stops the doctor (step $?)" && bad=1 ;;
esac

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
check 'and what mends it, which is no real module' bash -c 'grep -q simulated/faults out && ! grep -q modprobe out'
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

# --- GPUs without MIG, as wholes
machine=L40S-48GBx2 state=whole
gpu=$(uuid)
plan 1 0:0
check 'a GPU without MIG is given away as a whole' code 0 node apply -f 1.json
check 'and read back' says out 'verified: revision 1, 1 instances'
check 'the record of it outlives the program' code 0 node assert -f 1.json
plan 2 9:0
check 'it has no other place' code 4 node apply -f 2.json
plan 2
check 'it is taken back' code 0 node apply -f 2.json
check 'and then nothing stands there' says out 'verified: revision 2, 0 instances'
unset machine state
gpu=$(uuid)

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
      check "a lost GPU stops no apply: $driver, R$release" code 0 node doctor --driver $driver
      check 'of instances on it nothing is asserted' code 4 node assert -f 1.json
      check 'in words' says err 'does not answer'
      node doctor --driver $driver >out 2>err
      check 'the doctor names it' grep -q '^warn  gpu .*GPU 1.*gpu_is_lost' out
      check 'what stands there may be applied again' code 0 node apply -f 1.json --force
      check 'the state tells what is on record there' code 0 node state
      check 'by its name' grep -q '^LOST  GPU-.*9 at 4' out
      check 'an export keeps it' code 0 node export
      check 'and says so' says err 'as they are on record'
      mv out exported.json
      check 'and what is exported can be applied' code 0 node apply -f exported.json
    )
  done
done

exit "$bad"
