# Sourced: Node.js 20 or newer with npm on PATH; where there is none, the Python package that carries it.
node_is_new_enough() { command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; }
if ! node_is_new_enough || ! command -v npm >/dev/null; then
  .venv/bin/python -m pip install --quiet --require-hashes -r requirements/node.txt
  export PATH="$PWD/.venv/bin:$PATH"
fi
