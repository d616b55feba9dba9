"""What tapewatch has made of a folder, so that two runs can be compared."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from support_night import ask, assert_whole, tapewatch

# The time of processing, and the checksum over a header that holds it.
_OF_THE_MOMENT = {"DATE-PRC", "CHECKSUM"}
_FACTS = ("kind", "state", "reason", "filter", "exptime", "date_obs", "masters", "flags")


@dataclass(frozen=True)
class Results:
    """All that may be compared.

    Parameters
    ----------
    products : dict
        Of each FITS file that is no raw frame: of each HDU its cards and the bytes of its data.
    lists : dict
        Text of each list.
    frames : dict
        What ``status --json`` says of each frame, times apart.
    files : frozenset of str
        Names of all files, but for those in ``.tapewatch``.
    """

    products: dict[str, list[tuple[list[str], bytes]]]
    lists: dict[str, str]
    frames: dict[str, dict[str, object]]
    files: frozenset[str]


def results_of(par: Path, raws: frozenset[str]) -> Results:
    """Read what was made of a folder, less the masters that others have superseded.

    How many of those there are is a matter of moments: a set is complete before its last frame has
    been looked at. They must be whole, and no more.

    Parameters
    ----------
    par : Path
        Its tape.par.
    raws : frozenset of str
        Names of raw frames, relative to the folder.
    """
    folder = par.parent
    files = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and ".tapewatch/" not in f"{path.relative_to(folder)}"
    }
    masters = json.loads(ask("masters", par, "--json").output)["masters"]
    in_use = {one["file"] for one in masters if one["in_use"]}
    superseded = {one for one in files - in_use if Path(one).parent.name == "masters"}
    for name in superseded:
        assert_whole(folder / name)
    files -= superseded
    made = {name for name in files - raws if name.endswith((".fits", ".fit", ".fts"))}
    answer = json.loads(tapewatch("status", par, "--json").output)
    return Results(
        {name: _content(folder / name) for name in sorted(made)},
        {name: (folder / name).read_text() for name in files if name.endswith(".list")},
        {one["file"]: {key: one.get(key) for key in _FACTS} for one in answer["frames"]},
        frozenset(files),
    )


def assert_as_expected(par: Path, raws: frozenset[str], expected: Results) -> None:
    """See that a folder holds what a clean run makes of it."""
    assert results_of(par, raws) == expected
    assert not list(par.parent.rglob("*.part"))


def assert_nothing_half_done(par: Path, raws: frozenset[str]) -> None:
    """See that all under a final name is whole, and that what is called done is on disk."""
    folder = par.parent
    for path in folder.rglob("*.fit*"):
        name = str(path.relative_to(folder))
        if name not in raws and not path.name.startswith("."):
            assert_whole(path)
    status = tapewatch("status", par, "--json")
    if status.code:  # killed before there was anything to tell
        assert not list(folder.rglob("w*.fit*"))
        return
    for frame in json.loads(status.output)["frames"]:
        if frame["kind"] == "object" and frame["state"] == "done":
            raw = folder / frame["file"].removesuffix(".gz")
            assert raw.with_name(f"w{raw.name}").exists(), frame


def _content(path: Path) -> list[tuple[list[str], bytes]]:
    with fits.open(path, memmap=False) as hdus:
        return [
            (
                [str(card) for card in hdu.header.cards if card.keyword not in _OF_THE_MOMENT],
                np.asarray(hdu.data).tobytes(),
            )
            for hdu in hdus
        ]
