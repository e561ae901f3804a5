# Shared by the shell tests of this folder: how a check reports itself, and tools from the Python package index.
# Sourced after `cd` to the checkout.

pass() { printf 'ok - %s\n' "$1"; }
fail() { printf 'not ok - %s\n' "$1"; }
skip() { printf 'skip - %s: %s\n' "$1" "$2"; }

# Puts PACKAGE at VERSION into a virtual environment of its own and leaves its folder in $venv. Where it cannot be had,
# ends the test: in CI as failed, elsewhere as skipped.
python_tool() { # PACKAGE VERSION CHECK
  venv=$PWD/.cache/$1-$2
  [ -e "$venv/complete" ] && return
  rm -rf "$venv"
  if { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "$1==$2" && touch "$venv/complete"; } >&2; then return; fi
  rm -rf "$venv"
  if [ "${PARVA_CI:-0}" = 1 ]; then
    fail "$3 ($1 could not be installed, and CI must run it)"
    exit 1
  fi
  skip "$3" "$1 could not be installed (is the network reachable?)"
  exit 0
}
