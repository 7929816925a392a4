"""Every acceptance case of the PushPlus sheet is a test over the wire, by a function's name or a golden case."""

import re
from pathlib import Path

WIRE = Path(__file__).parents[1] / "wire" / "pushplus"
CASES = {f"A{no:02}" for no in range(1, 51)}


def test_every_case_has_its_test():
    """``test_a07_…`` or ``id = "A07…"``: a case that loses its last test is missed here."""
    named = {
        found.upper()
        for path in WIRE.rglob("test_*.py")
        for found in re.findall(r"def test_(a\d\d)_", path.read_text())
    }
    golden = set(re.findall(r'^id = "(A\d\d)', (WIRE / "golden.toml").read_text(), re.MULTILINE))

    assert CASES - named - golden == set()
