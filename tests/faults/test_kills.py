"""SIGKILL at every step: nothing half-done is seen, and the next start ends in the same night.

The night has two acts. In the first, flats are missing, so that all products are provisional; in
the second come flats, one more bias, and further objects: masters are superseded, a sequence is
redone, provisional products go. It is in the second act that all is killed, the daemon, its fork
server and its workers at once, at a step that the table names; and a clean run says what must
come out.
"""

import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from support_frames import write_raw
from support_night import running, state_of, tapewatch, write_par
from support_results import Results, assert_as_expected, assert_nothing_half_done, results_of
from support_sabotage import Harm, Sabotage

_KEYS = {"SETTLE": 0, "NBIAS": 2, "NDARK": 2, "NFLAT": 2, "MINCAL": 2, "WORKERS": 2}


def _first_act(folder: Path) -> None:
    for number in range(3):
        time = f"2026-03-25T17:0{number}:00"
        write_raw(folder / f"bias-{number}.fits", 1000 + number, IMAGETYP="bias", DATE_OBS=time)
        for exptime in (60.0, 120.0):
            write_raw(
                folder / f"dark-{exptime:.0f}-{number}.fits",
                1100 + number + int(exptime),
                IMAGETYP="dark",
                EXPTIME=exptime,
                DATE_OBS=time,
            )
    for number in range(3):
        time = f"2026-03-25T18:0{number}:00"
        write_raw(folder / f"object-{number}.fits", 2000 + 10 * number, DATE_OBS=time)
    write_raw(folder / "east" / "object-4.fits", 3000, DATE_OBS="2026-03-25T19:00:00", FILTER="V")


def _second_act(folder: Path) -> None:
    for number in range(2):
        for filter_name in ("R", "V"):
            write_raw(
                folder / f"flat-{filter_name}-{number}.fits",
                20000 + number + 100 * ord(filter_name),
                IMAGETYP="flat",
                EXPTIME=5.0,
                FILTER=filter_name,
                DATE_OBS=f"2026-03-25T17:3{number}:00",
            )
    write_raw(folder / "bias-9.fits", 1009, IMAGETYP="bias", DATE_OBS="2026-03-25T17:09:00")
    time = "2026-03-25T18:30:00"
    write_raw(folder / "object-5.fits.gz", 2050, DATE_OBS=time, EXPTIME=120.0)
    write_raw(folder / "east" / "object-6.fits", 3010, DATE_OBS="2026-03-25T19:02:00", FILTER="V")
    (folder / "no-frame.fits").write_text("this is no FITS file")


@dataclass(frozen=True)
class Night:
    """A night before its second act is worked on, and what a clean run makes of it."""

    folder: Path
    raws: frozenset[str]
    expected: Results

    def copy(self, to: Path) -> Path:
        """Copy the night as it was; give its tape.par."""
        shutil.copytree(self.folder, to, copy_function=shutil.copy2)
        return to / "tape.par"


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    folder = tmp_path_factory.mktemp("nights") / "night"
    (folder / "east").mkdir(parents=True)
    _first_act(folder)
    par = write_par(folder, **_KEYS)
    assert tapewatch("once", par).code == 0
    assert len(list(folder.rglob("provisional/w*.fits"))) == 4
    before = set(folder.rglob("*"))
    _second_act(folder)
    kinds = ("bias", "dark", "flat", "object", "no-frame")
    raws = frozenset(
        str(path.relative_to(folder))
        for path in folder.rglob("*.fit*")
        if path.name.startswith(kinds)
    )
    assert len(raws) == 16 + len(set(folder.rglob("*.fit*")) - before) - 3
    clean = folder.with_name("clean")
    shutil.copytree(folder, clean, copy_function=shutil.copy2)
    assert tapewatch("once", clean / "tape.par").code == 0
    expected = results_of(clean / "tape.par", raws)
    assert not list(clean.rglob("provisional/w*.fits"))
    return Night(folder, raws, expected)


