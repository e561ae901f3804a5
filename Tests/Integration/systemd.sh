#!/usr/bin/env bash
# The units are valid and their sandboxes tight, by systemd's own judgement.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

if ! command -v systemd-analyze >/dev/null || ! systemd-analyze security --help 2>/dev/null | grep -e --offline >/dev/null; then
  skip "the systemd units are valid" "there is no systemd-analyze that judges files"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The largest exposure allowed, of 10. What the agent's servers need (devices, groups, writable code) costs the rest.
for unit in parva:1.5 parva-node:2.5 parva-node-prepare:5.5; do
  name=${unit%:*}
  # verify wants the programs to be there.
  sed "s#/usr/bin/parva#$PARVA#; s#/usr/lib/parva/#$PWD/packaging/#; s#/sbin/modprobe#/bin/true#" \
    "packaging/$name.service" >"$work/$name.service"
  if said=$(systemd-analyze verify "$work/$name.service" 2>&1) && [ -z "$said" ]; then
    pass "packaging/$name.service is valid"
  else
    printf '%s\n' "$said"
    fail "packaging/$name.service is valid"
  fi
  exposure=$(systemd-analyze security --offline=true --no-pager "$work/$name.service" 2>/dev/null |
    sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
  printf '  exposure %s of 10\n' "$exposure"
  if awk -v e="${exposure:-10}" -v most="${unit#*:}" 'BEGIN { exit !(e <= most) }'; then
    pass "packaging/$name.service has a tight sandbox"
  else
    fail "packaging/$name.service has a tight sandbox"
  fi
done
# Every option that a unit gives is one that the program has.
for unit in parva parva-node parva-node-prepare; do
  case $unit in
  parva) help=$("$PARVA" serve --help) ;;
  parva-node) help=$("$PARVA" node run --help) ;;
  *) help=$("$PARVA" node prepare --help) ;;
  esac
  missing=""
  for option in $(sed -n 's/^ExecStart=//p' "packaging/$unit.service" | grep -o -- '--[a-z-]*'); do
    grep -q -- "$option" <<<"$help" || missing+=" $option"
  done
  if [ -z "$missing" ]; then pass "packaging/$unit.service uses options that exist"; else
    printf ' %s\n' "$missing"
    fail "packaging/$unit.service uses options that exist"
  fi
done

# The drop-in is read by the unit that it belongs to.
mkdir -p "$work/drop/parva-node.service.d"
cp "$work/parva-node.service" "$work/drop/"
cp packaging/parva-node-mode.conf "$work/drop/parva-node.service.d/mode.conf"
if said=$(systemd-analyze verify "$work/drop/parva-node.service" 2>&1) && [ -z "$said" ]; then
  pass "packaging/parva-node-mode.conf is valid"
else
  printf '%s\n' "$said"
  fail "packaging/parva-node-mode.conf is valid"
fi

# What the units promise each other, with the users and capabilities that they set and device nodes that stand in.
users="points 1 to 4: an agent without root makes instances once the machine is prepared"
modes="points 3 and 4: the mode is changed with CAP_SYS_ADMIN and refused without"
nobody() { setpriv --reuid=61234 --regid=61235 --clear-groups "$@"; }
if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
  skip "$users" "it takes root and setpriv"
elif ! nobody "$PARVA" node --help >/dev/null 2>&1; then
  skip "$users" "other users cannot start $PARVA"
