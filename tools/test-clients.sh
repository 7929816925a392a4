#!/usr/bin/env bash
# Installs the JavaScript clients of others that the tests point at a real server, unmodified.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/node.sh
cd tests/clients
npm ci --no-audit --no-fund --silent --ignore-scripts
