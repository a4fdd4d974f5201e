#!/usr/bin/env bash
# Run a command while other programs keep the processors, the disk and the memory busy.
set -euo pipefail

bash "$(dirname "$0")/system-package.sh" 'the tests under load' stress-ng stress-ng
stress-ng --cpu 0 --io 1 --vm 1 --vm-bytes 10% --quiet &
load=$!
trap 'kill "$load" 2>/dev/null || true; wait "$load" 2>/dev/null || true' EXIT
"$@"