else
  state=$work/state user=61234 group=61235
  chmod 755 "$work"
  unit() { # CAPABILITIES COMMAND...: as parva-node.service runs it
    local capabilities=$1
    shift
    setpriv --reuid=$user --regid=$group --clear-groups --no-new-privs --inh-caps="$capabilities" \
      --ambient-caps="$capabilities" --bounding-set="$capabilities" "$@"
  }
  verb() { # VERB...: on one simulated machine that asks for capability nodes
    local verb=$1
    shift
    printf '%s\n' "$PARVA" node "$verb" --simulate "${machine:-A100-80GBx1+caps}" --name unit --state-dir "$state" "$@"
  }
  run() { # CAPABILITIES VERB ...
    local words capabilities=$1
    shift
    mapfile -t words < <(verb "$@")
    unit "$capabilities" "${words[@]}"
  }
  install -d -o $user -g $group -m 700 "$state"
  run -all state -o json >"$work/state.json" 2>/dev/null
  uuid=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["gpus"][0]["uuid"])' "$work/state.json")
  printf '{ "revision": 1, "gpus": [{ "uuid": "%s", "instances": [{ "profileId": 9, "start": 0 }] }] }\n' "$uuid" \
    >"$work/wanted.json"
  # The nodes are root's, so that the agent cannot make them itself.
  chown root:root "$state/simulated/dev/nvidia-caps"
  run -all apply -f "$work/wanted.json" >"$work/before" 2>&1
  before=$?
  run -all doctor >"$work/doctor-before" 2>&1
  doctor_before=$?
  mapfile -t prepare < <(verb prepare --group $group)
  "${prepare[@]}" >"$work/prepared" 2>&1
  prepared=$?
  run -all apply -f "$work/wanted.json" >"$work/after" 2>&1
  after=$?
  run -all doctor >"$work/doctor-after" 2>&1
  doctor_after=$?
  if [ "$before $doctor_before $prepared $after $doctor_after" = "4 4 0 0 0" ] &&
    grep -q no_permission "$work/before" && grep -q 'prepare' "$work/doctor-before"; then
    pass "$users"
  else
    echo "before $before, doctor $doctor_before, prepared $prepared, after $after, doctor $doctor_after"
    head -20 "$work/before" "$work/doctor-before" "$work/prepared" "$work/after" "$work/doctor-after"
    fail "$users"
  fi
  # Another user of the machine has no part in it.
  group=61299
  printf '{ "revision": 2, "gpus": [] }\n' >"$work/none.json"
  if run -all apply -f "$work/none.json" >"$work/other" 2>&1 || ! grep -q no_permission "$work/other"; then
    cat "$work/other"
    fail "point 1: who is not of the group changes nothing"
  else
    pass "point 1: who is not of the group changes nothing"
  fi
  group=61235
  # The mode takes CAP_SYS_ADMIN and not a user.
  if ! unit +sys_admin true 2>/dev/null; then
    skip "$modes" "this root has no CAP_SYS_ADMIN to give"
  else
    rm -rf "$state"
    machine=H100-80GB-SXMx1+caps
    install -d -o $user -g $group -m 700 "$state"
    run -all state -o json >"$work/state.json" 2>/dev/null
    rm "$state/simulated/state" # a reboot: Hopper forgets its mode
    uuid=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["gpus"][0]["uuid"])' "$work/state.json")
    printf '{ "revision": 1, "gpus": [{ "uuid": "%s", "instances": [{ "profileId": 9, "start": 0 }] }] }\n' "$uuid" \
      >"$work/wanted.json"
    mapfile -t prepare < <(verb prepare --group $group)
    "${prepare[@]}" >"$work/prepared" 2>&1
    chown -R $user:$group "$state/simulated/state" "$state/simulated/board" "$state/simulated/lock"
    run -all apply -f "$work/wanted.json" --manage-mig-mode >"$work/without" 2>&1
    without=$?
    run +sys_admin apply -f "$work/wanted.json" --manage-mig-mode >"$work/with" 2>&1
    with=$?
    if [ "$without $with" = "4 0" ] && grep -q no_permission "$work/without"; then
      pass "$modes"
    else
      echo "without $without, with $with"
      cat "$work/without" "$work/with"
      fail "$modes"
    fi
  fi
fi

# A group with controllers for its children takes no process; after release-groups it does, with the children alive.
groups="point 5: the agent's group takes the next agent while services live on below it"
tree=$work/cgroup
mkdir "$tree"
mounted=0
mount -t cgroup2 none "$tree" 2>/dev/null && mounted=1
given=$(grep -c . "$tree/cgroup.subtree_control" 2>/dev/null)
if [ "$mounted" -eq 0 ]; then
  skip "$groups" "no control group hierarchy of version 2 can be mounted"
elif controller=$(awk '{ print $1 }' "$tree/cgroup.controllers"); [ -z "$controller" ] ||
  ! echo "+$controller" >"$tree/cgroup.subtree_control" 2>/dev/null || ! mkdir "$tree/parva-test-$$" 2>/dev/null; then
  umount "$tree"
  skip "$groups" "no controller can be given to a group here"
else
  own=$tree/parva-test-$$
  mkdir "$own/service"
  sleep 600 &
  service=$!
  sleep 600 &
  agent=$!
  echo "$service" >"$own/service/cgroup.procs"
  echo "+$controller" >"$own/cgroup.subtree_control"
  refused=0 taken=0
  echo "$agent" 2>/dev/null >"$own/cgroup.procs" || refused=1
  packaging/release-groups "$own"
  echo "$agent" >"$own/cgroup.procs" && taken=1
  kill -0 "$service" && alive=1
  kill "$service" "$agent"
  wait "$service" "$agent" 2>/dev/null
  rmdir "$own/service" "$own"
  [ "$given" -gt 0 ] || echo "-$controller" >"$tree/cgroup.subtree_control"
  umount "$tree"
  if [ "$refused$taken${alive:-0}" = 111 ]; then pass "$groups"; else
    echo "refused $refused, taken $taken, service alive ${alive:-0}"
    fail "$groups"
  fi
fi
