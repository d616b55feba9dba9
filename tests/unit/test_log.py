"""The log: every event documented, every line one line of valid JSON whatever it has to carry."""

import ast
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from support_log import DOCUMENT, documented_events, documented_fields
from tapewatch.errors import FatalError
from tapewatch.log import SCHEMA, configure, console
from tapewatch.model import State

SOURCE = Path(__file__).resolve().parents[2] / "daemon"
LEVELS = {"debug", "info", "warning", "error", "critical"}
LIMIT = 4096  # bytes of a line, its end included
ANSI = re.compile(r"\x1b\[[0-9;]*m")

HOSTILE = {
    "line break": "one\ntwo\r\nthree\u2028four\x85five",
    "escape sequence": "\x1b[31mred\x1b[0m \x07 \x00",
    "lone surrogate": "caf\udce9.fits",
    "right to left": "\u202egnirts",
    "100 kB": "x" * 100_000,
    "100 kB to be escaped": "\x01" * 100_000,
    "100 kB of many bytes each": "\U0001f52d" * 100_000,
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "NaN in a list": [1.0, float("nan")],
    "many": ["\u00e9" * 600] * 1000,
    "quotes": "\"'{}[]\\",
    "bytes": b"\xff\n",
    "path": Path("a b/c\n.fits"),
    "nothing": None,
    "state": State.DONE,
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def logged(**fields: Any) -> str:  # noqa: ANN401
    """Give what is written to a pipe for one event."""
    stream = io.StringIO()
    configure(stream).info("frame.rejected", **fields)
    return stream.getvalue()


def shown(**fields: Any) -> str:  # noqa: ANN401
    """Give what is written to a terminal for one event, its colours apart."""
    stream = Terminal()
    configure(stream).info("frame.rejected", **fields)
    return ANSI.sub("", stream.getvalue())


def parsed(line: str) -> dict[str, Any]:
    """Read a line, as strictly as JSON is meant."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    answer: dict[str, Any] = json.loads(line, parse_constant=refuse)
    return answer


def check_line(text: str) -> dict[str, Any]:
    assert text.endswith("\n")
    assert text.isascii()
    assert text[:-1].isprintable()
    assert len(text.encode()) < LIMIT
    line = parsed(text)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert (line["level"], line["event"]) == ("info", "frame.rejected")
    return line


def test_a_line_has_time_level_and_event_first_and_then_what_it_carries() -> None:
    line = check_line(logged(file="x.fits", mean=1.23456789, tries=3, held=True, flags=["A", "B"]))
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert moment.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
    assert line == {
        "level": "info",
        "event": "frame.rejected",
        "file": "x.fits",
        "mean": 1.234568,
        "tries": 3,
        "held": True,
        "flags": ["A", "B"],
    }


@pytest.mark.parametrize("what", HOSTILE)
def test_any_value_makes_one_short_line_of_valid_json(what: str) -> None:
    check_line(logged(file=HOSTILE[what], reason="so it is"))


@pytest.mark.parametrize("what", HOSTILE)
def test_any_value_makes_one_line_on_a_terminal(what: str) -> None:
    text = shown(file=HOSTILE[what], reason="so it is")
    assert text.count("\n") == 1
    assert text.endswith("reason='so it is'\n")
    assert text[:-1].isprintable()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=10,
)


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(documented_fields())), VALUES))
def test_any_fields_make_one_short_line_of_valid_json(fields: dict[str, Any]) -> None:
    check_line(logged(**fields))
    assert shown(**fields).count("\n") == 1


def test_what_is_no_number_is_null() -> None:
    line = check_line(logged(mean=float("nan"), std=float("inf"), flags=[float("nan")]))
    assert (line["mean"], line["std"], line["flags"]) == (None, None, [None])


def test_odd_bytes_are_escaped_so_that_they_can_be_told() -> None:
    line = check_line(logged(file="caf\udce9\n\x1b.fits", reason="größer"))
    assert line["file"] == "caf\\udce9\\n\\x1b.fits"
    assert line["reason"] == "größer"


def test_long_text_is_cut_and_says_so() -> None:
    line = check_line(logged(reason="x" * 601))
    assert line["reason"] == "x" * 597 + "..."
    assert check_line(logged(reason="x" * 600))["reason"] == "x" * 600


def test_of_a_line_too_long_what_fits_is_kept() -> None:
    fields = {f"field{number}": "\U0001f52d" * 600 for number in range(3)}
    line = check_line(logged(file="x.fits", **fields, reason="cut short"))
    assert (line["file"], line["reason"], line["shortened"]) == ("x.fits", "cut short", True)
    assert not set(fields) & set(line)
    assert "shortened" not in check_line(logged(file="x.fits"))


def test_on_a_terminal_a_line_is_short_and_without_what_nobody_reads() -> None:
    text = shown(
        file="M13/x.fits",
        bias="M13/masters/wbias-9da9299f10de9ea5.fits",
        flat="masters/wflatR-abc123-9da9299f10de9ea5.fits",
        flags=[],
        mean=1234.5678,
        seconds=0.0112666,
        saturated=0,
    )
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d \[info     \] frame\.rejected     file=M13/x\.fits bias=M13/wbias "
        r"flat=wflatR-abc123 mean=1234\.6 seconds=0\.011267 saturated=0\n",
        text,
    )


def test_tail_renders_a_line_of_the_file_as_the_terminal_shows_it() -> None:
    fields: dict[str, Any] = {"file": "x.fits", "mean": 1234.5678, "bias": "masters/wb-1.fits"}
    from_file = console(colours=False)(None, "", parsed(logged(**fields)))
    assert str(from_file)[8:] == shown(**fields)[8:-1]


def test_the_file_gets_the_same_lines_as_json(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "tapewatch.jsonl"
    stream = Terminal()
    for number in range(2):
        configure(stream, file).info("frame.rejected", tries=number)
    lines = [parsed(line) for line in file.read_text().splitlines()]
    assert [line["tries"] for line in lines] == [0, 1]
    assert stream.getvalue().count("\n") == 2


def test_the_journal_gets_priorities_and_nothing_else_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "journal"
    with file.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log = configure(stream, tmp_path / "copy.jsonl")
        for level in ("info", "warning", "error"):
            getattr(log, level)("frame.rejected")
    # sd-daemon(3): the numbers of syslog.
    assert [line[:4] for line in file.read_text().splitlines()] == ["<6>{", "<4>{", "<3>{"]
    copies = (tmp_path / "copy.jsonl").read_text().splitlines()
    assert [json.loads(line)["level"] for line in copies] == ["info", "warning", "error"]
    with (tmp_path / "another").open("w") as other:
        configure(other).info("frame.rejected")
    assert (tmp_path / "another").read_text().startswith("{")


def test_the_file_may_be_rotated_at_any_time(tmp_path: Path) -> None:
    file = tmp_path / "tapewatch.jsonl"
    log = configure(io.StringIO(), file)
    log.info("frame.rejected", tries=0)
    file.rename(tmp_path / "old.jsonl")
    log.info("frame.rejected", tries=1)
    assert [parsed(file.read_text())["tries"]] == [1]


def test_a_file_that_cannot_be_written_later_does_not_end_the_night(tmp_path: Path) -> None:
    file = tmp_path / "tapewatch.jsonl"
    stream = io.StringIO()
    log = configure(stream, file)
    file.unlink()
    file.mkdir()
    log.info("frame.rejected", tries=1)
    assert parsed(stream.getvalue())["tries"] == 1


def test_lines_missing_in_the_file_are_told_of_there_and_on_the_stream(tmp_path: Path) -> None:
    file = tmp_path / "tapewatch.jsonl"
    stream = io.StringIO()
    log = configure(stream, file)
    file.unlink()
    file.mkdir()
    for number in (1, 2):
        log.info("frame.rejected", tries=number)
    file.rmdir()
    for number in (3, 4):
        log.info("frame.rejected", tries=number)
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["tries"] for one in said] == [1, 2, 3, 4]
    assert [one.get("log_trouble") for one in said] == [
        f"the log {file} cannot be written: Is a directory",
        *[None] * 3,
    ]
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(one["tries"], one.get("lines_missed")) for one in kept] == [(3, 2), (4, None)]


def test_no_half_of_a_line_stays_where_a_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tapewatch.jsonl"
    log = configure(io.StringIO(), file)
    really = io.FileIO.write

    class Cramped(io.FileIO):
        def write(self, data: Any, /) -> int:  # noqa: ANN401  (any buffer)
            return really(self, data[:20])

    log.info("frame.rejected", tries=1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *_, **__: Cramped(path, "ab"))
        log.info("frame.rejected", tries=2)
    log.info("frame.rejected", tries=3)
    assert [json.loads(line)["tries"] for line in file.read_text().splitlines()] == [1, 3]


def test_a_full_pipe_that_nobody_reads_holds_nobody_and_what_is_missing_is_told() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        log = configure(stream)
        lines = 300  # far more than a pipe has room for
        for number in range(lines):
            log.info("frame.rejected", tries=number, reason="x" * 500)
        os.set_blocking(reading, False)
        first = [json.loads(line) for line in reader.read().splitlines()]
        log.info("frame.rejected", tries=lines)
        last = json.loads(reader.read())
        assert [one["tries"] for one in first] == list(range(len(first)))
        assert (last["tries"], last["lines_missed"]) == (lines, lines - len(first))


def test_a_file_that_cannot_be_written_at_the_start_is_fatal(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FatalError, match=r"tapewatch\.jsonl cannot be written"):
        configure(io.StringIO(), tmp_path / "file" / "tapewatch.jsonl")


def calls() -> Iterator[ast.Call]:
    """Give every call in the source."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield from (
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        )


