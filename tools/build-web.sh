#!/usr/bin/env bash
# Builds the web app into the package.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/node.sh
cd web
npm ci --no-audit --no-fund --silent
npm run --silent build
