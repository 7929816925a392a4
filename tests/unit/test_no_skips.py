"""A run that must be complete says so when it is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ("-p", "tests.conftest", "-c", os.devnull, "-rs", "--continue-on-collection-errors")
FILES = {
    "test": "import pytest\n\ndef test_it():\n    pytest.skip('no such program')\n",
    "fixture": (
        "import pytest\n\n@pytest.fixture\ndef program():\n    pytest.skip('no such program')\n\n"
        "def test_it(program):\n    pass\n"
    ),
    "file": "import pytest\n\npytest.skip('no such program', allow_module_level=True)\n\ndef test_it():\n    pass\n",
}


@pytest.mark.parametrize(("ci", "failed"), [("true", True), ("", False)])
def test_a_skip_fails_where_everything_must_be_there(tmp_path: Path, ci: str, failed: bool) -> None:
    """With CI=true whatever skips has failed, with its reason; elsewhere it is skipped."""
    for name, text in FILES.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "CI": ci},
        check=False,
    )

    assert "no such program" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("allows no skips") == (len(FILES) if failed else 0), done.stdout
    assert ("3 skipped" in done.stdout) != failed
    assert (done.returncode == 1) == failed
