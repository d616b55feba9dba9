"""The masters of all folders, in order of time: of a season's many, those that may be chosen. Pure.

Of masters that differ in time alone the nearest before a folder's frames and the nearest after
them are better than all others of other folders; of darks the nearest whose temperature suits all
of these frames. So what planning a folder costs depends on the masters there are around it, and not
on how many nights went by.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence

from tapewatch.model import Kind, Master, Span
from tapewatch.parameters import Parameters
from tapewatch.planning.objections import DAY, age_limit

_HALF_AN_EXPOSURE = DAY / 2  # the longest: by so much the middle of a sequence may come later
_MATCHED_BY_EXPOSURE = frozenset({Kind.DARK, Kind.FLATDARK})  # and by temperature


class Library:
    """All masters on disk.

    Parameters
    ----------
    masters : iterable of Master
        Whatever their version.
    in_use : collection of str
        IDs of those that frames are calibrated with now.
    parameters : Parameters
        MAXAGE and TEMPTOL.

    Attributes
    ----------
    masters : tuple of Master
        All of them.
    by_id : dict of str to Master
        The same.
    in_use : frozenset of str
        As given.
    all_in_use : tuple of Master
        These.
    """

    def __init__(
        self, masters: Iterable[Master], in_use: Collection[str], parameters: Parameters
    ) -> None:
        self.masters = tuple(masters)
        self.by_id = {one.id: one for one in self.masters}
        self.in_use = frozenset(in_use)
        self.all_in_use = tuple(one for one in self.masters if one.id in self.in_use)
        self._by_folder: dict[str, list[Master]] = {}
        for one in self.masters:
            self._by_folder.setdefault(one.folder, []).append(one)
        alike: dict[object, list[Master]] = {}
        for one in self.all_in_use:
            alike.setdefault(_likeness(one), []).append(one)
        self._shelves = [_Shelf(group, parameters) for group in alike.values()]

    def of(self, folder: str) -> tuple[tuple[Master, ...], frozenset[str]]:
        """Give the masters of a folder's frames.

        Parameters
        ----------
        folder : str
            Relative to WATCHDIR.

        Returns
        -------
        masters : tuple of Master
            Whatever their version.
        in_use : frozenset of str
            IDs of those in use.
        """
        found = tuple(self._by_folder.get(folder, ()))
        return found, frozenset(one.id for one in found if one.id in self.in_use)

    def all_elsewhere(self, folder: str) -> tuple[Master, ...]:
        """Give all masters in use of other folders.

        Parameters
        ----------
        folder : str
            Relative to WATCHDIR.

        Returns
        -------
        tuple of Master
            In the order in which they came.
        """
        return tuple(one for one in self.all_in_use if one.folder != folder)

    def elsewhere(
        self, folder: str, span: Span | None, bad: Collection[str] = ()
    ) -> tuple[Master, ...]:
        """Give the masters of other folders that may be chosen for frames of a folder.

        Parameters
        ----------
        folder : str
            Relative to WATCHDIR.
        span : Span or None
            Of its frames; None where there are none.
        bad : collection of str
            IDs of masters that are not to be used: they are given beside the others.

        Returns
        -------
        tuple of Master
            Those in use of which none is better for all of these frames. Where all of those that
            are alike are too old (MAXAGE), the nearest of them, for an observer to be told.
        """
        if span is None:
            return ()
        marked = frozenset(bad)
        return tuple(
            master for shelf in self._shelves for master in shelf.around(folder, span, marked)
        )


class _Shelf:
    """Masters that suit the same frames, but for time and temperature."""

    def __init__(self, masters: Sequence[Master], parameters: Parameters) -> None:
        # Of two that are equally old the lower ID goes first, in either direction.
        self._later = sorted(masters, key=lambda one: (one.start, one.id))
        self._earlier = sorted(masters, key=lambda one: (-one.start, one.id))
        self._oldest = age_limit(masters[0].kind, parameters)
        self._tolerance = parameters.temptol

    def around(self, folder: str, span: Span, bad: frozenset[str]) -> Iterator[Master]:
        """Give those between the first and the last frame, and the nearest before and after."""
        begin = bisect_left(self._later, span.first, key=_start)
        end = bisect_right(self._later, span.last + _HALF_AN_EXPOSURE, key=_start)
        yield from (one for one in self._later[begin:end] if one.folder != folder)
        before = len(self._earlier) - begin
        for masters, place, edge in (
            (self._earlier, before, span.first),
            (self._later, end, span.last + _HALF_AN_EXPOSURE),
        ):
            others = (masters[one] for one in range(place, len(masters)))
            away = (one for one in others if one.folder != folder)
            yield from self._nearest(away, edge, span, bad)

    def _nearest(
        self, masters: Iterable[Master], edge: float, span: Span, bad: frozenset[str]
    ) -> Iterator[Master]:
        """Walk away in time until one suits all frames, or all is too old."""
        met: set[float | None] = set()  # temperatures that suit some of the frames
        unsuitable: Master | None = None
        for master in masters:
            too_old = abs(master.start - edge) > self._oldest
            if too_old and met:
                return
            if master.id in bad:
                yield master
                continue
            suits_all, suits_some = self._suits(master, span)
            if suits_some and master.temperature not in met:
                met.add(master.temperature)
                yield master
            unsuitable = unsuitable or (None if suits_some else master)
            if too_old or suits_all:
                break
        if unsuitable is not None and not met:
            yield unsuitable

    def _suits(self, master: Master, span: Span) -> tuple[bool, bool]:
        """Tell whether a master's temperature suits all frames, and whether it may suit any."""
        temperature = _temperature(master)
        if temperature is None or span.coldest is None or span.warmest is None:
            return True, True
        above, below = temperature - span.warmest, span.coldest - temperature
        suits_all = max(temperature - span.coldest, span.warmest - temperature) <= self._tolerance
        return suits_all, not span.all_tell or max(above, below) <= self._tolerance


def _likeness(master: Master) -> tuple[object, ...]:
    """Give all by which a master is matched with frames, but for time and temperature."""
    return (
        master.kind,
        master.detector,
        master.filter if master.kind is Kind.FLAT else "",
        master.exptime if master.kind in _MATCHED_BY_EXPOSURE else 0.0,
        bool(master.bias_id),
    )


def _temperature(master: Master) -> float | None:
    return master.temperature if master.kind in _MATCHED_BY_EXPOSURE else None


def _start(master: Master) -> float:
    return master.start
