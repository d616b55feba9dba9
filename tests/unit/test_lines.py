"""What the canonical log lines say of each job: all about it, under the documented names."""

from dataclasses import replace

import pytest

from support_ledger import (
    EVENING,
    STATISTICS,
    a_build,
    a_calibration,
    a_frame,
    a_master,
    a_product,
    an_identity,
)
from tapewatch.model import Content, Frame, Kind, MeasureFrame, Recipe, Report, Statistics
from tapewatch.service import lines

FIGURES = {"mean": 1000.5, "std": 5.25, "max": 1020.0, "min": 980.0}
REPORT = Report(replace(STATISTICS, saturated=7), seconds=0.25, ended=EVENING + 12.5)


def about(frame: Frame) -> dict[str, object]:
    return lines.of_frame(MeasureFrame(frame), REPORT)


def test_a_measured_frame_tells_its_name_its_figures_and_how_long_it_took() -> None:
    assert about(a_frame("n/bias.fits", Kind.BIAS)) == {
        "file": "n/bias.fits",
        "kind": "bias",
        "date_obs": "2026-03-25T18:00:00",
        **FIGURES,
        "saturated": 7,
        "seconds": 0.25,
    }


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Kind.BIAS, {}),
        (Kind.DARK, {"exptime": 60.0}),
        (Kind.FLATDARK, {"exptime": 60.0}),
        (Kind.FLAT, {"exptime": 60.0, "filter": "R"}),
        (Kind.OBJECT, {"exptime": 60.0, "filter": "R", "object": "M13"}),
    ],
)
def test_a_frame_tells_what_means_something_for_its_kind(
    kind: Kind, told: dict[str, object]
) -> None:
    line = about(a_frame("x.fits", kind, object="M13"))
    assert {key: line[key] for key in ("exptime", "filter", "object") if key in line} == told


def test_a_calibrated_frame_tells_its_masters_and_how_long_it_was_under_way() -> None:
    masters = tuple(
        a_master(kind[0] * 16, kind, folder="n") for kind in (Kind.BIAS, Kind.DARK, Kind.FLAT)
    )
    recipe = Recipe("b" * 16, "d" * 16, "f" * 16, 0.5, ("SCALED", "AGED"))
    job = replace(a_calibration("n/x.fits", object="M13"), recipe=recipe, masters=masters)
    content = Content(an_identity(), "data", "header")
    report = replace(REPORT, content=content, product=a_product("n/wx.fits", content))
    assert lines.of_product(job, report, EVENING + 10) == {
        "file": "n/x.fits",
        "kind": "object",
        "filter": "R",
        "exptime": 60.0,
        "object": "M13",
        "date_obs": "2026-03-25T18:00:00",
        "bias": "n/masters/wbias-bbbbbbbbbbbbbbbb.fits",
        "dark": "n/masters/wdark-dddddddddddddddd.fits",
        "dark_scale": 0.5,
        "flat": "n/masters/wflat-ffffffffffffffff.fits",
        "flags": ["SCALED", "AGED"],
        **FIGURES,
        "saturated": 7,
        "seconds": 0.25,
        "latency": 2.5,
        "product": "n/wx.fits",
    }


def test_a_frame_calibrated_without_a_dark_tells_of_none() -> None:
    masters = (a_master("b" * 16), a_master("f" * 16, Kind.FLAT))
    line = lines.of_product(replace(a_calibration("x.fits"), masters=masters), REPORT, EVENING)
    assert not {"dark", "dark_scale"} & set(line)
    assert {"bias", "flat"} <= set(line)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Kind.BIAS, {}),
        (Kind.DARK, {"exptime": 180.0}),
        (Kind.FLATDARK, {"exptime": 180.0}),
        (Kind.FLAT, {"filter": "R"}),
    ],
)
def test_a_set_tells_what_tells_its_master_apart(kind: Kind, told: dict[str, object]) -> None:
    master = a_master("1" * 16, kind, folder="n", stem="wname", exptime=180.0)
    assert lines.of_set(a_build(master, "n/a.fits", "n/b.fits")) == {
        "master": "n/masters/wname-1111111111111111.fits",
        "kind": str(kind),
        "frames": 2,
        **told,
    }


def test_a_master_tells_its_set_the_bias_and_its_figures() -> None:
    master = a_master("d" * 16, Kind.DARK, folder="n", exptime=180.0)
    job = replace(a_build(master, "n/a.fits"), bias=a_master("b" * 16, folder="n"))
    assert lines.of_master(job, REPORT) == {
        **lines.of_set(job),
        "bias": "n/masters/wbias-bbbbbbbbbbbbbbbb.fits",
        **FIGURES,
        "seconds": 0.25,
    }
    assert "bias" not in lines.of_master(a_build(a_master("b" * 16), "a.fits"), REPORT)


def test_each_flat_of_a_master_tells_its_figures_after_normalisation() -> None:
    job = a_build(a_master("f" * 16, Kind.FLAT), "a.fits", "b.fits")
    figures = (Statistics(0.99, 0.01, 1.3, 0.4), Statistics(0.98, 0.02, 1.2, 0.5))
    first, second = lines.of_inputs(job, replace(REPORT, inputs=figures))
    assert (first["file"], first["mean"], first["min"]) == ("a.fits", 0.99, 0.4)
    assert (second["file"], second["std"], second["max"]) == ("b.fits", 0.02, 1.2)
    assert first["master"] == second["master"] == job.master.path
    assert "saturated" not in first


def test_biases_and_darks_are_not_told_of_again_when_they_are_combined() -> None:
    assert list(lines.of_inputs(a_build(a_master("b" * 16), "a.fits", "b.fits"), REPORT)) == []


def test_a_job_of_any_sort_tells_what_it_is_about() -> None:
    assert lines.of_job(a_build(a_master("b" * 16), "a.fits"))["master"].startswith("masters/")
    assert lines.of_job(a_calibration("x.fits"))["file"] == "x.fits"
    assert lines.of_job(MeasureFrame(a_frame("y.fits")))["file"] == "y.fits"
