"""Is the file whole? Decided from what was seen of it; nothing is looked at here.

No single sign suffices. The size that the headers imply tells a short file, but a multi-extension
file cut between two extensions, or one whose space was reserved beforehand, has a believable size.
A close event tells that a writer ended, but some cameras reopen the file for each piece; a file
moved in or linked has no close at all. So a file is whole when its size suffices *and* either a
close or rename event came after its last change, or it has not changed for a while.
"""

from dataclasses import dataclass, replace

from tapewatch.model import Identity

# A file that ends in zeros and that nobody was seen to close may be reserved space that is still
# being filled: it must keep still this many times longer. A real frame may end in zeros too.
BLANK_TAIL_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of a file's content and changes.

    Parameters
    ----------
    identity : Identity
        What the file system says of it.
    unchanged_since : float
        When we first saw this identity, seconds since 1970.
    vouched : bool
        A close or rename event came after the last change.
    local : bool
        The file's times were set by this machine's clock: it lies on a local disk.
    lack : str
        What its own structure says that it lacks, as ``incomplete: 1,234 of 8,640 bytes``; empty
        where nothing is missing.
    blank_tail : bool
        The last block of its pixels is zero bytes throughout.
    """

    identity: Identity
    unchanged_since: float
    vouched: bool
    local: bool
    lack: str
    blank_tail: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a file is whole, and what to do if not.

    Parameters
    ----------
    whole : bool
        It can be read.
    look_again : float or None
        When to judge again if it has not changed by then, seconds since 1970; None where only a
        change makes a difference.
    stalled : bool
        It has been incomplete for too long.
    reason : str
        Why, for a person to read.
    """

    whole: bool
    look_again: float | None
    stalled: bool
    reason: str


def judge(observation: Observation, now: float, settle: float, stall: float) -> Verdict:
    """Decide whether a file is whole.

    Parameters
    ----------
    observation : Observation
        What is known of it.
    now : float
        Seconds since 1970.
    settle : float
        Seconds that it must keep still when no event vouches for it (SETTLE).
    stall : float
        Seconds without a change after which an incomplete file is called stalled (STALL).

    Returns
    -------
    Verdict
        Whole, stalled, or to be looked at again: always one of the three. Once it says whole or
        stalled of an observation, it does so at every later time.
    """
    since = _unchanged_since(observation, now)
    if observation.lack:
        return _incomplete(observation.lack, since, now, stall)
    if observation.vouched:
        return Verdict(whole=True, look_again=None, stalled=False, reason="closed or renamed")
    wait = settle * BLANK_TAIL_PATIENCE if observation.blank_tail else settle
    whole = now >= since + wait
    tail = " (ends in zeros)" if observation.blank_tail else ""
    return Verdict(
        whole=whole,
        look_again=None if whole else since + wait,
        stalled=False,
        reason=f"unchanged for {wait:g} s{tail}" if whole else f"not closed, may change yet{tail}",
    )


def renew(earlier: Observation | None, latest: Observation) -> Observation:
    """Carry over from an earlier observation of the same path what still holds.

    Parameters
    ----------
    earlier : Observation or None
        The last one.
    latest : Observation
        The one made now, ``unchanged_since`` being now.

    Returns
    -------
    Observation
        `latest`; where the identity is the same, unchanged since the earlier time and still
        vouched for. An earlier time in the future (the clock was set back) counts as now.
    """
    if earlier is None or earlier.identity != latest.identity:
        return latest
    return replace(
        latest,
        unchanged_since=min(earlier.unchanged_since, latest.unchanged_since),
        vouched=earlier.vouched or latest.vouched,
    )


def _unchanged_since(observation: Observation, now: float) -> float:
    """Tell since when the file is unchanged, as far as can be trusted, in seconds since 1970.

    What lay on a local disk before we came has been still since its own times: a backlog needs no
    wait. Times in the future, from a clock that jumped, are later than ours and say nothing.
    """
    identity = observation.identity
    changed = max(identity.mtime_ns, identity.ctime_ns) / 1e9
    ours = min(observation.unchanged_since, now)
    return min(ours, changed) if observation.local else ours


def _incomplete(lack: str, since: float, now: float, stall: float) -> Verdict:
    if now >= since + stall:
        reason = f"{lack}, unchanged for {stall:g} s"
        return Verdict(whole=False, look_again=None, stalled=True, reason=reason)
    return Verdict(whole=False, look_again=since + stall, stalled=False, reason=lack)
