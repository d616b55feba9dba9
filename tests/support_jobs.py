"""A folder of small frames, and the workers' jobs done on them right here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from tapewatch.fitsfile.read import open_frame
from tapewatch.headers.classify import classify
from tapewatch.jobs.perform import perform
from tapewatch.model import (
    BuildMaster,
    CalibrateFrame,
    Frame,
    Kind,
    Master,
    Recipe,
    Report,
    Treatment,
    Workplace,
)
from tapewatch.planning.names import product_path

Pixels = NDArray[np.number]


class JobFolder:
    """Writes frames, and does jobs on them.

    Parameters
    ----------
    folder : Path
        Empty.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[Report] = []
        self._count = 0

    def frame(self, kind: str, pixels: Pixels, exptime: float = 0.0, **cards: object) -> Frame:
        """Write a frame, and classify it."""
        self._count += 1
        path = self.folder / f"{kind}-{self._count:03d}.fits"
        hdu = fits.PrimaryHDU(pixels)
        hdu.header["IMAGETYP"] = kind
        hdu.header["EXPTIME"] = exptime
        hdu.header["DATE-OBS"] = f"2026-03-25T18:{self._count // 60:02d}:{self._count % 60:02d}"
        hdu.header["FILTER"] = "R"
        for keyword, value in cards.items():
            hdu.header[keyword.replace("_", "-")] = value
        hdu.writeto(path)
        with open_frame(path) as raw:
            return classify(path.name, raw.header, raw.shape)

    def build(
        self,
        frames: list[Frame],
        bias: Master | None = None,
        dark: Master | None = None,
        treatment: Treatment | None = None,
    ) -> Master:
        """Combine frames into a master."""
        first, last = frames[0], frames[-1]
        self._count += 1
        master = Master(
            id=f"{self._count:016x}",
            kind=first.kind,
            folder="",
            stem=f"w{first.kind}",
            set_id="set",
            detector=first.detector,
            exptime=last.exptime,
            filter=first.filter,
            temperature=None,
            start=first.start,
            inputs=tuple(f"{number:064x}" for number in range(len(frames))),
            bias_id=bias.id if bias else "",
            dark_id=dark.id if dark else "",
            dark_scale=last.exptime / dark.exptime if dark and dark.exptime else 1.0,
            built=False,
        )
        self.do(BuildMaster(master, tuple(frames), bias, dark), treatment)
        return replace(master, built=True)

    def calibrate(
        self, frame: Frame, *masters: Master, scale: float = 1.0, treatment: Treatment | None = None
    ) -> Path:
        """Calibrate a frame; give its product."""
        ids = {master.kind: master.id for master in masters}
        recipe = Recipe(
            ids.get(Kind.BIAS, ""), ids.get(Kind.DARK, ""), ids.get(Kind.FLAT, ""), scale
        )
        self.do(CalibrateFrame(frame, recipe, masters), treatment)
        return self.folder / product_path(frame.path)

    def do(self, job: BuildMaster | CalibrateFrame, treatment: Treatment | None) -> None:
        """Do a job, and keep its report as the last of `reports`."""
        place = Workplace(self.folder, self.folder, treatment or Treatment(), 0.0)
        self.reports.append(perform(job, place, "attempt"))

    def pixels(self, master: Master) -> Pixels:
        """Read a master."""
        return np.asarray(fits.getdata(self.folder / master.path))

    def header(self, master: Master) -> fits.Header:
        """Read a master's header."""
        return fits.getheader(self.folder / master.path)
