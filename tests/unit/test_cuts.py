"""Which part of a master belongs to a frame that was read out through a smaller window."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support_planning import frame, master, parameters
from tapewatch.model import Detector, Kind
from tapewatch.planning.cuts import cut_of
from tapewatch.planning.match import find_master
from tapewatch.planning.objections import readout_objection

WHOLE = Detector("Apogee", (100, 200), (1, 1))
WINDOW = replace(WHOLE, shape=(30, 40), window=(50, 20))


def test_the_cut_begins_where_the_window_does() -> None:
    assert cut_of(WHOLE, WINDOW) == (20, 50)
    assert cut_of(replace(WHOLE, window=(10, 5)), WINDOW) == (15, 40)
    assert cut_of(WHOLE, WHOLE) == (0, 0)
    assert cut_of(WINDOW, WINDOW) == (0, 0)


@pytest.mark.parametrize(
    "other",
    [
        replace(WINDOW, camera="ZWO"),
        replace(WINDOW, binning=(2, 2)),
        replace(WINDOW, window=(161, 20)),
        replace(WINDOW, window=(50, 71)),
        replace(WINDOW, shape=(101, 40), window=(1, 0)),
    ],
)
def test_what_a_master_does_not_hold_cannot_be_cut_from_it(other: Detector) -> None:
    assert cut_of(WHOLE, other) is None
    assert readout_objection(WHOLE, other)


def test_a_small_frame_that_names_no_window_is_not_guessed_at() -> None:
    nameless = replace(WINDOW, window=(0, 0))
    assert cut_of(WHOLE, nameless) is None
    assert readout_objection(WHOLE, nameless) == "size 200x100, frame 40x30"


def test_settings_still_have_to_agree() -> None:
    fast, slow = (replace(WHOLE, settings=(("READOUTM", mode),)) for mode in ("fast", "slow"))
    assert readout_objection(fast, replace(WINDOW, settings=slow.settings)) == (
        "READOUTM fast, frame slow"
    )
    assert readout_objection(fast, replace(WINDOW, settings=fast.settings)) == ""


@given(st.data())
def test_a_cut_holds_the_very_pixels_of_the_window(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    left, top = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    rows, columns = data.draw(st.integers(1, height - y)), data.draw(st.integers(1, width - x))
    sensor = np.arange(400).reshape(20, 20)
    master_pixels = sensor[top : top + height, left : left + width]
    frame_pixels = sensor[top + y : top + y + rows, left + x : left + x + columns]
    whole = replace(WHOLE, shape=(height, width), window=(left, top))
    part = replace(WHOLE, shape=(rows, columns), window=(left + x, top + y))
    found = cut_of(whole, part)
    if part.window == (0, 0) and part != whole:
        assert found is None
        return
    assert found == (y, x)
    row, column = found
    cut = master_pixels[row : row + rows, column : column + columns]
    assert np.array_equal(cut, frame_pixels)


def test_an_exact_match_goes_before_a_cut_and_a_cut_is_flagged() -> None:
    one = frame("m13.fits", detector=WINDOW)
    whole = master("whole", Kind.FLAT, detector=WHOLE)
    exact = master("exact", Kind.FLAT, -60.0, detector=WINDOW, folder="elsewhere")
    found = find_master(Kind.FLAT, one, (whole, exact), parameters())
    assert (found.master, found.flags) == (exact, ())
    found = find_master(Kind.FLAT, one, (whole,), parameters())
    assert (found.master, found.flags) == (whole, ("CUT",))
