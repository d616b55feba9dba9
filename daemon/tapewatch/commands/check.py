"""``tapewatch check``: whether tape.par is right, and what would be done with the frames there."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tapewatch.arrival.mounts import is_network
from tapewatch.arrival.recognise import recognise
from tapewatch.arrival.scan import Rules, scan
from tapewatch.commands.dropin import drop_in
from tapewatch.commands.policies import Seen, policies
from tapewatch.commands.report import print_table
from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.inspection import inspect
from tapewatch.headers.classify import is_own_product
from tapewatch.ledger import LedgerReader
from tapewatch.model import Kind, Master
from tapewatch.parameters import KEYS, Parameters, read_parameters
from tapewatch.parfile import printable
from tapewatch.whereabouts import find, is_running, log_file, state_file

_OWN = "product of tapewatch"


def check(options: argparse.Namespace) -> int:
    """Check tape.par and print what would be done; nothing is written.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``json``, ``unit``.

    Returns
    -------
    int
        0; a bad tape.par raises `ParameterError`.
    """
    parameters = read_parameters(options.par, workdir=options.workdir)
    if options.unit:
        print(drop_in(parameters), end="")
        return 0
    excluded = frozenset() if parameters.outdir is None else frozenset({parameters.outdir})
    found = scan(parameters.watchdir, Rules(parameters.patterns, parameters.recurse, excluded))
    seen = [_look(parameters, path) for path in found.files]
    groups = Counter(_describe(one) for one in seen)
    log = log_file(parameters)
    answer: dict[str, Any] = {
        "parameters": str(parameters.file),
        "warnings": list(parameters.warnings),
        "watching": str(parameters.watchdir),
        "by": _watching_by(parameters),
        "output": str(parameters.output),
        "state": str(state_file(parameters)),
        "log": "off" if log is None else str(log),
        "running": is_running(parameters),
        "files": len(found.files),
        "bytes": sum(identity.size for identity in found.files.values()),
        "frames": [
            {"what": what, "decision": decision, "files": count}
            for (what, decision), count in sorted(groups.items())
        ],
        "policies": [asdict(one) for one in policies(seen, parameters, _known(parameters))],
        "problems": [*found.problems, *(f"{path}: {it}" for path, it in found.irregular.items())],
    }
    if options.json:
        print(json.dumps(answer))
        return 0
    for key in ("parameters", "watching", "by", "output", "state", "log"):
        print(f"{key:12}{printable(answer[key])}")
    print(f"{'keys':12}{len(KEYS)} of tapewatch's own, all values allowed")
    for text in [*parameters.warnings, *answer["problems"]]:
        print(f"{'warning':12}{printable(text)}")
    print(f"{'found':12}{len(found.files)} files, {answer['bytes'] / 1e6:,.1f} MB")
    if groups:
        print()
        rows = [(str(count), what, why) for (what, why), count in sorted(groups.items())]
        print_table(("FILES", "WHAT", "WOULD BE"), rows)
    if answer["policies"]:
        print()
        print_table(("FILES", "POLICY", "OTHERWISE", "WHAT IT DOES"), _rows(answer["policies"]))
    return 0


def _rows(met: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for one in met:
        yield str(one["files"]), one["key"], one["line"], one["says"]


def _known(parameters: Parameters) -> tuple[Master, ...]:
    """Give the masters that are in use; none where no tapewatch has worked there."""
    where = find(parameters)
    if where is None or not Path(where.state).exists():
        return ()
    with LedgerReader(Path(where.state)) as ledger:
        return tuple(one.master for one in ledger.masters() if one.in_use)


def _look(parameters: Parameters, path: str) -> Seen:
    """Tell what a file is by its headers."""
    inspection = None
    try:
        inspection = inspect(parameters.watchdir / path)
        if is_own_product(inspection.header):
            return Seen(path, reason=_OWN)
        return Seen(path, inspection, recognise(path, inspection, parameters))
    except (RejectedError, IncompleteFileError, OSError) as error:
        return Seen(path, inspection, reason=str(error))


def _describe(one: Seen) -> tuple[str, str]:
    """Say what a file is and what would be done with it."""
    frame = one.frame
    if one.reason == _OWN:
        return _OWN, "left alone"
    if frame is None:
        return "other", f"set aside: {one.reason}"
    what = {
        Kind.DARK: f"dark {frame.exptime:g} s",
        Kind.FLAT: f"flat {frame.filter}",
        Kind.OBJECT: f"object {frame.filter} {frame.exptime:g} s",
    }.get(frame.kind, str(frame.kind))
    return what, "calibrated" if frame.kind is Kind.OBJECT else "combined"


def _watching_by(parameters: Parameters) -> str:
    if parameters.watch != "auto":
        return parameters.watch
    return "poll (a network file system)" if is_network(Path(parameters.watchdir)) else "inotify"
