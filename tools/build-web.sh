#!/usr/bin/env bash
# Builds the web app into the package. Without Node.js 20 or newer it uses the Python package that carries Node.js.
set -euo pipefail
cd "$(dirname "$0")/.."
node_is_new_enough() { command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; }
if ! node_is_new_enough || ! command -v npm >/dev/null; then
  .venv/bin/python -m pip install --quiet --require-hashes -r requirements/node.txt
  export PATH="$PWD/.venv/bin:$PATH"
fi
cd web
npm ci --no-audit --no-fund --silent
npm run --silent build
