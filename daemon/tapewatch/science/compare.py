"""How one master differs from another, and how much of a flat is dark current. Pure numpy."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tapewatch.model import Difference
from tapewatch.science.profile import Sampler

Strips = Callable[[], Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]]
"""Gives the same pixels of two masters, strip by strip from the first, each time it is called."""

_SIGMAS = 6.0


@np.errstate(invalid="ignore", over="ignore")
def difference(strips: Strips, shape: tuple[int, int], unstable: float = 0.0) -> Difference:
    """Compare a master with the one before it, in two passes.

    Parameters
    ----------
    strips : callable
        Gives (before, now), each (n,) float32.
    shape : tuple of int
        (ny, nx) of the masters, pixels.
    unstable : float
        Fraction of its own value by which a pixel may be off besides: hot pixels are as unstable
        as they are hot.

    Returns
    -------
    Difference
        In the unit of the masters. Sigma is the robust one of the difference, in pixels beside each
        other: a bend of the whole does not count as noise.
    """
    before, now, change = Sampler(shape), Sampler(shape), Sampler(shape)
    for old, new in strips():
        before.add(old)
        now.add(new)
        change.add(new - old)
    found = change.result()
    sigma, shift, off = found.scatter, found.level, 0
    for old, new in strips():
        far = np.abs(new - old - np.float32(shift)) > _SIGMAS * sigma + unstable * np.abs(old)
        off += int(np.count_nonzero(far))
    return Difference(
        sigma=sigma,
        shift=shift,
        bend=max(found.structure, key=abs, default=0.0),
        off=off / (shape[0] * shape[1]),
        noise_before=before.result().scatter,
        noise=now.result().scatter,
    )


@np.errstate(invalid="ignore", divide="ignore")
def dark_in_flat(strips: Strips, share: float, limit: float) -> tuple[float, float]:
    """Tell how much of a flat that had no dark subtracted is dark current.

    Parameters
    ----------
    strips : callable
        Gives (dark, flat), each (n,) float32: ADU above the bias, and relative to 1.
    share : float
        Dark current of a flat relative to its level, for an ADU of the dark:
        ``(t_flat / t_dark) / level``.
    limit : float
        Fraction of a pixel's own level.

    Returns
    -------
    (float, float)
        Fraction of the pixels of which dark current is more than the limit, and more than 1 %.
    """
    pixels = above = far_above = 0
    for dark, flat in strips():
        part = dark * np.float32(share) / flat
        pixels += part.size
        above += int(np.count_nonzero(part > limit))
        far_above += int(np.count_nonzero(part > 0.01))  # noqa: PLR2004  (1 %)
    return above / max(pixels, 1), far_above / max(pixels, 1)
