"""TAPE's own readers of tape.par, written out, must read the sample and agree with ours."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.parameters import KEYS, read_parameters
from tapewatch.parfile import TAPE_KEYS, entries_of

SAMPLE = Path(__file__).parents[2] / "tape.par"


def notebook_reader(text: str) -> dict[str, str]:
    """Cut each line at ``#``, split it, and join what follows the key, as the notebook does."""
    par: dict[str, str] = {}
    for line in text.splitlines():
        tmp = line.split("#", maxsplit=1)[0].split()
        par.update({tmp[0]: "".join(tmp[1:])})
    return par


def older_reader(text: str) -> dict[str, str]:
    """Take the first two words of each line, as TAPE's older steps do."""
    par: dict[str, str] = {}
    for line in text.splitlines():
        tmp = line.split()
        par.update({tmp[0]: tmp[1]})
    return par


@pytest.fixture(scope="module")
def sample() -> str:
    return SAMPLE.read_text(encoding="utf-8")


def test_readers_of_tape_and_ours_agree_on_every_key_of_the_sample(sample: str) -> None:
    ours = {key: entry.text for key, entry in entries_of(sample).items()}
    assert notebook_reader(sample) == ours
    assert older_reader(sample) == ours


def test_sample_keeps_every_key_of_tape_with_its_values(sample: str) -> None:
    par = notebook_reader(sample)
    assert par.keys() >= TAPE_KEYS
    assert par["WORKDIR"] == "./180326-HAT-P-12b"
    assert int(par["BINNING"]) == 1
    assert [float(radius) for radius in par["PHOTAPER"].split(",")] == [10, 20, 30]
    assert [float(limit) for limit in par["CONTCUT"].split(",")] == [0.995, 1.5]
    assert (par["TARGETNAM"], par["COMPNUMS"]) == ("HAT-P-12b", "10,17,21")


def test_sample_has_nothing_that_stops_a_reader_of_tape(sample: str) -> None:
    lines = sample.splitlines()
    assert sample.isascii()
    assert all(len(line.partition("#")[0].split()) == 2 for line in lines)
    assert len({line.split()[0] for line in lines}) == len(lines)


def test_sample_says_for_every_key_which_step_reads_it(sample: str) -> None:
    steps = ("(CCDPROC)", "(APPHOT)", "(TIMESERIES)", "(FITTING)", "(TAPEWATCH)")
    comments = [line.partition("#")[2].split() for line in sample.splitlines()]
    assert all(comment[0] in steps and len(comment) > 1 for comment in comments)


def test_sample_holds_each_key_of_the_daemon_at_its_default_with_its_meaning(sample: str) -> None:
    lines = [" ".join(line.split()) for line in sample.splitlines()]
    ours = [key for key in KEYS if key.name not in TAPE_KEYS]
    expected = [f"{key.name} {key.default} # (TAPEWATCH) {key.meaning}" for key in ours]
    assert lines[-len(expected) :] == expected


def test_sample_is_read_as_it_stands_once_its_folder_exists(sample: str, tmp_path: Path) -> None:
    (tmp_path / "180326-HAT-P-12b").mkdir()
    file = tmp_path / "tape.par"
    file.write_text(sample, encoding="utf-8")
    parameters = read_parameters(file)
    assert parameters.workdir == parameters.watchdir == tmp_path / "180326-HAT-P-12b"
    assert parameters.saturation == float(notebook_reader(sample)["SATU"])
    assert parameters.longitude == float(notebook_reader(sample)["OBSLON"])
    assert parameters.warnings == ()


def test_keys_we_know_are_spelt_as_in_tape_and_have_a_meaning_each() -> None:
    names = [key.name for key in KEYS]
    assert len(set(names)) == len(names)
    assert all(key.name == key.name.upper() and key.meaning for key in KEYS)
    assert not any("#" in key.meaning or "\n" in key.meaning for key in KEYS)


WORDS = st.text("ABZaz019.,-_/*'éß", min_size=1, max_size=8)
BLANKS = st.text(" \t", min_size=1, max_size=3)
LINES = st.builds(
    lambda key, values, blank, comment: key + "".join(blank + value for value in values) + comment,
    WORDS,
    st.lists(WORDS, min_size=1, max_size=3),
    BLANKS,
    st.sampled_from(["", " # a comment", "# another # one", " #", "  "]),
)


@given(st.lists(LINES, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_our_reader_agrees_with_the_notebooks_on_any_file(lines: list[str], end: str) -> None:
    text = end.join(lines)
    ours = {key: entry.text for key, entry in entries_of(text).items()}
    assert ours == notebook_reader(text)


@given(st.text("AB \r\n\x0b\x0c\x1c\x85\u2028", max_size=12))
def test_lines_end_where_an_open_text_file_ends_them(text: str) -> None:
    lines = list(io.StringIO(text, newline=None))
    expected = {line.split()[0]: number for number, line in enumerate(lines, 1) if line.split()}
    assert {key: entry.line for key, entry in entries_of(text).items()} == expected
