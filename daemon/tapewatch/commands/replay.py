"""The job that made a product or a master, found again by what its header names."""

import re
from itertools import chain
from pathlib import Path

from tapewatch.arrival.made import read_master
from tapewatch.arrival.recognise import recognise
from tapewatch.errors import RejectedError, TapewatchError
from tapewatch.fitsfile.inspection import inspect
from tapewatch.fitsfile.table import read_texts
from tapewatch.headers.cards import Header
from tapewatch.headers.compose import printable
from tapewatch.headers.provenance import INPUTS, recipe_of
from tapewatch.headers.values import as_text
from tapewatch.jobs.measure import measure_frame
from tapewatch.model import BuildMaster, CalibrateFrame, Frame, Master, MeasureFrame
from tapewatch.parameters import Parameters
from tapewatch.planning.identity import recipe_of_masters, recipe_of_products
from tapewatch.planning.names import PROVISIONAL_FOLDER, product_path

_ID = re.compile(r"[0-9a-f]{16}")
_MASTERS = "masters"


class MissingError(TapewatchError):
    """Something that a file was made of is gone, or is not any more what it was."""


class Origins:
    """Finds what products and masters were made of.

    Parameters
    ----------
    parameters : Parameters
        WATCHDIR, OUTDIR and what tells a frame; the rest decides what is made.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._masters: dict[str, Master] = {}

    def job(self, path: Path, header: Header) -> BuildMaster | CalibrateFrame:
        """Find the job that made a file.

        Parameters
        ----------
        path : Path
            The file.
        header : Header
            Its header, with TWID.

        Returns
        -------
        BuildMaster or CalibrateFrame
            With the masters as they are on disk, and raw frames whose pixels are those of then.

        Raises
        ------
        MissingError
            What is missing, or has changed.
        RejectedError
            The header does not tell what it was made of.
        """
        return self._build(path, header) if "TWKIND" in header else self._calibrate(path, header)

    def recipe(self, header: Header) -> str:
        """Hash what tape.par says now, as the card TWRECIPE of such a file does."""
        treatment = self._parameters.treatment
        if "TWKIND" in header:
            return recipe_of_masters(treatment)
        return recipe_of_products(self._parameters.steps, treatment)

    def _build(self, path: Path, header: Header) -> BuildMaster:
        table = read_texts(path, INPUTS)
        names, hashes = table.get("NAME", ()), table.get("SHA256", ())
        frames, missing = [], []
        for name, data_hash in zip(names, hashes, strict=True):
            try:
                frames.append(self._raw_named(name, data_hash))
            except MissingError as error:
                missing.append(str(error))
        if missing:
            raise MissingError("; ".join(missing))
        bias, dark = (self._named(path, header, keyword) for keyword in ("TWBIAS", "TWDARK"))
        made = read_master(path, inspect(path), self._folder_of(path))
        return BuildMaster(made.master, tuple(frames), bias, dark)

    def _calibrate(self, path: Path, header: Header) -> CalibrateFrame:
        found = [self._named(path, header, keyword) for keyword in ("TWBIAS", "TWDARK", "TWFLAT")]
        recipe = recipe_of(header)
        frame = self._raw_of_product(path, as_text(header.get("TWRAW")))
        return CalibrateFrame(frame, recipe, tuple(one for one in found if one is not None))

    def _raw_named(self, name: str, data_hash: str) -> Frame:
        """Find a raw frame by its path relative to the watched folder."""
        # A name that FITS cannot hold is written in the table as `printable` makes it.
        for path in self._files(Path(name).parent):
            if printable(path) == name:
                return self._raw(path, data_hash)
        raise MissingError(f"raw frame {name} is gone")

    def _raw_of_product(self, path: Path, data_hash: str) -> Frame:
        """Find the raw frame of a product: in the same subfolder, of the name that gives its."""
        folder, output = _folder(path), self._parameters.output
        if not folder.is_relative_to(output):
            raise MissingError(f"{path} is not below {output}: where is its raw frame?")
        below = folder.relative_to(output)
        reasons = []
        for candidate in self._files(below):
            if Path(product_path(candidate)).name == path.name:
                try:
                    return self._raw(candidate, data_hash)
                except MissingError as error:
                    reasons.append(str(error))
        gone = f"raw frame {(below / path.name.removeprefix('w')).as_posix()} is gone"
        raise MissingError("; ".join(reasons) or gone)

    def _raw(self, path: str, data_hash: str) -> Frame:
        """Recognise a raw frame, and see that its pixels are those of then."""
        place = self._parameters.workplace
        try:
            frame = recognise(path, inspect(place.watchdir / path), self._parameters)
            found = measure_frame(MeasureFrame(frame), place).content
        except (TapewatchError, OSError) as error:
            raise MissingError(f"raw frame {path} cannot be used: {error}") from error
        if found is None or found.data_hash != data_hash:
            raise MissingError(f"raw frame {path} has changed: its pixels are other ones")
        return frame

    def _files(self, folder: Path) -> list[str]:
        """List a folder of raw frames, as paths relative to the watched one."""
        watchdir = self._parameters.watchdir
        try:
            found = sorted((watchdir / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [one.relative_to(watchdir).as_posix() for one in found]

    def _named(self, path: Path, header: Header, keyword: str) -> Master | None:
        """Find the master that a card names by its ID."""
        identity = as_text(header.get(keyword))
        if not identity:
            return None
        if identity not in self._masters:
            self._masters[identity] = self._find_master(path, identity, keyword)
        return self._masters[identity]

    def _folder_of(self, path: Path) -> str:
        """Give the folder of the raw frames of a master, relative to the watched one."""
        folder, output = _folder(path), self._parameters.output
        below = folder.relative_to(output) if folder.is_relative_to(output) else Path()
        return below.as_posix() if below.parts else ""

    def _find_master(self, path: Path, identity: str, keyword: str) -> Master:
        if not _ID.fullmatch(identity):
            raise RejectedError(f"{keyword} is '{identity}', expected 16 hexadecimal digits")
        output, name = self._parameters.output, f"*-{identity}.fits"
        near = (_folder(path) / _MASTERS).glob(name)
        for file in chain(near, output.rglob(f"{_MASTERS}/{name}")):
            inspection = inspect(file)
            if as_text(inspection.header.get("TWID")) == identity and file.is_relative_to(output):
                return read_master(file, inspection, self._folder_of(file)).master
        raise MissingError(f"master {identity} ({keyword}) is in no folder masters/ of {output}")


def _folder(path: Path) -> Path:
    """Give the folder of raw frames that a product or master belongs to."""
    own = path.parent
    return own.parent if own.name in {_MASTERS, PROVISIONAL_FOLDER} else own
