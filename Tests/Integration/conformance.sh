#!/usr/bin/env bash
# The running controller answers as openapi.yaml says: requests generated from the document, valid and broken, alone and one
# after the other, and every answer compared with it (status, content type, headers, schema), by an independent tool.
# usage: conformance.sh [SET-UP...]     each whole, of at least 5,000 requests:
#   plain       a controller that asks for nothing
#   tokens      one that wants tokens, asked with one of the role PARVA_ROLE (admin), so that refusals are compared, too
#   namespace   asked with an operator's token that is for one namespace alone, beside another with things of its own
# Without a set-up: plain whole, and of the others a sample.
set -uo pipefail
: "${PARVA:?names the binary to be tested}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
. Tests/Integration/lib.sh

title="the controller answers as openapi.yaml says"
python_tool schemathesis 4.32.5 "$title"
work=$(mktemp -d)
server=""
stop() { # TERM and wait, without a word where there is nothing to stop
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server"
  server=""
}
trap 'stop; rm -rf "$work"' EXIT
token=conformance-0123456789abcdef
admin=administrator-0123456789ab
# Two checks take every request that fits the schema for one that must be done: conditions, keys and names that nothing has are
# judged by what there is. One wants `Allow` to name a path's own methods alone, where a workload may be called `batch`.
checks=(--checks all --exclude-checks positive_data_acceptance,negative_data_rejection,allow_header_conformance)
# Requests that wait for the next plan, or for events, are not generated at random: they would wait.
without=()
for operation in getPlan streamPlanEvents streamEvents streamEndpoints; do
  without+=(--exclude-operation-id "$operation")
done

examine() { # ADDRESS PHASES EXAMPLES OPTIONS...
  (cd "$work" && "$venv/bin/schemathesis" --config-file /dev/null run "http://$1/openapi.yaml" "${checks[@]}" \
    --phases "$2" --seed 1 --max-examples "$3" --request-timeout 60 --max-response-time 60 \
    --suppress-health-check=too_slow,data_too_large --no-color "${@:4}")
}

ask() { # METHOD PATH [BODY]: as an admin; answers the body
  curl -sf -X "$1" -H "Authorization: Bearer $admin" ${3:+-d "$3"} "http://$address/v1/$2"
}

# What another namespace has, as an admin sees it: of a workload without how it fares, which goes with every plan.
others() {
  ask GET workloads/other:web | sed '/"status"/,$d' && ask GET 'profiles/hidden?product=A100-80GB&namespace=other' &&
    ask GET webhooks/other:hook
}

conform() { # SET-UP whole|sample
  local name=$title guarded=() asking=() before="" phases=examples,coverage,fuzzing,stateful examples=25 least=5000
  [ "$2" = sample ] && phases=examples,fuzzing,stateful examples=4 least=300
  case $1 in
    plain) ;;
    tokens)
      name="$name, asked with the role ${PARVA_ROLE:=admin}"
      printf '%s conformance %s\n' "$PARVA_ROLE" "$token" >"$work/tokens"
      ;;
    namespace)
      name="$name, within a namespace"
      printf 'operator conformance %s vision\nadmin admin %s\n' "$token" "$admin" >"$work/tokens"
      ;;
    *)
      printf 'conformance.sh: there is no set-up %s\n' "$1" >&2
      exit 2
      ;;
  esac
  if [ "$1" != plain ]; then
    guarded=(--token-file "$work/tokens")
    asking=(--header "Authorization: Bearer $token")
  fi
  "$PARVA" serve --listen 127.0.0.1:0 --store "$work/$1.sqlite" "${guarded[@]}" 2>"$work/log" &
  server=$!
  address=""
  for _ in $(seq 600); do
    address=$(grep -om1 '127\.0\.0\.1:[1-9][0-9]*' "$work/log") && break
    sleep 0.1
  done
  [ -n "$address" ] || { cat "$work/log"; fail "$name"; stop; return; }
  if [ "$1" = namespace ]; then
    local profile='{"model":"hidden","product":"A100-80GB","points":[{"profile":"1g.10gb","batch":1,"processes":1,"throughput":9,"latencyMs":9}]}'
    if ! { ask POST namespaces '{"name":"vision"}' && ask POST namespaces '{"name":"other"}' &&
      ask POST workloads '{"id":"other:web","model":"resnet50","rate":50,"slo":{"latencyMs":200}}' &&
      ask PUT 'profiles/hidden?product=A100-80GB&namespace=other' "$profile" &&
      ask PUT webhooks/other:hook '{"url":"https://a.example/","enabled":false}'; } >/dev/null; then
      fail "$name (its things could not be made)"
      stop
      return
    fi
    before=$(others)
  fi
  local ended=0 count
  examine "$address" "$phases" "$examples" "${without[@]}" "${asking[@]}" >"$work/report" 2>&1 || ended=1
  if [ "$2" = whole ]; then
    examine "$address" examples,coverage "$examples" --include-operation-id getPlan "${asking[@]}" \
      >>"$work/report" 2>&1 || ended=1
  fi
  count=$(sed -n 's/^ *\([0-9]*\) generated, .*/\1/p' "$work/report" | awk '{ sum += $1 } END { print sum + 0 }')
  printf '  %s: %d requests\n' "$1" "$count"
  if [ "$ended" -ne 0 ]; then
    cat "$work/report"
    fail "$name"
  elif [ "$count" -lt "$least" ]; then
    fail "$name ($count requests, fewer than $least)"
  elif [ "$1" = namespace ] && [ "$before" != "$(others)" ]; then
    fail "$name, and what is another's stays as it was"
  else
    pass "$name"
  fi
  stop
}

if [ $# -gt 0 ]; then
  for setup in "$@"; do conform "$setup" whole; done
else
  conform plain whole
  conform tokens sample
  conform namespace sample
fi
