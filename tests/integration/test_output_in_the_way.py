"""What others put where a product stands, or should stand: it costs that frame, and no other."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support_frames import write_raw
from support_service import station, write_calibrations, write_objects


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("somebody's")


def a_file_of_another_program(path: Path) -> None:
    write_raw(path, 1234, IMAGETYP="object", CREATOR="somebody's program")


@pytest.mark.parametrize("in_the_way", [a_folder, a_file_of_another_program])
def test_what_stands_where_a_product_should_costs_that_frame_alone(
    tmp_path: Path, in_the_way: Callable[[Path], None]
) -> None:
    raws, output = tmp_path / "raws", tmp_path / "out"
    write_calibrations(raws)
    write_objects(raws, "x.fits", "y.fits", "z.fits")
    output.mkdir()
    in_the_way(output / "wy.fits")
    before = sorted(output.rglob("*"))
    with station(raws, OUTDIR=output) as at:
        at.look()
        states = at.states()
        assert (states["x.fits"], states["z.fits"]) == ("done", "done")
        assert states["y.fits"] == "rejected"
        assert "wy.fits" in at.reason("y.fits")
        assert at.objects() == ["x.fits", "z.fits"]
        assert at.events("service.degraded") == []
        assert not list(output.rglob("*.part"))
    assert all(path.exists() for path in before)


def test_a_product_that_another_program_replaced_while_running_is_left_to_it(
    tmp_path: Path,
) -> None:
    raws, output = tmp_path / "raws", tmp_path / "out"
    write_calibrations(raws)
    write_objects(raws, "x.fits", "y.fits")
    with station(raws, OUTDIR=output) as at:
        at.look()
        assert at.objects() == ["x.fits", "y.fits"]
        (output / "wx.fits").unlink()
        a_file_of_another_program(output / "wx.fits")
        theirs = (output / "wx.fits").read_bytes()
        write_objects(raws, "x.fits", "y.fits", "z.fits")  # the same pixels, and one more
        at.look()
        at.look()
        assert (output / "wx.fits").read_bytes() == theirs
        assert at.states()["z.fits"] == "done"
        assert at.events("service.degraded") == []
