# Shared by the shell tests of this folder: how a check reports itself.
# Sourced after `cd` to the checkout.

pass() { printf 'ok - %s\n' "$1"; }
fail() { printf 'not ok - %s\n' "$1"; }
skip() { printf 'skip - %s: %s\n' "$1" "$2"; }