def name_of(call: ast.Call) -> str:
    """Give the last word of what is called."""
    return ast.unparse(call.func).rpartition(".")[2]


def events_of_the_source() -> dict[str, set[str]]:
    """Find the events that the source logs, with their levels where these stand there.

    A frame that is set aside has an event that names its state; the state stands in the call of
    what sets it aside.
    """
    events: dict[str, set[str]] = defaultdict(set)
    for call in calls():
        if name_of(call) in {"_set_aside", "set_aside", "_give_up"}:
            for argument in call.args:
                if (text := ast.unparse(argument)).startswith("State."):
                    events[f"frame.{State[text.removeprefix('State.')]}"].add("")
        if re.search(r"\blog\b", ast.unparse(call.func).replace("_", " ")) and call.args:
            event = call.args[0]
            if isinstance(event, ast.Constant) and name_of(call) in LEVELS:
                events[str(event.value)].add(name_of(call))
            elif name_of(call) in LEVELS:
                assert ast.unparse(event) == "f'frame.{state}'", ast.unparse(event)
    return events


def test_every_event_is_documented_and_every_documented_one_is_logged() -> None:
    assert set(events_of_the_source()) == set(documented_events())


def test_every_event_has_the_documented_level() -> None:
    documented = documented_events()
    wrong = {
        event: levels
        for event, levels in events_of_the_source().items()
        if not levels <= {"", documented[event].level}
    }
    assert not wrong


def test_every_field_is_documented_and_every_documented_one_is_used() -> None:
    used = {
        field for event in documented_events().values() for field in event.always | event.sometimes
    }
    assert used == documented_fields()


def test_the_document_is_of_this_schema_and_its_example_is_a_line() -> None:
    text = DOCUMENT.read_text()
    assert f"schema version {SCHEMA};" in text
    example = parsed(text.partition("```json\n")[2].partition("```")[0])
    event = documented_events()[example["event"]]
    assert (
        event.always
        <= set(example)
        <= event.always
        | event.sometimes
        | {
            "timestamp",
            "level",
            "event",
        }
    )