_ATOMIC, _HOUSE, _LEDGER = (
    "tapewatch.fitsfile.atomic:",
    "tapewatch.service.housekeeping:",
    "tapewatch.ledger.writing:Ledger.",
)
STEPS = {
    # start
    "lock held": Harm("tapewatch.service.claim:begin_term"),
    "term begun": Harm("tapewatch.service.claim:begin_term", when="after"),
    "note of the place written": Harm("tapewatch.service.claim:write_text", when="after"),
    "state file opened": Harm("tapewatch.ledger.schema:open_for_writing", when="after"),
    "folder scanned": Harm("tapewatch.service.intake:Intake.reconcile", when="after"),
    # a frame comes in
    "frame seen": Harm("tapewatch.service.intake:Intake.look", calls=(5,)),
    "frame to be entered": Harm(f"{_LEDGER}set_frame", calls=(3,)),
    "frame entered": Harm(f"{_LEDGER}set_frame", when="after", calls=(3,)),
    "frame set aside": Harm(f"{_LEDGER}set_state", when="after", argument="no-frame"),
    # work is given out
    "try counted": Harm(f"{_LEDGER}begin", when="after", calls=(4,)),
    "try of a master counted": Harm(f"{_LEDGER}begin_master", when="after"),
    "job given out": Harm("tapewatch.service.crew:Crew.start", when="after", calls=(2,)),
    "job begun": Harm("tapewatch.jobs.perform:calibrate_frame", calls=(2,)),
    "frame measured": Harm("tapewatch.jobs.perform:measure_frame", when="after", calls=(2,)),
    # a master, a product
    "master begun": Harm("tapewatch.jobs.perform:build_master"),
    "part opened": Harm("tapewatch.fitsfile.product:ProductWriter.__enter__", when="after"),
    "first strip written": Harm(
        "tapewatch.fitsfile.product:ProductWriter.write", when="after", argument="float32"
    ),
    "pixels half written": Harm("tapewatch.fitsfile.product:write_at", when="after", calls=(9,)),
    "all pixels written": Harm("tapewatch.fitsfile.product:ProductWriter.commit", calls=(3,)),
    "header written": Harm("tapewatch.fitsfile.product:put", calls=(3,)),
    "product made durable": Harm("tapewatch.fitsfile.fence:within_term", when="after", calls=(3,)),
    "name given, not yet durable": Harm(f"{_ATOMIC}sync_folder", calls=(3,)),
    "name durable": Harm(f"{_ATOMIC}sync_folder", when="after", calls=(3,)),
    "product made, not yet reported": Harm(
        "tapewatch.jobs.perform:calibrate_frame", when="after", calls=(1,)
    ),
    "master made, not yet reported": Harm(
        "tapewatch.jobs.perform:build_master", when="after", calls=(2,)
    ),
    # what came back
    "report taken": Harm("tapewatch.service.booking:Booking.succeed", calls=(3,)),
    "content booked": Harm(f"{_LEDGER}set_content", when="after", calls=(2,)),
    "master booked": Harm(f"{_LEDGER}set_master", when="after", calls=(1,)),
    "product booked": Harm(f"{_LEDGER}set_product", when="after", calls=(2,)),
    "half of a sequence redone": Harm(f"{_LEDGER}set_product", when="after", calls=(3,)),
    "masters in use changed": Harm(f"{_LEDGER}set_in_use", when="after", calls=(2,)),
    "verdicts set": Harm(f"{_LEDGER}set_verdicts", when="after", calls=(6,)),
    # names and lists
    "plain name to be given": Harm(f"{_HOUSE}publish"),
    "plain name linked": Harm(f"{_ATOMIC}put", argument="wflat", calls=(1,)),
    "plain name given": Harm(f"{_HOUSE}publish", when="after", calls=(2,)),
    "names booked": Harm(f"{_LEDGER}set_names", when="after"),
    "provisional products to be removed": Harm(f"{_HOUSE}Housekeeping._remove_provisional"),
    "a provisional product removed": Harm("os:unlink", when="after", argument="provisional"),
    "lists to be written": Harm(f"{_HOUSE}write_lists"),
    "list written": Harm("tapewatch.lists:write_text", when="after", calls=(2,)),
    "lists written": Harm(f"{_HOUSE}write_lists", when="after", calls=(2,)),
    # end
    "stopping": Harm("tapewatch.service.loop:Service._shut_down"),
    "stopped": Harm("tapewatch.service.loop:Service._shut_down", when="after"),
}
# Every commit of the state file and every call that gives or takes a name or makes it durable.
STEPS |= {
    f"{when} {call} {number}": Harm(target, when=when, calls=(number,))
    for call, target, numbers in (
        ("commit", "sqlite3:Connection.commit", (1, 3, 5, 8, 11, 14)),
        ("rename", "os:rename", (1, 4, 9, 14)),
        ("fsync", "os:fsync", (2, 7, 16, 25)),
        ("unlink", "os:unlink", (2, 6)),
        ("link", "os:link", (1, 3)),
    )
    for number in numbers
    for when in ("before", "after")
}


