"""What jobs take of memory: no more than they are given, whatever a frame is or claims to be."""

import gzip
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from astropy.io import fits

from support_jobs import JobFolder, Pixels
from tapewatch import workers
from tapewatch.fitsfile.read import open_frame
from tapewatch.headers.classify import classify
from tapewatch.jobs.perform import perform
from tapewatch.model import BuildMaster, CalibrateFrame, Frame, Master, Treatment, Workplace
from tapewatch.workers import bounded_memory, memory_of

SIDE = 1200  # pixels
_TRIFLE = 2**24  # bytes, in place of the gigabyte that any job may take


class _Bounded(JobFolder):
    """Does jobs as a worker does, within the memory that their frames' size gives them."""

    def do(self, job: BuildMaster | CalibrateFrame, treatment: Treatment | None) -> None:
        place = Workplace(self.folder, self.folder, treatment or Treatment(), 0.0)
        with patch.object(workers, "_MEMORY", _TRIFLE), bounded_memory(memory_of(job, place)):
            self.reports.append(perform(job, place, "attempt"))


def _pixels(level: int) -> Pixels:
    return np.random.default_rng(level).normal(level, 10, (SIDE, SIDE))


def _tiled(folder: Path, frame: Frame) -> Frame:
    """Have a frame compressed tile by tile."""
    plain = folder / frame.path
    with fits.open(plain) as hdus:
        image = fits.CompImageHDU(hdus[0].data, hdus[0].header, "GZIP_1", quantize_level=0)
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(folder / f"{frame.path}.fz")
    plain.unlink()
    with open_frame(folder / f"{frame.path}.fz") as raw:
        return classify(f"{frame.path}.fz", raw.header, raw.shape)


@pytest.mark.parametrize("cosmic", [False, True])
def test_the_greatest_jobs_have_enough_memory(tmp_path: Path, cosmic: bool) -> None:
    treatment = Treatment(uncert=True, cosmic=cosmic)
    folder = _Bounded(tmp_path)
    noise = {"EGAIN": 1.5, "RDNOISE": 5.0}
    masters: list[Master] = []
    for kind, level, exptime in (("bias", 1000, 0.0), ("dark", 1100, 60.0), ("flat", 20000, 5.0)):
        frames = [folder.frame(kind, _pixels(level + n), exptime, **noise) for n in range(2)]
        bias = masters[0] if masters else None
        masters.append(folder.build(frames, bias, treatment=treatment))
    frame = _tiled(tmp_path, folder.frame("object", _pixels(3000), 30.0, **noise))
    product = folder.calibrate(frame, *masters, scale=0.5, treatment=treatment)
    assert fits.getdata(product).shape == (SIDE, SIDE)


def test_a_tile_that_unpacks_to_gigabytes_is_refused_their_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.fits.fz"
    tile = gzip.compress(bytes(2**25)) * 64
    columns = [fits.Column("COMPRESSED_DATA", "1PB(1)", array=np.array([[0]], object))]
    table = fits.BinTableHDU.from_columns(columns)
    structure = {"ZIMAGE": True, "ZBITPIX": 16, "ZNAXIS": 2, "ZCMPTYPE": "GZIP_1"}
    sides = dict.fromkeys(("ZNAXIS1", "ZNAXIS2", "ZTILE1", "ZTILE2"), 64)
    table.header.update({**structure, **sides})
    table.data["COMPRESSED_DATA"][0] = np.frombuffer(tile, np.uint8)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    with bounded_memory(2**28), pytest.raises(MemoryError), open_frame(path):
        pass
