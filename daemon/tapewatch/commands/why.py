"""``tapewatch why``: the state of one frame or master, and all that it hangs on."""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tapewatch.commands.masters import Shelf
from tapewatch.commands.report import frame_as_json, moment, open_state
from tapewatch.commands.subjects import find_subject
from tapewatch.facts import gather, library_of
from tapewatch.ledger import FrameRecord, LedgerReader, MasterRecord
from tapewatch.model import Frame, Master
from tapewatch.parameters import Parameters
from tapewatch.parfile import printable
from tapewatch.planning.decisions import PlannedSet
from tapewatch.planning.match import Match, why_worse
from tapewatch.planning.plan import plan
from tapewatch.planning.reasons import label

_MOST_SHOWN = 10  # names in a line

Answer = dict[str, Any]


def why(options: argparse.Namespace) -> int:
    """Print the state of one frame or master, the reason, and which masters suit it or do not.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``json``, ``file``.

    Returns
    -------
    int
        0.

    Raises
    ------
    TapewatchError
        The file is not known.
    """
    parameters, where = open_state(options)
    with LedgerReader(Path(where.state)) as ledger:
        subject = find_subject(ledger, parameters, options.file)
        if isinstance(subject, MasterRecord):
            answer, lines = _of_master(ledger, parameters.output, subject)
        else:
            answer, lines = _of_frame(ledger, parameters, subject)
    if options.json:
        print(json.dumps(answer))
        return 0
    for line in lines:
        print(printable(line))
    return 0


def _of_frame(
    ledger: LedgerReader, parameters: Parameters, record: FrameRecord
) -> tuple[Answer, list[str]]:
    """Tell of a raw frame: what its header makes of it decides what there is to tell."""
    known = {one.master.id: one for one in ledger.masters()}
    answer = frame_as_json(record, {key: one.master.path for key, one in known.items()})
    answer |= {"candidates": [], "set": None}
    lines = [f"{record.path}: {record.state}", f"  {record.reason or 'no reason is recorded'}"]
    lines += [f"  {kind}: {name}" for kind, name in answer["masters"].items()]
    lines += [f"  flags: {', '.join(answer['flags'])}"] if answer["flags"] else []
    if record.frame is None:
        return answer, lines
    one = ledger.object_frame(record.path)
    library = library_of(ledger, parameters)
    objects = () if one is None else (one,)
    facts = gather(ledger, library, record.frame.folder, objects, thorough=True)
    made = plan(facts, parameters, time.time())
    for match in made.matches.get(record.path, {}).values():
        answer["candidates"] += _candidates(match, record.frame)
    for planned in made.sets:
        if any(member.frame.path == record.path for member in planned.calibration_set.frames):
            answer["set"] = _set(planned, tuple(known.values()), facts.bad)
            lines += _lines_of_set(answer["set"])
    lines += [
        f"  {told['label']}: {told['verdict']} [{told['master']}]" for told in answer["candidates"]
    ]
    return answer, lines


def _candidates(match: Match, frame: Frame) -> Iterator[Answer]:
    """Say of each master of a kind whether it suits a frame, and which field says no."""

    def told(master: Master, verdict: str) -> Answer:
        return {
            "master": master.path,
            "kind": str(master.kind),
            "label": label(master),
            "verdict": verdict,
            "flags": list(match.flags) if master is match.master else [],
        }

    if match.master is not None:
        yield told(match.master, "chosen" if match.master.built else "chosen, being combined")
        for master in match.worse:
            better = why_worse(master, match.master, frame)
            yield told(master, f"suits, but the one chosen {better}")
    for master, reason in match.turned_down:
        yield told(master, f"does not suit: {reason}")


def _set(planned: PlannedSet, known: Sequence[MasterRecord], bad: Mapping[str, str]) -> Answer:
    """Describe the set of a calibration frame, and every master made of frames of it."""
    one = planned.calibration_set
    contents = set(one.inputs)
    return {
        "list": f"{planned.stem}.list",
        "frames": len(one.frames),
        "first": one.frames[0].frame.date_obs,
        "last": one.last.date_obs,
        "waits": planned.reason,
        "masters": [
            {
                "file": record.master.path,
                "frames": len(record.master.inputs),
                "in_use": record.in_use,
                "built": moment(record.built_at),
                "bad": bad.get(record.master.id, ""),
            }
            for record in known
            if (record.master.kind, record.master.folder) == (one.kind, one.folder)
            and not contents.isdisjoint(record.master.inputs)
        ],
    }


def _lines_of_set(one: Answer) -> list[str]:
    lines = [f"  set {one['list']}: {one['frames']} frames, {one['first']} to {one['last']}"]
    lines += [f"  it waits: {one['waits']}"] if one["waits"] else []
    for version in one["masters"]:
        use = version["bad"] or ("in use" if version["in_use"] else "not in use")
        about = f"{version['frames']} frames, built {version['built']}, {use}"
        lines.append(f"  master {version['file']}: {about}")
    return lines


def _of_master(
    ledger: LedgerReader, output: Path, record: MasterRecord
) -> tuple[Answer, list[str]]:
    """Tell of a master: what it was made of, and what was made with it."""
    master = record.master
    answer = Shelf(ledger, output, time.time()).describe(record)
    answer["frames_made_with_it"] = list(ledger.frames_made_with(master.id))
    use = answer["bad"] or (
        "in use" if record.in_use else "not in use: a newer version is, or other STEPS"
    )
    lines = [
        f"{master.path}: {use}",
        f"  {label(master)}, built {moment(record.built_at)} UTC",
        f"  of {_names(answer['inputs'], 'frame')}",
    ]
    lines += [f"  less {answer['bias']}"] if answer["bias"] else []
    scale = "" if master.dark_scale == 1 else f" x {master.dark_scale:g}"
    lines += [f"  less {answer['dark']}{scale}"] if answer["dark"] else []
    lines.append(f"  made with it: {_names(answer['masters_made_with_it'], 'master')}")
    lines.append(f"  made with it: {_names(answer['frames_made_with_it'], 'frame')}")
    return answer, lines


def _names(names: Sequence[str], thing: str) -> str:
    """Count things and name the first of them."""
    if not names:
        return f"no {thing}"
    shown = [name or "one that is not known any more" for name in names[:_MOST_SHOWN]]
    more = f" and {len(names) - _MOST_SHOWN} more" if names[_MOST_SHOWN:] else ""
    return f"{len(names)} {thing}{'' if len(names) == 1 else 's'}: {', '.join(shown)}{more}"
