"""The parameter file: what is understood, what is refused and in which words."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapewatch.errors import ParameterError
from tapewatch.model import Step
from tapewatch.parameters import KEYS, Off, Parameters, read_parameters
from tapewatch.parfile import TAPE_KEYS, at_most_one_slip, meant

Read = Callable[..., Parameters]
NAMES = [key.name for key in KEYS]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# tmp_path and the reader over it hold nothing that one example could leave for the next.
with_files = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def par(tmp_path: Path) -> Path:
    """Path of the parameter file, beside a folder ``night``."""
    (tmp_path / "night").mkdir()
    return tmp_path / "tape.par"


@pytest.fixture
def read(par: Path) -> Read:
    """Write lines after a WORKDIR that is right, and read the file."""

    def write_and_read(*lines: str, workdir: Path | None = None) -> Parameters:
        par.write_bytes("\n".join(["WORKDIR night", *lines]).encode())
        return read_parameters(par, workdir=workdir)

    return write_and_read


def refusal(read: Read, *lines: str) -> str:
    with pytest.raises(ParameterError) as caught:
        read(*lines)
    assert caught.value.exit_code == 78
    return str(caught.value)


def test_every_key_left_out_means_its_default(read: Read, par: Path) -> None:
    night = par.parent / "night"
    workers = min(4, len(os.sched_getaffinity(0)))
    patterns = {f"*.{name}{pack}" for name in ("fit", "fits", "fts") for pack in ("", ".gz")}
    parameters = read()
    assert (parameters.file, parameters.workdir, parameters.watchdir) == (par, night, night)
    assert (parameters.outdir, parameters.statefile, parameters.jsonlog) == (None, None, None)
    assert parameters.output == night
    assert (parameters.binning, parameters.saturation, parameters.longitude) == (1, 65535, None)
    assert (parameters.nbias, parameters.ndark, parameters.nflat, parameters.mincal) == (5, 5, 5, 3)
    assert (parameters.setquiet, parameters.setgap, parameters.nightend) == (120, 18, True)
    assert parameters.steps == (Step.BIAS, Step.DARK, Step.FLAT)
    assert (parameters.darkscale, parameters.temptol) == ("any", 2.0)
    assert (parameters.maxage, parameters.since) == ((90, 90, 14), 7)
    assert patterns < set(parameters.patterns)
    assert len(parameters.patterns) == 12
    assert (parameters.settle, parameters.stall, parameters.rescan) == (2, 600, 15)
    assert (parameters.recurse, parameters.watch, parameters.workers) == (True, "auto", workers)
    assert (parameters.minfree, parameters.warnings) == (5, ())


def test_writing_every_default_out_changes_nothing(read: Read) -> None:
    assert read(*(f"{key.name} {key.default}" for key in KEYS if key.default)) == read()


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("BINNING 2", "binning", 2),
        ("SATU 6e4", "saturation", 60000.0),
        ("OBSLON -111.6", "longitude", -111.6),
        ("NIGHTEND Off", "nightend", False),
        ("STEPS flat,bias", "steps", (Step.BIAS, Step.FLAT)),
        ("STEPS bias", "steps", (Step.BIAS,)),
        ("STEPS dark,flat", "steps", (Step.DARK, Step.FLAT)),
        ("FLATDARK 1", "flatdark", True),
        ("STEPS bias , dark , flat", "steps", (Step.BIAS, Step.DARK, Step.FLAT)),
        ("DARKSCALE DOWN", "darkscale", "down"),
        ("MAXAGE 0", "maxage", (0, 0, 0)),
        ("MAXAGE 10,20,3.5", "maxage", (10, 20, 3.5)),
        ("SINCE all", "since", None),
        ("SINCE 0.5", "since", 0.5),
        ("PATTERNS *.FITS,sky_*.fit", "patterns", ("*.fits", "sky_*.fit")),
        ("MASK 0", "mask", False),
        ("UNCERT 1", "uncert", True),
        ("HOTFIX NaN", "hotfix", "nan"),
        ("BADFILL median", "badfill", "median"),
        ("COSMIC 0", "cosmic", False),
        ("EGAIN 1.7", "egain", 1.7),
        ("COMBINE SigClip", "combine", "sigclip"),
        ("CLIPSIG 2.5, 4", "clipsig", (2.5, 4)),
        ("OVERSCAN 1", "overscan", True),
        ("FLATREGION Center", "flatregion", "centre"),
        ("FLATREGION [ 900:101, 1:50 ]", "flatregion", "[101:900,1:50]"),
        ("RECURSE 0", "recurse", False),
        ("WATCH Poll", "watch", "poll"),
        ("WORKERS 64", "workers", 64),
        ("JSONLOG off", "jsonlog", Off.OFF),
    ],
)
def test_value_is_understood(read: Read, line: str, field: str, value: object) -> None:
    assert getattr(read(line), field) == value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("BINNING 0", "a whole number from 1 to 64"),
        ("NBIAS 5.5", "a whole number of 1 or more"),
        ("NDARK 0", "a whole number of 1 or more"),
        ("NFLAT many", "a whole number of 1 or more"),
        ("MINCAL -1", "a whole number of 1 or more"),
        ("SATU nan", "a number from 1 to 1000000000"),
        ("SETQUIET inf", "a number from 0 to 86400"),
        ("SETGAP -0.1", "a number from 0 to 8760"),
        ("OBSLON 360.1", "a number from -180 to 360"),
        ("NIGHTEND dusk", "noon or off"),
        ("STEPS bias,bias", "some of bias,dark,flat"),
        ("STEPS bias,", "some of bias,dark,flat"),
        ("STEPS bias,fringe", "some of bias,dark,flat"),
        ("DARKSCALE up", "any, down or never"),
        ("TEMPTOL -1", "a number from 0 to 100"),
        ("MAXAGE 1,2", "one number of days from 0 to 36525, or three: bias,dark,flat"),
        ("MAXAGE 1,2,x", "one number of days from 0 to 36525, or three: bias,dark,flat"),
        ("SINCE ever", "a number from 0 to 36525, or all"),
        ("PATTERNS *.fits,,*.fit", "patterns of file names"),
        ("PATTERNS night/*.fits", "without a /"),
        ("SETTLE -1", "a number from 0 to 86400"),
        ("STALL x", "a number from 0 to 86400"),
        ("RESCAN 0", "a number from 0.01 to 86400"),
        ("WATCH kqueue", "auto, inotify or poll"),
        ("WORKERS 65", "a whole number from 0 to 64"),
        ("MINFREE 100", "a number from 0 to 99"),
        ("MASK yes", "0 or 1"),
        ("UNCERT 2", "0 or 1"),
        ("HOTFIX mean", "none, nan or median"),
        ("BADFILL none", "nan or median"),
        ("COSMIC yes", "0 or 1"),
        ("EGAIN 0", "a number from 0.001 to 1000"),
        ("EGAIN -1", "a number from 0.001 to 1000"),
        ("BADPIX nowhere.reg", "cannot be read: No such file"),
        ("BADPIX night", "cannot be read: Is a directory"),
        ("BADPIX tape.par", "line 1 of the list is 'WORKDIR night'; allowed are lines as"),
        ("COMBINE mean", "median or sigclip"),
        ("CLIPSIG 3", "two numbers from 1 to 100: low,high"),
        ("CLIPSIG 3,0.5", "two numbers from 1 to 100: low,high"),
        ("FLATREGION [1:2]", "all, centre, or a section"),
        ("FLATREGION [0:2,1:2]", "all, centre, or a section"),
        ("RECURSE yes", "0 or 1"),
        ("WATCHDIR nowhere", "a folder that exists"),
        ("WATCHDIR tape.par", "a folder that exists"),
        ("OUTDIR tape.par", "a folder, or a path where none is yet"),
        ("STATEFILE night", "the path of a file"),
        ("JSONLOG night", "the path of a file"),
    ],
)
def test_bad_value_is_refused_with_file_line_key_value_and_what_is_allowed(
    read: Read, par: Path, line: str, words: str
) -> None:
    message = refusal(read, line)
    assert message.startswith(f"{par}, line 2: {line}: ")
    assert words in message


def test_setcheck_warns_or_rejects(read: Read) -> None:
    assert [read(*lines).setcheck for lines in ([], ["SETCHECK warn"], ["SETCHECK REJECT"])] == [
        *("warn", "warn", "reject")
    ]
    assert "warn" in refusal(read, "SETCHECK drop")


def test_message_lists_all_bad_values_of_the_file(read: Read) -> None:
    lines = refusal(read, "NBIAS x", "NDARK 7", "WATCH y", "NBAIS 4").splitlines()
    assert [line.partition(", ")[2].split(":")[0] for line in lines] == [
        "line 2",
        "line 4",
        "line 5",
    ]
    assert "was NBIAS meant?" in lines[2]


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("value", ["", "  # 5", '""', '"5', '"a" b'])
def test_key_of_ours_without_a_whole_value_is_refused(read: Read, key: str, value: str) -> None:
    message = refusal(read, f"{key} {value}")
    assert f"line 2: {key} " in message
    assert any(word in message for word in ("allowed", "not there yet"))


def test_keys_of_others_are_left_alone(read: Read) -> None:
    others = sorted(TAPE_KEYS - set(NAMES))
    lines = [f"{key} what ever" for key in others] + others + ["thres 5", "MYKEY", 'PLOTDESC "x']
    assert read(*lines) == read()


def test_later_line_wins_even_over_a_bad_one(read: Read) -> None:
    assert read("NBIAS x", "NBIAS 7", "NBIAS 9 # as agreed").nbias == 9


def test_blank_lines_comments_windows_line_ends_and_a_byte_order_mark_are_taken(par: Path) -> None:
    par.write_bytes(b"\xef\xbb\xbfWORKDIR ./ni ght\r\n\r\n# a comment\r\n\tNBIAS\t7\r\n")
    assert read_parameters(par).nbias == 7
    assert read_parameters(par).workdir == par.parent / "night"


def test_double_quotes_keep_blanks_and_hashes_and_earn_a_warning(read: Read, par: Path) -> None:
    parameters = read('OUTDIR "my #1  masters" # for us', 'NBIAS "7"')
    assert parameters.outdir == par.parent / "my #1  masters"
    assert parameters.output == parameters.outdir
    assert parameters.nbias == 7
    assert [
        f"line {line}: " in text for line, text in zip((2, 3), parameters.warnings, strict=True)
    ]
    assert all("TAPE itself cannot read" in text for text in parameters.warnings)


@pytest.mark.parametrize(
    ("written", "key"),
    [("NBAIS", "NBIAS"), ("NBIA", "NBIAS"), ("SETGAAP", "SETGAP"), ("nflat", "NFLAT"),
     ("obslon", "OBSLON"), ("WORKERZ", "WORKERS"), ("patern", None), ("THRES", None), ("per", None),
     ("WATCHED", None)],
)  # fmt: skip
def test_key_one_slip_from_ours_earns_a_warning(read: Read, written: str, key: str | None) -> None:
    warnings = read(f"{written} 5").warnings
    assert len(warnings) == (key is not None)
    assert all(f"line 2: {written} means nothing" in text for text in warnings)
    assert all(text.endswith(f"was {key} meant?") for text in warnings)


def slips(word: str) -> set[str]:
    """Every word one slip away, written out (Norvig, How to Write a Spelling Corrector)."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    return {
        *(a + b[1:] for a, b in cuts if b),
        *(a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1),
        *(a + letter + b[1:] for a, b in cuts if b for letter in LETTERS),
        *(a + letter + b for a, b in cuts for letter in LETTERS),
    }


