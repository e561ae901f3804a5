#!/usr/bin/env bash
# Every Swift file is laid out as .swift-format says; `swift format -i FILE` does it.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
source Tests/Integration/lib.sh
if ! swift format --version >/dev/null 2>&1; then
  skip "Swift files are formatted" "this toolchain has no swift format"
elif swift format lint --strict --parallel --recursive Sources Tests Benchmarks/Sources Package.swift Benchmarks/Package.swift 2>&1; then
  pass "Swift files are formatted"
else
  fail "Swift files are formatted"
fi
