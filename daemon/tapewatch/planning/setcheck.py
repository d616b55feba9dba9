"""Whether the frames of calibration sets fit them: pure, the same for every order of arrival.

What is decided of a frame depends on the frames of its folder alone, never on what was decided
before: a frame that was left out comes back when others like it make it fit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tapewatch.model import CalibrationFrame, Kind
from tapewatch.parameters import Parameters
from tapewatch.planning.misfits import Doubt, beside_the_others, by_itself, words
from tapewatch.planning.sets import CalibrationSet


@dataclass(frozen=True, slots=True)
class CheckedSet:
    """A calibration set, and what its frames were found to be.

    Parameters
    ----------
    calibration_set : CalibrationSet
        The frames to be combined.
    doubts : tuple of (str, tuple of Doubt)
        Paths of those of them that do not fit, and why.
    left_out : tuple of (CalibrationFrame, str)
        Frames that are not to be combined, and why.
    """

    calibration_set: CalibrationSet
    doubts: tuple[tuple[str, tuple[Doubt, ...]], ...] = ()
    left_out: tuple[tuple[CalibrationFrame, str], ...] = ()


def check_sets(sets: Sequence[CalibrationSet], parameters: Parameters) -> tuple[CheckedSet, ...]:
    """Check each frame of a folder's sets.

    Where the frames of a set are odd by themselves, all of them (every flat is overexposed), they
    are used, with the warning: an observer who has nothing better is served by that rather than by
    a night without a flat. Where less than half of the others would be left, none is left out for
    being unlike them: which ones are right cannot be told.

    Parameters
    ----------
    sets : sequence of CalibrationSet
        Of one folder.
    parameters : Parameters
        SATU, TEMPTOL, and SETCHECK: whether frames that do not fit are left out.

    Returns
    -------
    tuple of CheckedSet
        In the same order.
    """
    return tuple(_check(one, parameters, pedestal_of(one, sets)) for one in sets)


def pedestal_of(one: CalibrationSet, sets: Iterable[CalibrationSet]) -> float:
    """Find the level of a folder's biases for a set.

    Parameters
    ----------
    one : CalibrationSet
        The set.
    sets : iterable of CalibrationSet
        Of the folder.

    Returns
    -------
    float
        ADU; 0 where there are none yet.
    """
    levels = [
        member.profile.level
        for other in sets
        if other.kind is Kind.BIAS and _read_out(other) == _read_out(one)
        for member in other.frames
        if member.profile is not None
    ]
    return median(levels) if levels else 0.0


def _read_out(one: CalibrationSet) -> object:
    return one.detector.camera, one.detector.shape, one.detector.binning


def _check(one: CalibrationSet, parameters: Parameters, pedestal: float) -> CheckedSet:
    saturation, temptol = parameters.saturation, parameters.temptol
    alone = {
        member.frame.path: tuple(by_itself(member, saturation, pedestal)) for member in one.frames
    }
    sound = [member for member in one.frames if not _grave(alone[member.frame.path])]
    sound = sound or list(one.frames)
    beside = beside_the_others(sound, one.detector, temptol, pedestal)
    doubts = {path: (*found, *beside.get(path, ())) for path, found in alone.items()}
    fitting = [member for member in sound if not _grave(beside.get(member.frame.path, ()))]
    if 2 * len(fitting) < len(sound):
        fitting = sound
    stay = fitting if parameters.setcheck == "reject" else list(one.frames)
    staying = {member.frame.path for member in stay}
    return CheckedSet(
        one if len(stay) == len(one.frames) else CalibrationSet(tuple(stay), one.detector),
        tuple((path, found) for path, found in doubts.items() if found and path in staying),
        tuple(
            (member, f"does not fit its set: {words(doubts[member.frame.path])}")
            for member in one.frames
            if member.frame.path not in staying
        ),
    )


def _grave(doubts: Iterable[Doubt]) -> bool:
    return any(doubt.grave for doubt in doubts)
