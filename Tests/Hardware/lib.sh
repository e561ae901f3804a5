# Shared by the scripts of the first hour on real hardware. Each look prints what this machine shows beside what the
# stand-in driver does, so that a difference is seen at once; what was seen is kept in $OUT for later tests.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
PARVA=${PARVA:-.build/debug/parva}
OUT=${OUT:-hardware-$(date +%Y%m%d-%H%M%S)}

if ! [ -e /proc/driver/nvidia/version ] || ! command -v nvidia-smi >/dev/null; then
  echo "SKIP: this machine has no NVIDIA driver"
  exit 0
fi
if ! [ -x "$PARVA" ]; then
  echo "SKIP: $PARVA is not built; name the binary with PARVA"
  exit 0
fi
mkdir -p "$OUT"
PARVA=$(readlink -f "$PARVA")

# look NAME "what the stand-in does" COMMAND...
look() {
  local name=$1 expected=$2
  shift 2
  printf '\n== %s\n   stand-in: %s\n   $ %s\n' "$name" "$expected" "$*"
  "$@" >"$OUT/$name.txt" 2>&1 </dev/null
  local status=$?
  sed 's/^/   | /' "$OUT/$name.txt" | head -"${LINES_SHOWN:-25}"
  printf '   status %d, whole in %s\n' "$status" "$OUT/$name.txt"
  return "$status"
}

# timed NAME COMMAND...: the same, with its time beside.
timed() {
  local name=$1 begin
  begin=$(date +%s.%N)
  shift
  look "$name" "no time worth naming" "$@"
  local status=$?
  awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { printf "   took %.3f s\n", b - a }' | tee -a "$OUT/times.txt"
  return "$status"
}
