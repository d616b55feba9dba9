"""Sequences: all frames that an observer takes of one target keep the same masters.

A master that is exchanged in the middle puts a step of a few tenths of a percent into a light
curve: the size of a transit. So masters are chosen for a sequence as a whole, kept while it goes
on, and exchanged for better ones after it ended: for all of its frames, or for none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tapewatch.model import LONGEST_GAP, Chain, Frame, FrameSequence, Kind, State, Tally
from tapewatch.planning.consensus import (
    Matches,
    Pins,
    Stock,
    agree,
    agree_of,
    agreed_on,
    alike,
    best_for_all,
    override,
)
from tapewatch.planning.match import Match, find_master

MIXED = "MIXED"
"""Flag of a product whose masters need not be those of the other frames of its sequence."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a product.

    Parameters
    ----------
    state : State
        Of its frame: done or stale.
    reason : str
        Why it is stale, or what there is to say although it is done; may be empty.
    redo : bool
        It is to be made anew, now.
    """

    state: State
    reason: str = ""
    redo: bool = False


_DONE = Ruling(State.DONE)
_REDO = Ruling(State.STALE, "better masters have come", redo=True)
_RUNNING = Ruling(State.STALE, "better masters have come, for when its sequence has ended")
_NEVER = Ruling(State.STALE, "its masters were superseded, and RECAL is never")
_BLOCKED = Ruling(State.STALE, "better masters have come, but not for all of its sequence")
_KEPT = Ruling(
    State.DONE, "better masters have come, but a raw frame of its sequence is gone: all keep theirs"
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Which masters the frames of a sequence get, and what becomes of the products they have.

    Parameters
    ----------
    matches : Matches
        Masters to be used now.
    best : Matches
        Masters to be used when nothing is in the way.
    recipe_id : str
        Hash of the parameters that decide the pixels.
    redone, products : int
        How many products were made by the masters to be used now, and of how many.
    ready : bool
        All of these are on disk: all products can be made by them.
    hold : Ruling or None
        What becomes of products for which there are better masters that are not to be used.
    torn : bool
        A product made by other masters stays, for its raw file is gone.
    look_again : float or None
        When time alone will change the decision, seconds since 1970.
    """

    matches: Matches = field(default_factory=dict)
    best: Matches = field(default_factory=dict)
    recipe_id: str = ""
    redone: int = 0
    products: int = 0
    ready: bool = True
    hold: Ruling | None = None
    torn: bool = False
    look_again: float | None = None

    def ruling(self, exptime: float, chain: Chain) -> Ruling:
        """Say what becomes of a product.

        Parameters
        ----------
        exptime : float
            Of its frame, seconds.
        chain : Chain
            How it was made.

        Returns
        -------
        Ruling
            That of every product of this exposure time made in this way.
        """
        best = agree(chain, self.best[exptime], self.recipe_id)
        halfway = self.redone < self.products
        stays = self.hold is _NEVER or (self.hold is _KEPT and self.torn)
        if halfway and not stays:
            return self._ruling_halfway(exptime, chain)
        if halfway and best and self.hold is _NEVER:
            return Ruling(State.STALE, f"its sequence is half redone: {self._progress}")
        return _DONE if best or self.hold is None else self.hold

    @property
    def redoing(self) -> int | None:
        """How many products were made anew; None unless others are still to be."""
        return self.redone if self.redone < self.products else None

    @property
    def _progress(self) -> str:
        return f"{self.redone} of {self.products}"

    def _ruling_halfway(self, exptime: float, chain: Chain) -> Ruling:
        if agree(chain, self.matches[exptime], self.recipe_id):
            return Ruling(State.STALE, f"its sequence is being redone: {self._progress}")
        if not self.ready:
            return Ruling(
                State.STALE, "its sequence is to be redone, and a master is not there yet"
            )
        return _REDO

    def overtaken(self, sequence: FrameSequence) -> tuple[State, ...]:
        """Give the states that frames with a product are in, and should be no more.

        Parameters
        ----------
        sequence : FrameSequence
            That this is about.

        Returns
        -------
        tuple of State
            Done, stale, both or none; in this order.
        """
        found = {
            one.state
            for one in sequence.tallies
            if one.chain is not None
            and not one.gone
            and one.state is not self.ruling(one.exptime, one.chain).state
        }
        return tuple(state for state in (State.DONE, State.STALE) if state in found)


