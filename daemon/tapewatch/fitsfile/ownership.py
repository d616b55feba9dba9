"""Whose file is it? Before a name is taken, what stands there must be ours or the notebook's."""

import stat
from enum import StrEnum
from pathlib import Path

from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.files import reader, regular_file
from tapewatch.fitsfile.layout import Hdu, scan_hdus


class Owner(StrEnum):
    """Who wrote what stands under a name."""

    ABSENT = "absent"
    OURS = "ours"  # carries TWID
    NOTEBOOK = "notebook"  # an earlier product: DATE-PRC and an image of floats
    FOREIGN = "foreign"  # anything else, a folder or a symlink too


def owner(path: Path) -> Owner:
    """Tell who wrote a file, by its primary header.

    Parameters
    ----------
    path : Path
        The file, or a name not taken.

    Returns
    -------
    Owner

    Raises
    ------
    OSError
        From the system, such as no permission to read it.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return Owner.FOREIGN
        primary = _primary(path)
    except FileNotFoundError:
        return Owner.ABSENT
    except (IncompleteFileError, RejectedError):
        return Owner.FOREIGN
    if "TWID" in primary.header:
        return Owner.OURS
    if "DATE-PRC" in primary.header and primary.is_image and primary.bitpix < 0:
        return Owner.NOTEBOOK
    return Owner.FOREIGN


def require_own(path: Path) -> None:
    """Refuse to overwrite what is neither ours nor the notebook's.

    Parameters
    ----------
    path : Path
        Where a product is about to go.

    Raises
    ------
    RejectedError
        Something else stands there.
    """
    if owner(path) is Owner.FOREIGN:
        raise RejectedError(
            f"{path} is there already and was written neither by tapewatch nor by the notebook: "
            "move it away, or set OUTDIR"
        )


def _primary(path: Path) -> Hdu:
    with regular_file(path) as (descriptor, _):
        return next(scan_hdus(reader(descriptor)))
