"""Calibrations and object frames in folders of their own, as many observatories keep them."""

from pathlib import Path

import notebook
from support_night import NIGHTS, assert_same_pixels, take, tapewatch, write_par


def test_biases_that_come_last_to_a_folder_of_their_own_complete_the_night(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    raws = take(elsewhere, NIGHTS["tape"])
    expected = notebook.process(raws)
    watched = tmp_path / "night"
    for raw in raws:
        kind = notebook.type_of(notebook.read(raw)[1])
        folder = watched / kind
        folder.mkdir(parents=True, exist_ok=True)
        if kind != "bias":
            raw.rename(folder / raw.name)
    par = write_par(watched)
    without = tapewatch("once", par)
    assert without.code == 0
    assert without.events("frame.calibrated") == []
    for raw in elsewhere.iterdir():
        raw.rename(watched / "bias" / raw.name)
    assert tapewatch("once", par).code == 0
    for name, pixels in expected.products.items():
        assert_same_pixels(watched / "object" / name, pixels)
