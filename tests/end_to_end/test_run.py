"""``tapewatch run``: live frames, late masters, and rewritten raw frames."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import notebook
from support_night import (
    NIGHTS,
    QUICK,
    Daemon,
    appear,
    assert_as_the_notebook,
    assert_same_pixels,
    frames_by_name,
    running,
    set_sizes,
    state_of,
    states_below,
    take,
    write_par,
)
from tapewatch.commands.camera import solver_cards
from tapewatch.commands.simulate import exposures, fits_bytes

NIGHT = NIGHTS["maxim"]


def drop(daemon: Daemon, source: Path, names: list[str], folder: Path) -> None:
    """Copy frames into the watched folder, one after the other."""
    assert daemon.process.poll() is None
    for name in names:
        (folder / name).write_bytes((source / name).read_bytes())


def test_real_frames_dropped_in_objects_first_give_the_notebooks_pixels(
    arcsat: Path, tmp_path: Path
) -> None:
    names = sorted(path.name for path in arcsat.iterdir())
    np.random.default_rng(13).shuffle(names)
    objects = [name for name in names if name.startswith("M13")]
    others = [name for name in names if not name.startswith("M13")]
    with running(write_par(tmp_path, **QUICK, NBIAS=3, NDARK=3, NFLAT=3)) as daemon:
        drop(daemon, arcsat, objects, tmp_path)
        daemon.wait_for("frame.waiting", 12)
        drop(daemon, arcsat, others, tmp_path)
        daemon.wait_for("frame.calibrated", 12)
        assert daemon.stop() == 0
    assert len(daemon.events("master.built")) == 6
    assert len(daemon.events("frame.calibrated")) == 12
    assert len(assert_as_the_notebook(tmp_path, [tmp_path / name for name in names]).products) == 12


def test_objects_are_done_the_moment_their_own_masters_exist(tmp_path: Path) -> None:
    camera = tmp_path / "camera"
    lists = notebook.process(take(camera, NIGHT)).lists
    folder = tmp_path / "night"
    folder.mkdir()
    par = write_par(folder, **QUICK, **set_sizes(NIGHT))
    of_filter = {
        name: [
            one for one in lists["wobj"] if notebook.read(camera / one)[1]["FILTER"].strip() == name
        ]
        for name in ("R", "V")
    }
    with running(par) as daemon:
        drop(daemon, camera, lists["wobj"], folder)
        waiting = daemon.wait_for("frame.waiting", len(lists["wobj"]))
        assert all("no bias frames yet" in line["reason"] for line in waiting)
        # Flats before what they need: the whole chain waits for the biases.
        for stem in ("wflatR", "wdark60s", "wdark120s"):
            drop(daemon, camera, lists[stem], folder)
        drop(daemon, camera, lists["wbias"][:-1], folder)
        daemon.wait_for("frame.measured", 3 + 4 + 4 + 4)
        assert not daemon.events("master.built")
        drop(daemon, camera, lists["wbias"][-1:], folder)
        done = daemon.wait_for("frame.calibrated", len(of_filter["R"]))
        assert sorted(line["file"] for line in done) == sorted(of_filter["R"])
        stem_of = {"bias": "wbias", "dark": "wdark", "flat": "wflatR"}
        assert all(
            Path(line[kind]).name.startswith(stem)
            for line in done
            for kind, stem in stem_of.items()
        )
        for name in of_filter["V"]:
            reason = frames_by_name(par)[name]["reason"]
            assert reason.startswith("waits: for a master flat V")
        drop(daemon, camera, lists["wflatV"], folder)
        daemon.wait_for("frame.calibrated", len(lists["wobj"]))
        assert daemon.stop() == 0
    assert len(daemon.events("master.built")) == 5
    assert_as_the_notebook(folder, [folder / path.name for path in camera.iterdir()])


class Live:
    """A daemon that has done a whole night, and its raw frames."""

    def __init__(self, folder: Path, par: Path, daemon: Daemon) -> None:
        self.folder = folder
        self.par = par
        self.daemon = daemon
        self.expected = notebook.process(folder.glob("[!w]*.fit"))
        self._spares = iter(self.expected.lists["wobj"])
        self._fresh = 0

    def next_object(self) -> str:
        """Name of an object frame that no test has touched yet."""
        return next(self._spares)

    def see_it_catch_up(self) -> None:
        """Bring in one more frame and wait for it: all that came before has been seen by then."""
        self._fresh += 1
        name = f"Fresh_{self._fresh}.fit"
        raw = self.folder / self.expected.lists["wobj"][-1]
        appear(self.folder / name, raw.read_bytes())
        self.daemon.wait_for("frame.calibrated", file=name)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live") / "night"
    take(folder, NIGHT)
    par = write_par(folder, **QUICK, **set_sizes(NIGHT))
    with running(par) as daemon:
        daemon.wait_for("frame.calibrated", NIGHT.objects)
        yield Live(folder, par, daemon)


def test_a_rewritten_header_goes_into_the_product_and_changes_nothing_else(live: Live) -> None:
    name = live.next_object()
    exposure = next(one for one in exposures(NIGHT) if one.name == name)
    live.see_it_catch_up()
    masters = states_below(live.folder, "masters/*") | states_below(live.folder, "w[bdf]*.fits")
    others = states_below(live.folder, "wM13*.fit")
    others.pop(f"w{name}")
    built = len(live.daemon.events("master.built"))
    solved_first, solved = solver_cards(NIGHT, exposure)
    for turn, extra in enumerate((solved_first, solved), start=2):
        # As plate solvers do it: the file is cut to nothing and written anew, in place.
        (live.folder / name).write_bytes(fits_bytes(NIGHT, exposure, extra))
        live.daemon.wait_for("frame.calibrated", turn, file=name)
        assert_same_pixels(live.folder / f"w{name}", live.expected.products[f"w{name}"])
        header = fits.getheader(live.folder / f"w{name}")
        assert extra[0][1] in list(header["HISTORY"])
    header = fits.getheader(live.folder / f"w{name}")
    assert header["CRVAL1"] == dict(card[:2] for card in solved)["CRVAL1"]
    live.see_it_catch_up()
    assert len(live.daemon.events("frame.calibrated", file=name)) == 3
    assert len(live.daemon.events("master.built")) == built
    after = states_below(live.folder, "masters/*") | states_below(live.folder, "w[bdf]*.fits")
    assert after == masters
    assert states_below(live.folder, "wM13*.fit").items() >= others.items()


@pytest.mark.parametrize("stem", ["wbias", "wdark60s", "wflatR"])
def test_a_calibration_frame_with_a_new_header_rebuilds_no_set(live: Live, stem: str) -> None:
    name = live.expected.lists[stem][1]
    written = states_below(live.folder, "**/w*.fit*")
    measured = len(live.daemon.events("frame.measured", file=name))
    events = {event: len(live.daemon.events(event)) for event in ("set.complete", "master.built")}
    exposure = next(one for one in exposures(NIGHT) if one.name == name)
    comment = ("HISTORY", "somebody looked at this frame", "")
    (live.folder / name).write_bytes(fits_bytes(NIGHT, exposure, (comment,)))
    live.daemon.wait_for("frame.measured", measured + 1, file=name)
    live.see_it_catch_up()
    assert {event: len(live.daemon.events(event)) for event in events} == events
    assert states_below(live.folder, "**/w*.fit*").items() >= written.items()
    assert frames_by_name(live.par)[name]["state"] == "done"


def chmod(path: Path) -> None:
    path.chmod(0o640)


def link_and_unlink(path: Path) -> None:
    backup = path.with_name("backup.part")
    backup.hardlink_to(path)
    backup.unlink()


def touch(path: Path) -> None:
    os.utime(path)


def replace_by_copy(path: Path) -> None:
    appear(path, path.read_bytes())


@pytest.mark.parametrize("retouch", [chmod, link_and_unlink, touch, replace_by_copy])
@pytest.mark.parametrize("stem", ["wobj", "wflatR"])
def test_a_file_touched_but_the_same_is_not_done_again(
    live: Live, stem: str, retouch: object
) -> None:
    assert callable(retouch)
    name = live.expected.lists[stem][0]
    written = states_below(live.folder, "**/w*.fit*")
    looked_at = len(live.daemon.events("frame.measured", file=name))
    done = {
        "calibrated": len(live.daemon.events("frame.calibrated", file=name)),
        "built": len(live.daemon.events("master.built")),
    }
    retouch(live.folder / name)
    live.daemon.wait_for("frame.measured", looked_at + 1, file=name)
    live.see_it_catch_up()
    assert done == {
        "calibrated": len(live.daemon.events("frame.calibrated", file=name)),
        "built": len(live.daemon.events("master.built")),
    }
    assert states_below(live.folder, "**/w*.fit*").items() >= written.items()
    assert frames_by_name(live.par)[name]["state"] == "done"


def test_the_raw_pixels_changed_give_a_new_product(live: Live) -> None:
    name = live.expected.lists["wobj"][3]
    raw = live.folder / name
    donor = live.folder / live.expected.lists["wobj"][5]
    done = len(live.daemon.events("frame.calibrated", file=name))
    appear(raw, donor.read_bytes())
    live.daemon.wait_for("frame.calibrated", done + 1, file=name)
    assert_same_pixels(live.folder / f"w{name}", live.expected.products[f"w{donor.name}"])
    assert state_of(donor)[3] == state_of(raw)[3]