@given(st.sampled_from(NAMES), st.data())
def test_every_slip_is_found(name: str, data: st.DataObject) -> None:
    written = data.draw(st.sampled_from(sorted(slips(name) - TAPE_KEYS - set(NAMES))))
    assert at_most_one_slip(written, name)
    assert meant(written, NAMES) is not None
    assert meant(written.lower(), [name]) == name


def test_key_of_tape_is_no_misspelling_of_ours() -> None:
    assert meant("PER", ["PERS"]) is None
    assert meant("per", ["PERS"]) is None
    assert meant("obslon", ["OBSLON"]) == "OBSLON"


@given(st.text("ABC", max_size=5), st.text("ABC", max_size=5))
def test_words_further_apart_are_no_slip(written: str, word: str) -> None:
    assert at_most_one_slip(written, word) == (written == word or written in slips(word))


def test_paths_are_relative_to_the_folder_of_the_file(
    read: Read, par: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    parameters = read("WATCHDIR .", "OUTDIR ../out", "STATEFILE s/state.sqlite", "JSONLOG /l.jsonl")
    assert parameters.workdir == par.parent / "night"
    assert parameters.watchdir == par.parent
    assert parameters.outdir == par.parent.parent / "out"
    assert parameters.statefile == par.parent / "s" / "state.sqlite"
    assert parameters.jsonlog == Path("/l.jsonl")


def test_link_and_folder_are_one_watched_folder(read: Read, par: Path) -> None:
    (par.parent / "tonight").symlink_to("night")
    parameters = read("WORKDIR tonight", "WATCHDIR ./night/../night")
    assert parameters.workdir == parameters.watchdir == par.parent / "night"


def test_workdir_outside_the_watched_tree_earns_a_warning(read: Read, par: Path) -> None:
    (par.parent / "other").mkdir()
    (warning,) = read("WATCHDIR other").warnings
    assert "outside WATCHDIR" in warning
    assert read("WATCHDIR .").warnings == ()


def test_option_takes_the_place_of_workdir_relative_to_the_current_folder(
    par: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "elsewhere" / "tonight"
    other.mkdir(parents=True)
    monkeypatch.chdir(other.parent)
    par.write_text("WORKDIR not-there")
    parameters = read_parameters(par, workdir=Path("tonight"))
    assert parameters.workdir == parameters.watchdir == other
    par.write_text("NBIAS 5")
    assert read_parameters(par, workdir=Path("tonight")) == parameters
    with pytest.raises(ParameterError, match=r"^--workdir: WORKDIR .*nowhere.*folder that exists"):
        read_parameters(par, workdir=Path("nowhere"))


def test_file_may_be_named_relative_to_the_current_folder(
    par: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    par.write_text("WORKDIR night")
    monkeypatch.chdir(par.parent)
    assert read_parameters(Path("tape.par")).file == par


def test_missing_workdir_is_refused_with_a_hint_at_its_misspelling(par: Path) -> None:
    par.write_text("workdir night")
    with pytest.raises(ParameterError, match=r"WORKDIR, tonight's folder, is missing") as caught:
        read_parameters(par)
    assert "line 1: workdir means nothing to tapewatch: was WORKDIR meant?" in str(caught.value)


@pytest.mark.parametrize("name", ["absent.par", "night", "a\0b", "x" * 300])
def test_file_that_cannot_be_read_is_named(par: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="the parameter file cannot be read: ") as caught:
        read_parameters(par.parent / name)
    assert str(par.parent / name) in str(caught.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_file_that_is_not_utf8_is_refused_at_its_byte(par: Path, mark: bytes) -> None:
    par.write_bytes(mark + b"WORKDIR night # \xb0C")
    with pytest.raises(ParameterError, match=f"byte {len(mark) + 16} is not UTF-8"):
        read_parameters(par)


@pytest.mark.parametrize("value", ["x" * 300, "a/" * 5000, "a\0b", "loop"])
def test_path_that_cannot_be_is_refused(read: Read, par: Path, value: str) -> None:
    (par.parent / "loop").symlink_to("loop")
    message = refusal(read, f"WATCHDIR {value}")
    assert "line 2: WATCHDIR " in message
    assert len(message) < 1000


def test_values_in_messages_stay_on_one_line_and_short(read: Read) -> None:
    first, second = refusal(read, "NBIAS \x1b[31m7", f"NDARK {'9x' * 500}").splitlines()
    assert r"\x1b[31m7" in first
    assert len(second) < 300


def floats(low: float, high: float) -> st.SearchStrategy[tuple[str, object]]:
    return st.floats(low, high).map(lambda value: (repr(value), value))


def integers(low: int, high: int) -> st.SearchStrategy[tuple[str, object]]:
    return st.integers(low, high).map(lambda value: (str(value), value))


AGES = st.tuples(*[st.floats(0, 36525)] * 3)
STEPS = st.permutations(list(Step)).flatmap(
    lambda steps: st.integers(1, 3).map(lambda count: steps[:count])
)
VALUES = {
    "BINNING": integers(1, 64),
    "SATU": floats(1, 1e9),
    "OBSLON": floats(-180, 360),
    "NBIAS": integers(1, 10**6),
    "NDARK": integers(1, 10**6),
    "NFLAT": integers(1, 10**6),
    "MINCAL": integers(1, 10**6),
    "SETQUIET": floats(0, 86400),
    "SETGAP": floats(0, 8760),
    "STEPS": STEPS.map(
        lambda steps: (",".join(steps), tuple(step for step in Step if step in steps))
    ),
    "TEMPTOL": floats(0, 100),
    "MAXAGE": AGES.map(lambda ages: (",".join(map(repr, ages)), ages)),
    "SINCE": floats(0, 36525),
    "SETTLE": floats(0, 86400),
    "STALL": floats(0, 86400),
    "RESCAN": floats(0.01, 86400),
    "WORKERS": integers(1, 64),
    "MINFREE": floats(0, 99),
}
FIELDS = {key.name: key.field for key in KEYS}


@with_files
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_valid_values_come_back_as_written(
    read: Read, chosen: dict[str, tuple[str, object]]
) -> None:
    parameters = read(*(f"{key} {text} # {key}" for key, (text, _) in chosen.items()))
    for key, (_, value) in chosen.items():
        assert getattr(parameters, FIELDS[key]) == value


def outcome(file: Path) -> Parameters | str:
    """Read the file; give the parameters, or the words of the refusal."""
    try:
        return read_parameters(file)
    except ParameterError as error:
        return str(error)


def is_fit_for_use(result: Parameters | str) -> bool:
    if isinstance(result, Parameters):
        return result.workdir.is_dir() and result.watchdir.is_dir()
    return all(line.isprintable() and len(line) < 1000 for line in result.split("\n"))


GARBAGE = st.text(max_size=12) | st.floats().map(str) | st.integers().map(str)


@with_files
@given(st.sampled_from(NAMES), GARBAGE)
def test_garbage_for_a_value_is_taken_or_refused_never_a_crash(
    par: Path, key: str, garbage: str
) -> None:
    par.write_text(f"WORKDIR night\n{key} {garbage}", encoding="utf-8")
    assert is_fit_for_use(outcome(par))


@with_files
@given(st.binary(max_size=60) | st.lists(GARBAGE).map(lambda lines: "\n".join(lines).encode()))
def test_garbage_for_a_file_is_taken_or_refused_never_a_crash(par: Path, content: bytes) -> None:
    par.write_bytes(b"WORKDIR night\n" + content)
    assert is_fit_for_use(outcome(par))
