"""Type-checks the web app where Node.js is at hand; ``make check`` calls it."""

import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).parent.parent / "web"


def main() -> int:
    """Run ``npm run check`` after installing what the lock file names."""
    npm = shutil.which("npm")
    if npm is None:
        print("onebell: no npm here, the web app is not type-checked")
        return 0
    if not (WEB / "node_modules").is_dir():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--silent"], cwd=WEB, check=True)
    return subprocess.run([npm, "run", "--silent", "check"], cwd=WEB, check=False).returncode


sys.exit(main())
