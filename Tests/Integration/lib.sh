# Shared by the shell tests of this folder: how a check reports itself, the command line as scripts call it, and tools
# from the Python package index (for those, sourced after `cd` to the checkout).

pass() { printf 'ok - %s\n' "$1"; }
fail() { printf 'not ok - %s\n' "$1"; }
skip() { printf 'skip - %s: %s\n' "$1" "$2"; }

# Puts PACKAGE at VERSION into a virtual environment of its own and leaves its folder in $venv; options for pip may follow.
# Where it cannot be had, ends the test: in CI as failed, elsewhere as skipped.
python_tool() { # PACKAGE VERSION CHECK [OPTION...]
  venv=$PWD/.cache/$1-$2
  [ -e "$venv/complete" ] && return
  rm -rf "$venv"
  if { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "${@:4}" "$1==$2" && touch "$venv/complete"; } >&2; then return; fi
  rm -rf "$venv"
  if [ "${PARVA_CI:-0}" = 1 ]; then
    fail "$3 ($1 could not be installed, and CI must run it)"
    exit 1
  fi
  skip "$3" "$1 could not be installed (is the network reachable?)"
  exit 0
}

# Has COMMAND there, by the system's PACKAGE where it is missing. Where it cannot be had, ends the test as above.
system_tool() { # COMMAND PACKAGE CHECK
  local as_root=() attempt
  PATH=$PATH:/usr/sbin:/sbin
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  for attempt in 1 2 3; do
    command -v "$1" >/dev/null 2>&1 && return
    command -v apt-get >/dev/null 2>&1 || break
    "${as_root[@]}" apt-get update -qq >&2 &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >&2
  done
  command -v "$1" >/dev/null 2>&1 && return
  if [ "${PARVA_CI:-0}" = 1 ]; then
    fail "$3 ($2 could not be installed, and CI must run it)"
    exit 1
  fi
  skip "$3" "$1 is not there and $2 could not be installed"
  exit 0
}

# --- The command line, in an empty folder of its own; `exit "$bad"` ends such a test.

in_empty_folder() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cd "$work" || exit 1
  export PARVA LC_ALL=C.UTF-8 COLUMNS=110 XDG_CACHE_HOME=$work/.cache
  unset PARVA_SERVER PARVA_TOKEN NO_COLOR
  bad=0
}

check() { # NAME CONDITION...
  if "${@:2}"; then pass "$1"; else
    fail "$1"
    head -3 err 2>/dev/null
    bad=1
  fi
}

code() { # EXPECTED COMMAND...: runs with output in out and err
  local expected=$1
  shift
  "$@" >out 2>err
  local got=$?
  [ "$got" -eq "$expected" ] || {
    printf '  exit %d, expected %d: %s\n' "$got" "$expected" "$*"
    return 1
  }
}

silent_out() { [ ! -s out ]; }
silent_err() { [ ! -s err ]; }
says() { grep -qF -- "$2" "$1"; }
