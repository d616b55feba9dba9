"""What planning is told of a folder, and what it decides: plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tapewatch.model import CalibrationFrame, FrameSequence, Job, Kind, Master, ObjectFrame, State
from tapewatch.planning.match import Match
from tapewatch.planning.misfits import Doubt
from tapewatch.planning.sets import CalibrationSet


@dataclass(frozen=True, slots=True)
class Facts:
    """What the ledger knows about one folder and its neighbours.

    Parameters
    ----------
    calibration : tuple of CalibrationFrame
        Calibration frames of the folder that are there and usable.
    objects : tuple of ObjectFrame
        Object frames of the folder to decide on.
    masters : tuple of Master
        Every master built in this folder, whatever its version.
    in_use : frozenset of str
        IDs of those that are in use now.
    elsewhere : tuple of Master
        Masters in use in other folders.
    pinned : tuple of Master
        Further masters of which products of these frames' sequences were made.
    sequences : tuple of FrameSequence
        Those of the object frames, or all of the folder.
    failures : mapping of str to str
        Master ID -> why building it was given up.
    bad : mapping of str to str
        What nothing may be made with, and why: path and data hash of a raw frame, ID of a master.
    seen : frozenset of Kind
        Kinds of which a frame was ever seen, in the whole watched tree.
    busy_elsewhere : bool
        Calibration frames of other folders are being read or combined.
    predecessors : tuple of Master
        All masters in use in all folders, with which new ones are compared.
    """

    calibration: tuple[CalibrationFrame, ...] = ()
    objects: tuple[ObjectFrame, ...] = ()
    masters: tuple[Master, ...] = ()
    in_use: frozenset[str] = frozenset()
    elsewhere: tuple[Master, ...] = ()
    pinned: tuple[Master, ...] = ()
    sequences: tuple[FrameSequence, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    bad: Mapping[str, str] = field(default_factory=dict)
    seen: frozenset[Kind] = frozenset(Kind)
    busy_elsewhere: bool = False
    predecessors: tuple[Master, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """State and reason of one frame.

    Parameters
    ----------
    path : str
        The frame.
    state : State
        Where it stands.
    reason : str
        Why, in words.
    """

    path: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedSet:
    """A calibration set and what stands for it.

    Parameters
    ----------
    calibration_set : CalibrationSet
        Its frames.
    stem : str
        Name of its list and of its master's plain file.
    master : Master or None
        The version in use; `built` is False while it is being combined.
    reason : str
        What it waits for, where there is no master or a newer one is to come.
    advice : str
        What to put into tape.par if that never comes, to stand at the end of a reason.
    doubts : tuple of (str, tuple of Doubt)
        Paths of frames of it that do not fit the others, and why; they are used.
    left_out : tuple of (CalibrationFrame, str)
        Frames that do not fit and are not used, and why.
    """

    calibration_set: CalibrationSet
    stem: str
    master: Master | None
    reason: str = ""
    advice: str = ""
    doubts: tuple[tuple[str, tuple[Doubt, ...]], ...] = ()
    left_out: tuple[tuple[CalibrationFrame, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedSequence:
    """What was decided on a sequence as a whole.

    Parameters
    ----------
    sequence : FrameSequence
        The sequence.
    overtaken : tuple of State
        Frames of it that are in these states are to be decided on, for they may be so no more.
    redoing : int or None
        How many of its products were made anew; None unless others are still to be.
    look_again : float or None
        When time alone will change the decision, seconds since 1970.
    """

    sequence: FrameSequence
    overtaken: tuple[State, ...] = ()
    redoing: int | None = None
    look_again: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and where every frame of the folder stands.

    Parameters
    ----------
    jobs : tuple of Job
        What can be done now, in no order.
    verdicts : tuple of Verdict
        State of each frame that was decided on.
    sets : tuple of PlannedSet
        The folder's calibration sets.
    kept : tuple of Master
        Masters in use whose raw frames are all gone.
    matches : mapping of str to mapping of Kind to Match
        For each object frame the master chosen of each kind, and those turned down.
    look_again : float or None
        When time alone will change the sets, seconds since 1970.
    sequences : tuple of PlannedSequence
        What was decided on the sequences.
    """

    jobs: tuple[Job, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    sets: tuple[PlannedSet, ...] = ()
    kept: tuple[Master, ...] = ()
    matches: Mapping[str, Mapping[Kind, Match]] = field(default_factory=dict)
    look_again: float | None = None
    sequences: tuple[PlannedSequence, ...] = ()
