"""A new master beside the one that it follows: which that is, and whether it is worse. Pure."""

from collections.abc import Iterable, Iterator

from tapewatch.model import Difference, Kind, Master
from tapewatch.parameters import Parameters
from tapewatch.planning.objections import SAME_EXPOSURE, detector_objection

_OFF = 0.001  # fraction of the pixels that may be off by more than 6 sigma
_SIGMAS = 3.0  # by which the level, or a part, of a bias or dark may be off
_LEAST = 2.0  # ADU; a bias wanders by that in a night
_BEND = 0.02  # by which a part of a flat may be off
_NOISIER = 1.5  # times what the numbers of frames let expect


def before(wanted: Master, masters: Iterable[Master], parameters: Parameters) -> Master | None:
    """Find the master of another night with which a new one is compared.

    Parameters
    ----------
    wanted : Master
        About to be built.
    masters : iterable of Master
        Those in use.
    parameters : Parameters
        TEMPTOL.

    Returns
    -------
    Master or None
        Of the same kind, exposure time (darks), filter (flats) and read-out, corrected alike; the
        last one before it.
    """

    def alike(one: Master) -> bool:
        return (
            one.built
            and one.id != wanted.id
            and (one.kind, one.filter) == (wanted.kind, wanted.filter)
            and (bool(one.bias_id), bool(one.dark_id))
            == (bool(wanted.bias_id), bool(wanted.dark_id))
            and (one.detector.shape, one.detector.window)
            == (wanted.detector.shape, wanted.detector.window)
            and not detector_objection(one.detector, wanted.detector)
            and one.start <= wanted.start
            and (wanted.kind is Kind.FLAT or _as_dark(one, wanted, parameters))
        )

    return max(filter(alike, masters), key=lambda one: (one.start, one.id), default=None)


def _as_dark(one: Master, wanted: Master, parameters: Parameters) -> bool:
    """Tell whether exposure time and temperature are the same, as far as they are known."""
    longer = max(one.exptime, wanted.exptime)
    same = abs(one.exptime - wanted.exptime) <= SAME_EXPOSURE * longer
    if one.temperature is None or wanted.temperature is None:
        return same
    return same and abs(one.temperature - wanted.temperature) <= parameters.temptol


def worse(found: Difference, now: Master, then: Master) -> str:
    """Say in what a new master is worse than, or unlike, the one before it.

    Parameters
    ----------
    found : Difference
        Between them.
    now, then : Master
        The new one and the other.

    Returns
    -------
    str
        The figures, and both files; empty where it is as good and alike.
    """
    told = "; ".join(_figures(found, now, then))
    if not told:
        return ""
    return (
        f"worse than or unlike {then.path} of {len(then.inputs)} frames: {told}. It is used;"
        f" `tapewatch mark bad {now.path}` takes it back"
    )


def _figures(found: Difference, now: Master, then: Master) -> Iterator[str]:
    flat = now.kind is Kind.FLAT

    def number(value: float) -> str:
        return f"{value:.4f}" if flat else f"{value:.1f} ADU"

    normal = _BEND if flat else max(_SIGMAS * found.sigma, _LEAST)
    if found.off > _OFF:
        yield (
            f"{found.off:.2%} of the pixels off by more than 6 sigma ({_OFF:.1%} at most wanted;"
            f" sigma is {number(found.sigma)})"
        )
    for what, off in (("its level", found.shift), ("a part of it", found.bend)):
        if abs(off) > normal:
            yield f"{what} off by {number(off)} (within {number(normal)} wanted)"
    noisier = found.noise / found.noise_before if found.noise_before else 1.0
    most = _NOISIER * max(1.0, (len(then.inputs) / max(len(now.inputs), 1)) ** 0.5)
    if noisier > most:
        yield (
            f"its pixels scatter by {number(found.noise)}, {noisier:.1f} times as much"
            f" ({most:.1f} times at most wanted)"
        )
