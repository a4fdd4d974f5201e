#!/usr/bin/env bash
# Make sure that there is a Chromium for the browser tests.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo -n)
fi
if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
  echo '· Chromium for the browser tests'
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  if "${as_root[@]}" apt-get -qq update >"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
      install --yes --no-install-recommends chromium >>"$log" 2>&1; then
    exit 0
  fi
  tail -n 5 "$log" >&2
fi
echo 'The browser tests need Chromium, and it cannot be installed from here.' >&2
echo 'Install it with your package manager (on Debian: apt-get install chromium).' >&2
exit 1
