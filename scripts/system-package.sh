#!/usr/bin/env bash
# Make sure that a program of the system is there: system-package.sh PURPOSE PACKAGE COMMAND...
# Any one of the commands will do; else the package is installed, where that is allowed.
set -euo pipefail

purpose=$1 package=$2
shift 2
for name in "$@"; do
  command -v "$name" >/dev/null && exit 0
done

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo -n)
fi
if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
  echo "· $package for $purpose"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if "${as_root[@]}" apt-get -qq update >"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
      install --yes --no-install-recommends "$package" >>"$log" 2>&1; then
    exit 0
  fi
  tail -n 5 "$log" >&2
fi
echo "$package is needed for $purpose, and cannot be installed from here." >&2
echo "Install it with your package manager (on Debian: apt-get install $package)." >&2
exit 1
