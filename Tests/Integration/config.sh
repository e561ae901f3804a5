#!/usr/bin/env bash
# Options from the command line, the environment and a file, in this order of precedence.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$folder"' EXIT

is() { # NAME EXPECTED ACTUAL
  if [ "$2" = "$3" ]; then pass "$1"; else
    fail "$1"
    printf '  expected: %s\n  actual:   %s\n' "$2" "$3"
  fi
}
printed() { "$PARVA" "$@" --print-config 2>&1; }
line() { # OPTION OF TEXT
  printf '%s\n' "$2" | grep "^$1: "
}

cat >"$folder/serve.yaml" <<YAML
listen: [unix:$folder/socket]
store: $folder/from-file.sqlite
auto-apply: true
access-log: false
heartbeat: 5
max-unavailable: 10%
log-level: warning
observe:
  - http://127.0.0.1:9901
  - http://127.0.0.1:9902
YAML
export PARVA_SERVE_CONFIG=$folder/serve.yaml
text=$(printed serve)
is "the file that the environment names is read" "heartbeat: '5'  # $folder/serve.yaml" "$(line heartbeat "$text")"
is "a flag is on where the file says so" "auto-apply: true  # $folder/serve.yaml" "$(line auto-apply "$text")"
is "a flag that is off is not there" "" "$(line access-log "$text")"
is "a list is kept" "observe: [http://127.0.0.1:9901, http://127.0.0.1:9902]  # $folder/serve.yaml" "$(line observe "$text")"
is "what nobody sets has its default" "placement: spread  # the default" "$(line placement "$text")"
text=$(PARVA_SERVE_HEARTBEAT=7 PARVA_SERVE_ACCESS_LOG=true PARVA_SERVE_AUTO_APPLY=no printed serve)
is "the environment comes before the file" "heartbeat: '7'  # PARVA_SERVE_HEARTBEAT" "$(line heartbeat "$text")"
is "a flag comes from the environment" "access-log: true  # PARVA_SERVE_ACCESS_LOG" "$(line access-log "$text")"
is "the environment can turn a flag of the file off" "" "$(line auto-apply "$text")"
text=$(PARVA_SERVE_HEARTBEAT=7 printed serve --heartbeat 9 --observe http://127.0.0.1:1)
is "the command line comes before the environment" "heartbeat: '9'  # the command line" "$(line heartbeat "$text")"
is "a list of the command line replaces that of the file" "observe: [http://127.0.0.1:1]  # the command line" "$(line observe "$text")"
printed serve | sed 's/  #.*//' >"$folder/again.yaml"
is "what is printed is a configuration file with the same meaning" \
  "$(printed serve | sed 's/  #.*//')" "$(PARVA_SERVE_CONFIG= printed serve --config "$folder/again.yaml" | sed 's/  #.*//')"

refused() { # NAME WORDS ARGUMENTS...
  local name=$1 words=$2 output
  shift 2
  output=$("$PARVA" "$@" 2>&1)
  local status=$?
  if [ "$status" = 2 ] && [[ $output == *"$words"* ]]; then pass "$name"; else
    fail "$name"
    printf '  status %s: %s\n' "$status" "$output"
  fi
}
printf 'heartbeet: 5\nauto-apply: soon\n' >"$folder/wrong.yaml"
refused "an unknown option is named with its file and what was meant" "/heartbeet: there is no option --heartbeet; did you mean heartbeat?" \
  serve --config "$folder/wrong.yaml"
refused "every fault of a file is told at once" "/auto-apply" serve --config "$folder/wrong.yaml"
printf 'heartbeat: soon\n' >"$folder/value.yaml"
refused "a wrong value is told with where it was set" "--heartbeat is set by $folder/value.yaml" serve --config "$folder/value.yaml"
PARVA_SERVE_HEARTBEAT=soon refused "so is one of the environment" "--heartbeat is set by PARVA_SERVE_HEARTBEAT" serve
PARVA_SERVE_AUTO_APPLY=perhaps refused "a flag of the environment is true or false" \
  "PARVA_SERVE_AUTO_APPLY must be true or false" serve
refused "a file that is not there is told" "$folder/none.yaml" serve --config "$folder/none.yaml"
mkfifo "$folder/pipe"
refused "a pipe is refused, and nobody waits for its other end" "is no regular file" serve --config "$folder/pipe"
printf '[1]\n' >"$folder/list.yaml"
refused "a configuration is a mapping" "must be an object" serve --config "$folder/list.yaml"

printf 'store: 007\nlisten: []\n' >"$folder/text.yaml"
text=$(PARVA_SERVE_CONFIG= printed serve --config "$folder/text.yaml")
is "what is text stays as it is written" "store: '007'  # $folder/text.yaml" "$(line store "$text")"
is "an empty list sets nothing" "listen: [127.0.0.1:8080]  # the default" "$(line listen "$text")"
is "help is told whatever is wrong with a file" 0 "$(PARVA_SERVE_CONFIG=/nonexistent "$PARVA" serve --help >"$folder/help" 2>&1; echo $?)"

"$PARVA" serve 2>"$folder/log" &
for _ in $(seq 600); do [ -S "$folder/socket" ] && break; sleep 0.1; done
is "the controller serves where the file says" '{"status":"ok"}' "$(curl -sS --unix-socket "$folder/socket" http://parva/healthz)"
[ -e "$folder/from-file.sqlite" ]
is "and keeps its store there" 0 $?
unset PARVA_SERVE_CONFIG

printf 'simulate: dgx-a100\nstate-dir: %s\nlisten: [unix:%s]\n' "$folder/node" "$folder/node.socket" >"$folder/node.yaml"
is "the agent is configured in the same way" "simulate: dgx-a100  # $folder/node.yaml" \
  "$(line simulate "$(printed node --config "$folder/node.yaml")")"
is "with its verb too" "simulate: dgx-a100  # $folder/node.yaml" \
  "$(line simulate "$(PARVA_NODE_CONFIG=$folder/node.yaml printed node run)")"
