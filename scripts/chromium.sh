#!/usr/bin/env bash
# Make sure that there is a Chromium for the browser tests.
exec bash "$(dirname "$0")/system-package.sh" 'the browser tests' chromium \
  chromium chromium-browser google-chrome