# While a state file of an older version is brought up to date.
CONVERTING = {
    "file held": Harm("tapewatch.ledger.migration:_convert"),
    "tables made": Harm("tapewatch.ledger.schema:create", when="after"),
    "rows moved": Harm("tapewatch.ledger.migration:_derive"),
    "rows completed": Harm("tapewatch.ledger.migration:_derive", when="after"),
    "file up to date": Harm("tapewatch.ledger.migration:bring_up_to_date", when="after"),
}
# While the daemon takes up another tape.par.
RELOADING = {
    "parameters read": Harm("tapewatch.service.loop:Service._take_up_parameters", when="after"),
    "work to be ended": Harm("tapewatch.service.loop:Service._shut_down"),
    "work ended": Harm("tapewatch.service.loop:Service._shut_down", when="after"),
    "begun anew": Harm("tapewatch.service.loop:Service._start", calls=(2,)),
    "state file opened": Harm("tapewatch.ledger.schema:open_for_writing", when="after", calls=(2,)),
    "ready anew": Harm("tapewatch.service.loop:Service._start", when="after", calls=(2,)),
}


@dataclass(frozen=True)
class Attempt:
    """A copy of the night, and how its raw frames and the first act's masters are."""

    night: Night
    par: Path
    kept: dict[str, tuple[int, int, int, bytes]]

    @classmethod
    def of(cls, night: Night, place: Path) -> "Attempt":
        """Copy the night."""
        par = night.copy(place / "night")
        masters = {f"masters/{path.name}" for path in (night.folder / "masters").iterdir()}
        assert masters
        kept = {name: state_of(par.parent / name) for name in night.raws | masters}
        return cls(night, par, kept)

    def kill(self, harm: Harm, folder: Path) -> None:
        """Have ``once`` killed at a step, and see that it was."""
        sabotage = Sabotage(folder, harm)
        killed = tapewatch("once", self.par, environment=sabotage.environment)
        assert killed.code == -signal.SIGKILL, f"{sabotage.calls} calls, and it was not killed"
        assert sabotage.hits == [1]

    def finish(self) -> None:
        """Start once more, and see that raw frames and older masters are as they were."""
        again = tapewatch("once", self.par)
        assert again.code == 0, again.output
        folder = self.par.parent
        assert {name: state_of(folder / name) for name in self.kept} == self.kept
        assert not list(folder.parent.rglob("*.part"))


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_the_night_comes_out_the_same(
    night: Night, tmp_path: Path, step: str
) -> None:
    attempt = Attempt.of(night, tmp_path)
    attempt.kill(STEPS[step], tmp_path / "sabotage")
    assert_nothing_half_done(attempt.par, night.raws)
    attempt.finish()
    assert_as_expected(attempt.par, night.raws, night.expected)


@pytest.mark.parametrize("step", CONVERTING)
def test_killed_while_an_older_state_file_is_converted_the_night_comes_out_the_same(
    night: Night, tmp_path: Path, step: str
) -> None:
    attempt = Attempt.of(night, tmp_path)
    with closing(sqlite3.connect(attempt.par.parent / ".tapewatch" / "state.sqlite")) as state:
        state.execute("PRAGMA user_version = 3")
    attempt.kill(CONVERTING[step], tmp_path / "sabotage")
    attempt.finish()
    assert_as_expected(attempt.par, night.raws, night.expected)


@pytest.mark.parametrize("step", RELOADING)
def test_killed_while_it_takes_up_another_tape_par_the_night_comes_out_the_same(
    night: Night, tmp_path: Path, step: str
) -> None:
    attempt = Attempt.of(night, tmp_path)
    sabotage = Sabotage(tmp_path / "sabotage", RELOADING[step])
    with running(attempt.par, sabotage.environment) as daemon:
        daemon.wait_for("frame.calibrated")
        with attempt.par.open("a") as text:
            text.write("RESCAN 77\n")
        assert daemon.stop(signal.SIGHUP) == -signal.SIGKILL
    assert sabotage.hits == [1]
    assert_nothing_half_done(attempt.par, night.raws)
    attempt.finish()
    assert_as_expected(attempt.par, night.raws, night.expected)
