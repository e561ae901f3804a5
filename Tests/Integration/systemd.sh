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
for unit in parva:1.5 parva-node:2.5; do
  name=${unit%:*}
  # verify wants the program to be there.
  sed "s#/usr/bin/parva#$PARVA#" "packaging/$name.service" >"$work/$name.service"
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
for verb in node serve; do
  unit=parva
  help=$("$PARVA" serve --help)
  if [ "$verb" = node ]; then unit=parva-node help=$("$PARVA" node run --help); fi
  missing=""
  for option in $(sed -n 's/^ExecStart=//p' "packaging/$unit.service" | grep -o -- '--[a-z-]*'); do
    grep -q -- "$option" <<<"$help" || missing+=" $option"
  done
  if [ -z "$missing" ]; then pass "packaging/$unit.service uses options that exist"; else
    printf ' %s\n' "$missing"
    fail "packaging/$unit.service uses options that exist"
  fi
done
