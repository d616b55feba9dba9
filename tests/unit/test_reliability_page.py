"""docs/reliability.md names tests: each must exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^(?:async )?def (test_\w+)", sources, re.MULTILINE))
    assert len(named) > 50
    assert not sorted(named - there)


def test_every_command_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)`", page)) <= targets
    files = re.findall(r"`pytest (\S+)`", page)
    assert [file for file in files if not (ROOT / file).exists()] == []
