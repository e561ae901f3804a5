#!/usr/bin/env bash
# scripts/run shows the plan, keeps serving, and ends with Ctrl-C. It runs the binary under test instead of building one.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh
work=$(mktemp -d)
# Three in a row that nobody listens on, below those that the kernel gives to connections.
is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=$((20000 + RANDOM % 12000))
until is_free "$port" && is_free $((port + 1)) && is_free $((port + 2)); do port=$((20000 + RANDOM % 12000)); done
server=""
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

start() {
  # A background job of a script ignores SIGINT; setsid does not mend that, so the job is told to heed it again.
  : >"$work/out"
  PORT=$port PARVA_STATE=$work/state python3 -c \
    'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp("scripts/run", ["scripts/run"])' \
    >"$work/out" 2>"$work/err" &
  server=$!
  for _ in $(seq 600); do
    grep -q 'until Ctrl-C' "$work/out" && return 0
    kill -0 "$server" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

check() { if "${@:2}"; then pass "$1"; else
  fail "$1"
  cat "$work/out" "$work/err" 2>/dev/null
fi; }
# No `grep -q` after a pipe: it would end before the writer does, which pipefail takes for a failure.
shows_fleet() {
  [ "$(grep -c 'simulated: no hardware) · ready · plan revision [0-9]* verified' "$work/out")" -eq 2 ] &&
    sed -n '/read back from the drivers/,$p' "$work/out" | grep '│.*resnet50' >/dev/null
}
draws() { grep -q 'A100-80GB' "$work/out" && grep -q 'resnet50' "$work/out" && grep -q 'modelled' "$work/out"; }
serves() {
  for _ in $(seq 300); do
    curl -sf "http://127.0.0.1:$port/v1/workloads/bert" | grep '"served"' >/dev/null && return
    sleep 0.1
  done
  return 1
}
ends() {
  kill -INT "$server"
  wait "$server"
  [ $? -eq 0 ] || return 1
  for listener in "$port" $((port + 1)) $((port + 2)); do
    ! curl -s -o /dev/null "http://127.0.0.1:$listener/healthz" || return 1
  done
}
refuses_taken_port() {
  local status
  PORT=$port PARVA_STATE=$work/other scripts/run >/dev/null 2>"$work/second"
  status=$?
  [ "$status" -eq 2 ] && grep -q "port $port is taken" "$work/second"
}

check 'scripts/run starts the controller and registers the example' start
check 'scripts/run draws the plan and says that the profiles are modelled' draws
check 'scripts/run shows both simulated nodes with the plan verified' shows_fleet
check 'scripts/run keeps serving' serves
check 'scripts/run says when its port is taken' refuses_taken_port
check 'scripts/run ends with Ctrl-C, and the controller and the nodes with it' ends
check 'scripts/run starts again over the store of the last time' start
check 'scripts/run finds the workloads of the last time' grep -q 'earlier run' "$work/out"
check 'scripts/run shows the fleet of the last time' shows_fleet
check 'scripts/run ends once more' ends
