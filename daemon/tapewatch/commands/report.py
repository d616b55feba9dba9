"""``tapewatch status``: what the ledger knows of every frame, for a person or as JSON."""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tapewatch.errors import TapewatchError
from tapewatch.ledger import FrameRecord, LedgerReader, MasterRecord, quarantine
from tapewatch.model import UNDECIDED, Kind, State
from tapewatch.parameters import Parameters, read_parameters
from tapewatch.parfile import printable
from tapewatch.whereabouts import Where, find, is_running, no_room, silence

_SHOWN_DONE = 10
_POLL = 0.2  # seconds
_SEARCHES, _SILENCE = 10, 600.0  # RESCANs, and seconds, without a search: something is wrong
_NOTICED = {
    "inotify": ", told of new files by the kernel",
    "scan": ", looking for new files every RESCAN seconds",
}


def status(options: argparse.Namespace) -> int:
    """Print what became of every frame.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``, ``json``, ``wait``.

    Returns
    -------
    int
        0; 1 where `wait` ended with frames still undecided.
    """
    parameters, where = open_state(options)
    settled = options.wait is None or _wait(where, options.wait, recal=parameters.recal)
    with LedgerReader(Path(where.state)) as ledger:
        records, masters = ledger.frames(statistics=False), ledger.masters()
        noted = [ledger.note("trouble"), ledger.note("output_trouble"), no_room(ledger.path)]
        found_by_scan = int(ledger.note("found_by_scan") or 0)
        by = ledger.note("noticed_by")
    running = is_running(parameters)
    if running:
        noted.insert(0, _hanging(parameters))
    health = {
        "running": running,
        "pid": where.pid,
        "host": where.host,
        "started": moment(where.started),
        "watching": str(parameters.watchdir),
        "state": where.state,
        "log": where.log,
        "trouble": "; ".join(one for one in noted if one),
        "by": by,
        "found_by_scan": found_by_scan,
        "set_aside": [str(one) for one in quarantine.found(Path(where.state))],
    }
    if options.json:
        files = {one.master.id: one.master.path for one in masters}
        answer = {
            "frames": [frame_as_json(one, files) for one in records],
            "masters": [master_as_json(one) for one in masters],
            "counts": dict(Counter(str(one.state) for one in records)),
            "health": health,
        }
        print(json.dumps(answer))
    else:
        _print_status(records, masters, health)
    return 0 if settled else 1


