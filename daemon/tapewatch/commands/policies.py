"""Which keys of tape.par meet which of the frames that are there, and the line that would help."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tapewatch.arrival.recognise import recognise
from tapewatch.errors import RejectedError
from tapewatch.fitsfile.inspection import Inspection
from tapewatch.headers.sections import readout
from tapewatch.headers.typerules import kind_by_rule, rule_to_add
from tapewatch.model import CalibrationFrame, Frame, Kind, Master
from tapewatch.parameters import Parameters
from tapewatch.planning.decisions import Facts, PlannedSet
from tapewatch.planning.match import find_master
from tapewatch.planning.reasons import steps_without, waits_for
from tapewatch.planning.versions import plan_sets


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that was looked at.

    Parameters
    ----------
    path : str
        Relative to the watched folder.
    inspection : Inspection or None
        None where it is no FITS image, or one of tapewatch's own.
    frame : Frame or None
        What it is; None where it is set aside.
    reason : str
        Why it is set aside.
    """

    path: str
    inspection: Inspection | None = None
    frame: Frame | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a key of tape.par does to some of the frames.

    Parameters
    ----------
    key : str
        As ``BINNING``.
    files : int
        How many of them it meets.
    says : str
        What becomes of them, and why.
    line : str
        For tape.par, if something else is wanted; empty where no line would help.
    """

    key: str
    files: int
    says: str
    line: str = ""


def policies(
    seen: Sequence[Seen], parameters: Parameters, known: Sequence[Master] = ()
) -> list[Policy]:
    """Tell which policy meets which frames.

    Parameters
    ----------
    seen : sequence of Seen
        All files of the watched folder.
    parameters : Parameters
        From tape.par.
    known : sequence of Master
        In use already, whether or not their raw frames are there.

    Returns
    -------
    list of Policy
        Frames set aside first, then how the others are treated.
    """
    frames = [one.frame for one in seen if one.frame is not None]
    return [
        *_set_aside(seen, parameters),
        *_kinds_by_rule(frames, parameters),
        *_several_cameras(frames),
        *_sections(seen, parameters),
        *_steps(frames, parameters, known),
    ]


def _set_aside(seen: Sequence[Seen], parameters: Parameters) -> Iterator[Policy]:
    """Find the frames that another line of tape.par would take."""
    groups = Counter[tuple[str, str, str]]()
    for one in seen:
        if one.frame is None and one.inspection is not None:
            groups[_who_sets_aside(one, one.inspection, parameters)] += 1
    for (key, says, line), count in sorted(groups.items()):
        if key:
            yield Policy(key, count, f"set aside: {says}", line)


def _who_sets_aside(
    one: Seen, inspection: Inspection, parameters: Parameters
) -> tuple[str, str, str]:
    """Name key, reason and remedy of a frame that is set aside; empty where no key does it."""
    if one.reason.endswith(rule := rule_to_add(one.path)):
        return "TYPERULES", "no frame type in the header", rule
    for key, line, other in (
        ("BINNING", "ALLBIN 1", replace(parameters, allbin=True)),
        ("INSTRUMENT", "INSTRUMENT *", replace(parameters, instruments=())),
    ):
        try:
            recognise(one.path, inspection, other)
        except RejectedError:
            continue
        return key, one.reason, line
    return "", "", ""


def _kinds_by_rule(frames: Sequence[Frame], parameters: Parameters) -> Iterator[Policy]:
    rules = parameters.typerules
    counts = Counter(kind for frame in frames if (kind := kind_by_rule(frame.path, rules)))
    for kind, count in sorted(counts.items()):
        yield Policy("TYPERULES", count, f"taken for {kind} by their path alone")


def _several_cameras(frames: Sequence[Frame]) -> Iterator[Policy]:
    cameras = Counter(frame.detector.camera for frame in frames)
    if len(cameras) > 1:
        named = ", ".join(f"{name or 'no name'} ({count})" for name, count in cameras.most_common())
        most = cameras.most_common(1)[0][0]
        says = f"of {len(cameras)} cameras, each with its own masters: {named}"
        yield Policy("INSTRUMENT", len(frames), says, f'INSTRUMENT "{most}"' if most else "")


def _sections(seen: Sequence[Seen], parameters: Parameters) -> Iterator[Policy]:
    """Tell whether overscan and trim are named in the headers, and of any use."""
    useful, doubts = 0, Counter[str]()
    for one in seen:
        if one.frame is not None and one.inspection is not None:
            shape = one.inspection.shape
            told = readout(one.inspection.header, shape)
            useful += not told.changes_nothing(shape)
            doubts.update(told.warnings)
    if useful and not parameters.overscan:
        says = "their headers name an overscan or a part to trim, which is left as it is"
        yield Policy("OVERSCAN", useful, says, "OVERSCAN 1")
    elif useful:
        yield Policy("OVERSCAN", useful, "overscan is subtracted, or the frame trimmed")
    for warning, count in sorted(doubts.items()):
        yield Policy("OVERSCAN", count, warning)


def _steps(
    frames: Sequence[Frame], parameters: Parameters, known: Sequence[Master]
) -> Iterator[Policy]:
    """Rehearse the night: which object frames will have all their masters, and in what way."""
    sets, masters = _rehearse(frames, parameters, known)
    kinds = [Kind(step) for step in parameters.steps]
    seen = frozenset(frame.kind for frame in frames) | {master.kind for master in masters}
    waiting, flags = dict[tuple[Kind, ...], list[str]](), Counter[str]()
    for frame in frames:
        if frame.kind is not Kind.OBJECT:
            continue
        found = {kind: find_master(kind, frame, masters, parameters) for kind in kinds}
        if reason := waits_for(frame, found, sets[frame.folder], parameters, frozenset(Kind)):
            lacking = tuple(kind for kind, match in found.items() if match.master is None)
            waiting.setdefault(lacking, []).append(f"{frame.path} {reason}")
        flags.update({flag for match in found.values() for flag in match.flags})
    what = "provisional products only" if parameters.provisional else "no products"
    for lacking, reasons in waiting.items():
        line = steps_without([kind for kind in lacking if kind not in seen], parameters, seen)
        names = ", ".join(lacking)
        yield Policy("STEPS", len(reasons), f"{what}, for want of {names}: as {reasons[0]}", line)
    for flag, (key, says, line) in _FLAGS.items():
        if flags[flag]:
            yield Policy(key, flags[flag], says, line)


# What is worth knowing of a master before the night, by the flag that products will carry.
_FLAGS = {
    "SCALED": ("DARKSCALE", "their dark has another exposure and is scaled", "DARKSCALE never"),
    "SCALEDUP": ("DARKSCALE", "their dark is shorter and is scaled up", "DARKSCALE down"),
    "AGED": ("MAXAGE", "a master of another day is used", ""),
    "TEMPERATURE": ("TEMPTOL", "a bias of another temperature is used", ""),
}


def _rehearse(
    frames: Sequence[Frame], parameters: Parameters, known: Sequence[Master]
) -> tuple[dict[str, tuple[PlannedSet, ...]], list[Master]]:
    """Plan the sets of every folder as `once` would, and take their masters for built.

    Pixels are not read: every file counts as a frame of its own that fits its set.
    """
    by_folder: dict[str, list[Frame]] = {}
    for frame in frames:
        by_folder.setdefault(frame.folder, []).append(frame)
    sets: dict[str, tuple[PlannedSet, ...]] = {}
    masters = list(known)
    for folder, members in by_folder.items():
        calibration = tuple(
            CalibrationFrame(one, one.path, one.start)
            for one in members
            if one.kind is not Kind.OBJECT
        )
        facts = Facts(calibration, elsewhere=tuple(known))
        sets[folder] = plan_sets(facts, parameters, 0.0, finish=True).sets
        made = (one.master for one in sets[folder] if one.master is not None)
        masters += [replace(master, built=True) for master in made]
    return sets, masters
