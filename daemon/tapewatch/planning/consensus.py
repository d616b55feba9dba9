"""Masters that suit all frames of a sequence, and those on which its products agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tapewatch.model import Chain, Frame, FrameSequence, Kind, Master, Tally
from tapewatch.parameters import Parameters
from tapewatch.planning.match import Match, find_master

Matches = Mapping[float, Mapping[Kind, Match]]
"""Exposure time -> kind -> the master for all frames of a sequence: a match without a master where
there is none for any of them; no match where none suits all, and each frame has its own."""


@dataclass(frozen=True, slots=True)
class Stock:
    """The masters there are for a sequence, and how they are to be used.

    Parameters
    ----------
    usable : tuple of Master
        In use, or about to be.
    known : mapping of str to Master
        These and all of which products were made, by ID.
    bad : mapping of str to str
        IDs of those that are not to be used, and why.
    kinds : tuple of Kind
        Needed by every frame (STEPS).
    parameters : Parameters
        From tape.par.
    recipe_id : str
        Hash of the parameters that decide the pixels.
    """

    usable: tuple[Master, ...]
    known: Mapping[str, Master]
    bad: Mapping[str, str]
    kinds: tuple[Kind, ...]
    parameters: Parameters
    recipe_id: str


def best_for_all(sequence: FrameSequence, stock: Stock) -> Matches:
    """Choose the best masters that suit all frames of a sequence."""
    whole = _Span.of(sequence, sequence.tallies)
    shared = {kind: _choose(kind, whole, stock) for kind in stock.kinds if kind is not Kind.DARK}
    chosen: dict[float, dict[Kind, Match]] = {}
    for exptime in sorted({one.exptime for one in sequence.tallies}):
        alike = [one for one in sequence.tallies if one.exptime == exptime]
        span = _Span.of(sequence, alike)
        matches = {
            kind: _choose(kind, span, stock) if kind is Kind.DARK else shared[kind]
            for kind in stock.kinds
        }
        chosen[exptime] = {kind: match for kind, match in matches.items() if match is not None}
    return chosen


@dataclass(frozen=True, slots=True)
class _Span:
    """Frames that stand for all of a sequence: one of its middle, and the outermost."""

    middle: Frame
    outermost: tuple[Frame, ...]

    @classmethod
    def of(cls, sequence: FrameSequence, tallies: Sequence[Tally]) -> "_Span":
        """Make them of the sequence's last frame."""
        cold = [one.coldest for one in tallies if one.coldest is not None]
        warm = [one.warmest for one in tallies if one.warmest is not None]
        extremes = {min(cold, default=None), max(warm, default=None)}
        middle = (min(cold) + max(warm)) / 2 if cold and warm else None
        one = replace(sequence.example, exptime=tallies[0].exptime)
        return cls(
            replace(one, start=(sequence.first + sequence.ended) / 2, temperature=middle),
            tuple(
                replace(one, start=start, temperature=temperature)
                for start in sorted({sequence.first, sequence.last})
                for temperature in extremes
            ),
        )


def _choose(kind: Kind, span: _Span, stock: Stock) -> Match | None:
    """Choose the master that suits all frames; None where each has to find its own."""
    objections: dict[str, tuple[Master, str]] = {}
    suits_one = False
    for frame in (span.middle, *span.outermost):
        match = find_master(kind, frame, stock.usable, stock.parameters, stock.bad)
        suits_one = suits_one or match.master is not None
        objections = {one.id: (one, why) for one, why in match.turned_down} | objections
    suitable = [one for one in stock.usable if one.id not in objections]
    match = find_master(kind, span.middle, suitable, stock.parameters, stock.bad)
    if match.master is None and suits_one:
        return None
    return replace(match, turned_down=tuple(objections.values()))


Pins = Mapping[tuple[Kind, float | None], Master]


def agreed_on(made: Sequence[Tally], stock: Stock) -> Pins:
    """Give the masters on which products agree: by kind, darks by exposure time, too."""
    ids: dict[tuple[Kind, float | None], set[str]] = {}
    for one in made:
        if one.chain is None or one.chain.parameters != stock.recipe_id:
            return {}
        for kind in stock.kinds:
            key = kind, one.exptime if kind is Kind.DARK else None
            ids.setdefault(key, set()).add(getattr(one.chain, kind))
    agreed = {key: next(iter(found)) for key, found in ids.items() if len(found) == 1}
    return {
        key: stock.known[one]
        for key, one in agreed.items()
        if one in stock.known and one not in stock.bad
    }


def override(best: Matches, pins: Pins) -> Matches:
    """Put masters that are kept in the place of the best ones."""
    found: dict[float, dict[Kind, Match]] = {}
    for exptime, matches in best.items():
        found[exptime] = dict(matches)
        for (kind, only), master in pins.items():
            if only is None or only == exptime:
                turned_down = matches[kind].turned_down if kind in matches else ()
                found[exptime][kind] = Match(master, turned_down=turned_down)
    return found


def agree_of(one: Tally, matches: Matches, stock: Stock) -> bool:
    """Tell the same of the products of a tally."""
    return one.chain is not None and agree(one.chain, matches[one.exptime], stock.recipe_id)


def agree(chain: Chain, matches: Mapping[Kind, Match], recipe_id: str) -> bool:
    """Tell whether a product was made by some masters, as far as they are the same for all."""
    return chain.parameters == recipe_id and all(
        match.master is not None and getattr(chain, kind) == match.master.id
        for kind, match in matches.items()
    )


def alike(made: Sequence[Tally]) -> bool:
    """Tell whether products were all made by the same masters."""
    chains = {one.chain for one in made}
    shared = {replace(one, dark="") for one in chains if one is not None}
    darks = {(one.exptime, one.chain.dark) for one in made if one.chain is not None}
    return len(shared) == 1 and len(darks) == len({exptime for exptime, _ in darks})
