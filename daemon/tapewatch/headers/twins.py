"""Frames that a camera writes twice: with its own dark subtracted, and raw.

SBIG's programs write ``X.FIT`` less an automatic dark and, beside it, ``X.NOAUTODARK.FIT``. The
raw one counts: the other's dark is unknown, and would be subtracted a second time.
"""

import re

from tapewatch.model import Frame

_MARK = re.compile(r"\.noautodark(?=\.[^./]+$)", re.IGNORECASE)
_SUFFIX = re.compile(r"(?=\.[^./]+$)")


def raw_copies(path: str) -> tuple[str, ...]:
    """Paths where the raw copy of a frame would lie.

    Parameters
    ----------
    path : str
        Of a frame, relative to WATCHDIR.

    Returns
    -------
    tuple of str
        ``X.NOAUTODARK.FIT`` and ``X.noautodark.FIT`` for ``X.FIT``; empty for a raw copy.
    """
    if _MARK.search(path) or not _SUFFIX.search(path):
        return ()
    return tuple(_SUFFIX.sub(mark, path) for mark in (".NOAUTODARK", ".noautodark"))


def subtracted_copy(path: str) -> str:
    """Path of the frame less the camera's dark, of which this is the raw copy.

    Parameters
    ----------
    path : str
        Of a frame, relative to WATCHDIR.

    Returns
    -------
    str
        ``X.FIT`` for ``X.NOAUTODARK.FIT``, else empty.
    """
    return _MARK.sub("", path) if _MARK.search(path) else ""


def superseded(frame: Frame, other: Frame) -> str:
    """Tell whether a frame is not to be used because another is its raw copy.

    Parameters
    ----------
    frame, other : Frame
        Any two.

    Returns
    -------
    str
        The reason; empty where their names do not go together, or their headers tell of different
        exposures.
    """
    same = (frame.date_obs, frame.exptime, frame.detector.shape, frame.detector.camera) == (
        *(other.date_obs, other.exptime, other.detector.shape, other.detector.camera),
    )
    if not same or other.path not in raw_copies(frame.path):
        return ""
    return f"the camera subtracted a dark: its raw copy {other.name} is used"