def _hanging(parameters: Parameters) -> str:
    """Say that a daemon gives no sign of life any more; it gives one at each search."""
    silent = silence(parameters)
    if silent < max(_SEARCHES * parameters.rescan, _SILENCE):
        return ""
    return f"it has given no sign of life for {silent:.0f} s: it hangs, or is stopped"


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns, each as wide as its widest entry; what no terminal should get is escaped.

    Parameters
    ----------
    head : sequence of str
        Titles.
    rows : iterable of sequence of str
        As many entries each.
    """
    lines = [tuple(head), *(tuple(printable(entry) for entry in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = (entry.ljust(width) for entry, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def open_state(options: argparse.Namespace) -> tuple[Parameters, Where]:
    """Read tape.par, and find the state of the folder that it names.

    Parameters
    ----------
    options : argparse.Namespace
        ``par``, ``workdir``.

    Returns
    -------
    parameters : Parameters
        From tape.par.
    where : Where
        State file and log.

    Raises
    ------
    TapewatchError
        No tapewatch has worked there yet.
    """
    parameters = read_parameters(options.par, workdir=options.workdir, may_be_away=True)
    where = find(parameters)
    if where is None:
        raise TapewatchError(
            f"no tapewatch has worked on {parameters.output} yet, or its disk is not there"
        )
    if not Path(where.state).exists():
        raise TapewatchError(
            f"the state file {where.state} is gone: start `tapewatch run` or `once`, which finds"
            " out anew what it told"
        )
    return parameters, where


def _wait(where: Where, seconds: float, *, recal: bool) -> bool:
    """Wait until nothing is waiting or worked on; tell whether that came true.

    Where superseded masters are to stay (RECAL never), nothing more will come for stale frames.
    """
    awaited = [state for state in UNDECIDED if recal or state is not State.STALE]
    deadline = time.monotonic() + seconds
    while True:
        with LedgerReader(Path(where.state)) as ledger:
            counts = ledger.counts()
        if not any(counts.get(state) for state in awaited):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)


def frame_as_json(record: FrameRecord, files: dict[str, str]) -> dict[str, Any]:
    """Describe a frame as ``--json`` does.

    Parameters
    ----------
    record : FrameRecord
        What the ledger holds of it.
    files : dict of str to str
        Master ID -> its file, relative to the output folder.

    Returns
    -------
    dict
        The same keys for every frame.
    """
    frame, product = record.frame, record.product
    recipe = None if product is None else product.recipe
    used = {} if recipe is None else {"bias": recipe.bias, "dark": recipe.dark, "flat": recipe.flat}
    return {
        "file": record.path,
        "kind": str(Kind.OTHER if frame is None else frame.kind),
        "state": str(record.state),
        "reason": record.reason,
        "filter": None if frame is None else frame.filter,
        "exptime": None if frame is None else frame.exptime,
        "date_obs": None if frame is None else frame.date_obs,
        "masters": {kind: files.get(one, one) for kind, one in used.items() if one},
        "flags": [] if recipe is None else list(recipe.flags),
        "product": None if product is None else product.path,
    }


def master_as_json(record: MasterRecord) -> dict[str, Any]:
    """Describe a master as ``--json`` does.

    Parameters
    ----------
    record : MasterRecord
        What the ledger holds of it.

    Returns
    -------
    dict
        The same keys for every master.
    """
    master = record.master
    return {
        "file": master.path,
        "id": master.id,
        "kind": str(master.kind),
        "filter": master.filter if master.kind is Kind.FLAT else None,
        "exptime": master.exptime,
        "frames": len(master.inputs),
        "in_use": record.in_use,
        "built": moment(record.built_at),
        "mean": _number(record.statistics.mean),
        "std": _number(record.statistics.std),
    }


def _number(value: float) -> float | None:
    """Give a number as JSON has it, which knows neither NaN nor infinity."""
    return value if math.isfinite(value) else None


def _print_status(
    records: Sequence[FrameRecord], masters: Sequence[MasterRecord], health: dict[str, Any]
) -> None:
    runs = "runs" if health["running"] else "does not run now"
    print(
        f"tapewatch {runs} (process {health['pid']} on {health['host']}, {health['started']} UTC)"
    )
    noticed = _NOTICED.get(health["by"], "")
    print(f"watching {health['watching']}{noticed}")
    if health["trouble"]:
        print(f"TROUBLE: {health['trouble']}")
    if health["found_by_scan"]:
        print(
            f"files that no event told of, found by searching alone: {health['found_by_scan']}"
            " (none is lost by that; if the number grows each night, set WATCH poll)"
        )
    for file in health["set_aside"]:
        print(f"a damaged state file was set aside, and what it told found out anew: {file}")
    counts = Counter(str(one.state) for one in records)
    print("frames: " + (", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "none"))
    print(f"masters in use: {', '.join(_label(one) for one in masters if one.in_use) or 'none'}")
    open_ones = [one for one in records if one.state is not State.DONE]
    done = [one for one in records if one.product is not None and one.state is State.DONE]
    latest = sorted(done, key=lambda one: one.arrived)[-_SHOWN_DONE:]
    if open_ones or latest:
        print()
        print_table(
            ("FRAME", "KIND", "FILTER", "EXPTIME", "STATE", "REASON"),
            (_row(one) for one in [*latest, *open_ones]),
        )
    if len(done) > len(latest):
        print(f"... and {len(done) - len(latest)} more that are done (--json lists all)")


def _row(record: FrameRecord) -> tuple[str, ...]:
    frame = record.frame
    if frame is None:
        return record.path, "other", "", "", str(record.state), record.reason
    with_filter = frame.kind in {Kind.FLAT, Kind.OBJECT}
    return (
        record.path,
        str(frame.kind),
        frame.filter if with_filter else "",
        f"{frame.exptime:g}",
        str(record.state),
        record.reason,
    )


def _label(record: MasterRecord) -> str:
    master = record.master
    detail = {Kind.FLAT: f" {master.filter}", Kind.DARK: f" {master.exptime:g} s"}
    return f"{master.kind}{detail.get(master.kind, '')}"


def moment(seconds: float) -> str:
    """Write a time, seconds since 1970, as ``2026-03-25 18:00:00`` (UTC)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
