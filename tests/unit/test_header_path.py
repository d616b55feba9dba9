"""Whatever stands in a file: a frame or a typed reason, and no beginning of one is whole."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_corpus import cases
from support_corpus_files import BLOCK, bz, gz, multi, raw, tiled
from support_header_path import look
from support_ledger import parameters
from tapewatch.errors import IncompleteFileError
from tapewatch.fitsfile.read import open_frame
from tapewatch.headers import dialects
from tapewatch.model import Frame
from tapewatch.parameters import Parameters

WHOLE = {
    "x.fits": raw("whole"),
    "x.fits.gz": gz(raw("whole")),
    "x.fits.bz2": bz(raw("whole")),
    "x.fits.fz": tiled("whole"),
    "several.fits.gz": gz(multi("whole", 2)),
}
CONTENTS = {one.name: one.make for one in cases() if isinstance(one.make, bytes)}
SMALL = [name for name, content in CONTENTS.items() if len(content) < 200_000]

_KEYWORDS = st.sampled_from(
    [
        *("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "ZIMAGE"),
        *("BSCALE", "BZERO", "BLANK", "END", "CONTINUE", "HISTORY", "HIERARCH ESO DPR TYPE"),
        *dialects.TYPE_KEYWORDS,
        *dialects.EXPOSURE_KEYWORDS,
        *dialects.FILTER_KEYWORDS,
        *dialects.MOMENT_KEYWORDS,
        *dialects.CLOCK_KEYWORDS,
        *dialects.TEMPERATURE_KEYWORDS,
        *dialects.SETTING_KEYWORDS,
        *dialects.DATA_SECTIONS,
        *dialects.OVERSCAN_SECTIONS,
        *(keyword for keywords in dialects.BINNING_KEYWORDS for keyword in keywords),
    ]
)
_VALUES = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["T", "F", "", "(1, 2)", "'[1:9,5:2]'", "'[*,*]'", "'flat'", "'bias'", "'a&'"]),
    st.datetimes().map(lambda moment: f"'{moment.isoformat()}'"),
    st.text(max_size=70).map(lambda text: f"'{text}'"),
)
_CARDS = st.builds(lambda keyword, value: f"{keyword:8}= {value}".encode(), _KEYWORDS, _VALUES)
_CHANGES = st.lists(st.tuples(st.integers(0, 13), _CARDS | st.binary(max_size=80)), min_size=1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Parameters]]:
    """Give a file to be written again and again, and parameters."""
    folder: Path = tmp_path_factory.mktemp("path")
    yield folder / "x.fits", parameters(folder, ALLBIN=1)
    shutil.rmtree(folder)


@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1, exclude_max=True))
def test_any_beginning_of_a_file_is_incomplete(
    place: tuple[Path, Parameters], name: str, share: float
) -> None:
    whole = WHOLE[name]
    size = int(len(whole) * share)
    if name.endswith(".fz") and size == BLOCK:
        size += 1  # cut between two HDUs it is a file without an image
    place[0].write_bytes(whole[:size])
    with pytest.raises(IncompleteFileError), open_frame(place[0]):
        pass


@pytest.mark.parametrize("size", range(5))
@pytest.mark.parametrize("name", sorted(WHOLE))
def test_the_first_bytes_of_a_file_are_an_incomplete_one(
    place: tuple[Path, Parameters], name: str, size: int
) -> None:
    place[0].write_bytes(WHOLE[name][:size])
    with pytest.raises(IncompleteFileError), open_frame(place[0]):
        pass


@given(_CHANGES)
def test_any_change_of_cards_gives_a_frame_or_a_reason(
    place: tuple[Path, Parameters], changes: list[tuple[int, bytes]]
) -> None:
    data = io.BytesIO(raw("changed"))
    for number, card in changes:
        data.seek(number * 80)
        data.write(card[:80].ljust(80))
    place[0].write_bytes(data.getvalue())
    assert isinstance(look(*place), Frame | str)


@pytest.mark.parametrize("name", SMALL)
def test_every_file_of_the_corpus_gives_a_frame_or_a_reason(
    place: tuple[Path, Parameters], name: str
) -> None:
    place[0].write_bytes(CONTENTS[name])
    assert isinstance(look(*place), Frame | str)