def decide(sequence: FrameSequence, stock: Stock, now: float, *, finish: bool) -> Decision:
    """Choose the masters of a sequence, and say whether its products are to be made anew.

    Parameters
    ----------
    sequence : FrameSequence
        The sequence, with what its products were made of.
    stock : Stock
        The masters there are.
    now : float
        Seconds since 1970.
    finish : bool
        It counts as ended, as for ``tapewatch once``.

    Returns
    -------
    Decision
        For all of its frames.
    """
    made = [one for one in sequence.tallies if one.chain is not None]
    best = best_for_all(sequence, stock)
    pins = agreed_on(made, stock)
    running = not finish and abs(now - sequence.ended) < LONGEST_GAP
    hold, torn = None, False
    if not stock.parameters.recal:
        matches, hold = override(best, pins), _NEVER
    elif running:
        matches, hold = override(best, pins), _RUNNING
    else:
        matches, hold, torn = _after_the_end(made, best, pins, stock)
    there = [one for one in made if not one.gone]
    agreeing = [one for one in there if agree_of(one, matches, stock)]
    waits = running and any(not agree_of(one, best, stock) for one in there)
    return Decision(
        matches=matches,
        best=best,
        recipe_id=stock.recipe_id,
        redone=sum(one.frames for one in agreeing),
        products=sum(one.frames for one in there),
        ready=all(
            match.master is not None and match.master.built
            for one in there
            for match in matches[one.exptime].values()
        ),
        hold=hold,
        torn=torn,
        look_again=sequence.ended + LONGEST_GAP if waits else None,
    )


def masters_for(frame: Frame, decision: Decision | None, stock: Stock) -> dict[Kind, Match]:
    """Give a frame the masters of its sequence; its own where those do not suit it.

    Parameters
    ----------
    frame : Frame
        An object frame.
    decision : Decision or None
        On its sequence; None where frames are decided on one by one (PINCAL 0).
    stock : Stock
        The masters there are.

    Returns
    -------
    dict of Kind to Match
        For every kind that it needs; with the flag `MIXED` where another frame of the sequence
        may have another one.
    """
    shared = {} if decision is None else decision.matches.get(frame.exptime, {})
    found = {}
    for kind in stock.kinds:
        common = shared.get(kind)
        only = () if common is None or common.master is None else (common.master,)
        match = find_master(kind, frame, only, stock.parameters, stock.bad)
        if common is not None and match.master is not None:
            found[kind] = replace(match, turned_down=common.turned_down, worse=common.worse)
            mixed = decision is not None and decision.torn
        else:
            found[kind] = find_master(kind, frame, stock.usable, stock.parameters, stock.bad)
            mixed = decision is not None and found[kind].master is not None
        if mixed:
            found[kind] = replace(found[kind], flags=(*found[kind].flags, MIXED))
    return found


def _after_the_end(
    made: Sequence[Tally], best: Matches, pins: Pins, stock: Stock
) -> tuple[Matches, Ruling | None, bool]:
    """Choose between the best masters and those of products that cannot be made anew."""
    lost = [one for one in made if one.gone and not agree_of(one, best, stock)]
    if lost:
        forced = agreed_on(lost, stock)
        matches = override(best, forced)
        if all(agree_of(one, matches, stock) for one in lost):
            return matches, _KEPT, False
        if alike(made) and not any(
            stock.bad.keys() & set(one.chain.masters) for one in made if one.chain
        ):
            return override(best, pins), _KEPT, True
        return best, None, True
    behind = any(not agree_of(one, best, stock) for one in made)
    missing = any(match.master is None for one in made for match in best[one.exptime].values())
    if behind and missing:
        return override(best, pins), _BLOCKED, False
    return best, None, False
