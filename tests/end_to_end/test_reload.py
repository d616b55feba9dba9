"""SIGHUP: tape.par is read anew, and one that is wrong changes nothing."""

import signal
from pathlib import Path

from support import eventually
from support_night import NIGHTS, QUICK, frames_by_name, running, take, write_par
from tapewatch.commands.simulate import Night

FEW = Night(shape=(24, 32), bias=3, darks=0, flats=0, objects=0)


def test_new_parameters_are_taken_up_and_the_work_goes_on(tmp_path: Path) -> None:
    par = write_par(tmp_path, **QUICK, NBIAS=9, MINCAL=9)
    take(tmp_path, FEW)
    with running(par) as daemon:
        daemon.wait_for("frame.measured", FEW.bias)
        assert daemon.events("master.built") == []
        write_par(tmp_path, **QUICK, NBIAS=FEW.bias)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("service.reloading")
        daemon.wait_for("service.ready", 2)
        daemon.wait_for("master.built")
        eventually(lambda: {one["state"] for one in frames_by_name(par).values()} == {"done"})
        assert daemon.stop() == 0


def test_of_wrong_parameters_is_told_and_the_old_ones_stay(tmp_path: Path) -> None:
    night = NIGHTS["tape"]
    sizes = {"NBIAS": night.bias, "NDARK": night.darks, "NFLAT": night.flats}
    par = write_par(tmp_path, **QUICK, **sizes)
    with running(par) as daemon:
        write_par(tmp_path, **QUICK, NBIAS="many")
        daemon.process.send_signal(signal.SIGHUP)
        (refused,) = daemon.wait_for("parameters.refused")
        assert "NBIAS many" in refused["reason"]
        take(tmp_path, night)
        daemon.wait_for("frame.calibrated", night.objects)
        assert daemon.events("service.reloading") == []
        assert daemon.stop() == 0


def test_parameters_that_cannot_be_worked_with_are_given_up_again(tmp_path: Path) -> None:
    par = write_par(tmp_path, **QUICK)
    with running(par) as daemon:
        # Allowed, and yet the state file cannot be there: its folder is a file.
        (tmp_path / "taken").write_text("")
        write_par(tmp_path, **QUICK, STATEFILE="taken/state.sqlite")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("parameters.refused")
        daemon.wait_for("service.ready", 2)
        take(tmp_path, FEW)
        daemon.wait_for("frame.measured", FEW.bias)
        assert daemon.stop() == 0
