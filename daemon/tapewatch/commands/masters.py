"""``tapewatch masters``: what each master was made of, how old and how good it is, and its use."""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tapewatch.commands.report import master_as_json, moment, open_state, print_table
from tapewatch.errors import TapewatchError
from tapewatch.fitsfile.inspection import inspect
from tapewatch.headers.noise import noise_of
from tapewatch.ledger import LedgerReader, MasterRecord
from tapewatch.model import Kind, Master, MasterNoise
from tapewatch.planning.marks import spread
from tapewatch.planning.reasons import label

_DAY = 86400.0
_HOUR = 3600.0

_HEAD = ("MASTER", "AGE", "FRAMES", "MEAN", "STD", "NOISE", "PRODUCTS", "USE", "FILE")


class Shelf:
    """All the masters of a state file, and what was made of and with them.

    Parameters
    ----------
    ledger : LedgerReader
        Open.
    output : Path
        The masters lie below it.
    now : float
        From which ages count, seconds since 1970.
    """

    def __init__(self, ledger: LedgerReader, output: Path, now: float) -> None:
        self.records = ledger.masters()
        self._ledger = ledger
        self._output = output
        self._now = now
        self._known = {one.master.id: one.master for one in self.records}
        self._bad = spread(ledger.marks(), self._known.values())
        self._products = ledger.products_by_master()

    def describe(self, record: MasterRecord) -> dict[str, Any]:
        """Describe a master.

        Parameters
        ----------
        record : MasterRecord
            One of `records`.

        Returns
        -------
        dict
            As JSON has it; the same keys for every master. Files are relative to the output
            folder, raw frames to the watched one, empty where a frame is not known any more.
            `noise` is that of one frame, ADU, `gain` by the noise of flats, e-/ADU; None where
            they are not known.
        """
        master = record.master
        noise = self._noise(master)
        return master_as_json(record) | {
            "label": label(master),
            "bad": self._bad.get(master.id, ""),
            "taken": moment(master.start),
            "age_days": round((self._now - master.start) / _DAY, 3),
            "camera": master.detector.camera,
            "shape": list(master.detector.shape),
            "binning": list(master.detector.binning),
            "temperature": master.temperature,
            "noise": noise.noise,
            "gain": noise.gain,
            "bias": self._file(master.bias_id),
            "dark": self._file(master.dark_id),
            "dark_scale": master.dark_scale,
            "inputs": [self._input(master, content) for content in master.inputs],
            "masters_made_with_it": [
                one.path for one in self._known.values() if master.id in {one.bias_id, one.dark_id}
            ],
            "products": self._products.get(master.id, 0),
        }

    def _noise(self, master: Master) -> MasterNoise:
        """Read what was measured of its frames' noise, which its header tells."""
        try:
            return noise_of(inspect(self._output / master.path).header)
        except (TapewatchError, OSError):
            return MasterNoise(len(master.inputs))

    def _file(self, identity: str) -> str:
        return self._known[identity].path if identity in self._known else identity

    def _input(self, master: Master, content: str) -> str:
        """Name the frame whose pixels went into a master; of copies the one beside it."""
        paths = self._ledger.paths_with(content)
        folder = master.folder
        return min(paths, key=lambda path: (path.rpartition("/")[0] != folder, path), default="")


def masters(options: argparse.Namespace) -> int:
    """Print the masters on disk.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``json``.

    Returns
    -------
    int
        0.
    """
    parameters, where = open_state(options)
    with LedgerReader(Path(where.state)) as ledger:
        shelf = Shelf(ledger, parameters.output, time.time())
        described = [shelf.describe(one) for one in shelf.records]
    if options.json:
        print(json.dumps({"masters": described}))
    else:
        print_table(_HEAD, map(_row, described))
    return 0


def _use(described: Mapping[str, Any]) -> str:
    """Say in a few words whether a master is used, and why not."""
    return described["bad"] or ("in use" if described["in_use"] else "not in use")


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        one["label"],
        _age(one["age_days"] * _DAY),
        str(one["frames"]),
        _figure(one["mean"], 5),
        _figure(one["std"], 4),
        _noise(one),
        str(one["products"]),
        _use(one),
        one["file"],
    )


def _noise(one: Mapping[str, Any]) -> str:
    """Write the noise of one frame, ADU; of flats the gain that follows from it, e-/ADU."""
    if one["kind"] == Kind.FLAT:
        return "" if one["gain"] is None else f"{one['gain']:.3g} e-/adu"
    return "" if one["noise"] is None else f"{one['noise']:.3g} adu"


def _age(seconds: float) -> str:
    """Write how long ago the frames of a master were taken, in hours or days."""
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.1f} h"
    return f"{seconds / _DAY:.0f} d"


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}g}"
