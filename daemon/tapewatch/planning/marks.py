"""What follows from a mark: a person has said of a frame or master that it is bad."""

from collections.abc import Iterable, Mapping

from tapewatch.model import CalibrationFrame, Master, ObjectFrame

_MADE_WITH = "made with"


def spread(marks: Mapping[str, str], masters: Iterable[Master]) -> dict[str, str]:
    """Add the masters that were made with something bad to what is marked.

    Parameters
    ----------
    marks : mapping of str to str
        Path and data hash of raw frames, IDs of masters: each with its reason.
    masters : iterable of Master
        All that are known, in any order.

    Returns
    -------
    dict of str to str
        The marks, and those masters; the reason names what they were made with.
    """
    bad = dict(marks)
    if not bad:
        return bad
    left = [master for master in masters if master.id not in bad]
    while found := {master.id: reason for master in left if (reason := _inherited(master, bad))}:
        bad |= found
        left = [master for master in left if master.id not in bad]
    return bad


def badness(one: CalibrationFrame | ObjectFrame, bad: Mapping[str, str]) -> str:
    """Say why a raw frame is not to be used.

    Parameters
    ----------
    one : CalibrationFrame or ObjectFrame
        A mark holds for its name and for its pixels, whatever name they have.
    bad : mapping of str to str
        As `spread` gives.

    Returns
    -------
    str
        Empty where nothing is said against it.
    """
    if not bad:
        return ""
    if isinstance(one, CalibrationFrame):
        pixels = one.data_hash
    else:
        pixels = one.content[0] if one.content else None
    return bad.get(one.frame.path) or bad.get(pixels or "") or ""


def _inherited(master: Master, bad: Mapping[str, str]) -> str:
    """Reason why a master is no better than what it was made with."""
    made_with = (
        *((content, "a frame") for content in master.inputs),
        (master.bias_id, "a master bias"),
        (master.dark_id, "a master dark"),
    )
    for one, name in made_with:
        if reason := bad.get(one):
            return reason if reason.startswith(_MADE_WITH) else f"{_MADE_WITH} {name} {reason}"
    return ""
