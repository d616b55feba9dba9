"""docs/log.md as data: events with their levels and fields, and the fields."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "log.md"
_NAMES = re.compile(r"(\(?)`(\w+)`")


@dataclass(frozen=True)
class Event:
    """A row of the table of events."""

    level: str
    always: frozenset[str]
    sometimes: frozenset[str]


def rows(heading: str) -> list[list[str]]:
    """Give the cells of the table below a heading."""
    section = DOCUMENT.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def documented_events() -> dict[str, Event]:
    """Give the events by their names."""
    events = {}
    for name, level, _, fields in rows("Events"):
        found = _NAMES.findall(fields)
        events[name.strip("`")] = Event(
            level,
            frozenset(field for bracket, field in found if not bracket),
            frozenset(field for bracket, field in found if bracket),
        )
    return events


def documented_fields() -> set[str]:
    """Give the names of the fields."""
    return {field for row in rows("Fields") for _, field in _NAMES.findall(row[0])}
