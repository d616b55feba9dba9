"""The simulated pixels: repeatable, and with the physics that they claim."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tapewatch.commands.night import Exposure, Night, exposures
from tapewatch.commands.sky import GAIN, READ_NOISE, SKY_RATE, pixels, truth
from tapewatch.model import Kind

NIGHT = Night(shape=(128, 160), bias=16, darks=8, flats=8, objects=40)
SMALL = Night(shape=(20, 24), bias=2, darks=1, flats=1, objects=3)


def chosen(
    night: Night, kind: Kind, exptime: float | None = None, name: str | None = None
) -> list[Exposure]:
    """Exposures of one kind, exposure time and filter."""
    return [
        e
        for e in exposures(night)
        if e.kind is kind and exptime in (None, e.exptime) and name in (None, e.filter)
    ]


def mean(night: Night, frames: list[Exposure]) -> NDArray[np.float64]:
    """Mean image, (ny, nx) ADU."""
    return np.asarray(np.mean([pixels(night, e).astype(float) for e in frames], axis=0))


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Pearson's correlation of the pixels of two images."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@given(st.permutations(exposures(SMALL)))
def test_a_frame_is_the_same_whatever_was_taken_before(order: list[Exposure]) -> None:
    alone = {}
    for exposure in exposures(SMALL):
        truth.cache_clear()
        alone[exposure] = pixels(SMALL, exposure)
    for exposure in order:
        np.testing.assert_array_equal(pixels(SMALL, exposure), alone[exposure])


def test_another_seed_gives_another_camera_and_another_noise() -> None:
    other = replace(NIGHT, seed=2)
    assert correlation(truth(NIGHT).bias, truth(other).bias) < 0.5
    assert correlation(truth(NIGHT).dark, truth(other).dark) < 0.5
    bias, again = exposures(NIGHT)[:2]
    noise = pixels(NIGHT, bias) - truth(NIGHT).bias
    assert abs(correlation(noise, pixels(NIGHT, again) - truth(NIGHT).bias)) < 0.05
    assert abs(correlation(noise, pixels(other, bias) - truth(other).bias)) < 0.05


@pytest.mark.parametrize("shape", [(16, 16), (17, 640), (640, 17)])
def test_frames_have_the_shape_and_type_of_a_camera(shape: tuple[int, int]) -> None:
    night = Night(shape=shape, bias=1, darks=1, flats=1, objects=1)
    for exposure in exposures(night):
        frame = pixels(night, exposure)
        assert frame.shape == shape
        assert frame.dtype == np.uint16


def test_biases_recover_the_columns_and_the_read_noise() -> None:
    frames = [pixels(NIGHT, e).astype(float) for e in chosen(NIGHT, Kind.BIAS)]
    columns, expected = np.mean(frames, axis=(0, 1)), truth(NIGHT).bias[0]
    # Read noise of 5.3 ADU over 16 frames of 128 rows leaves 0.12 ADU.
    np.testing.assert_allclose(columns, expected, atol=0.7)
    assert np.std(expected) == pytest.approx(3.0, rel=0.2)
    assert np.mean(expected) == pytest.approx(1000.0, abs=1.0)
    noise = np.std(frames[1] - frames[0]) / np.sqrt(2)
    rounding = 1 / np.sqrt(12)
    assert np.sqrt(noise**2 - rounding**2) * GAIN == pytest.approx(READ_NOISE, rel=0.02)


def test_darks_of_two_exposures_recover_the_dark_current() -> None:
    short, long = (mean(NIGHT, chosen(NIGHT, Kind.DARK, s)) for s in (60.0, 120.0))
    slope, expected = (long - short) / 60.0, truth(NIGHT).dark
    hot = expected > 1.0
    assert hot.mean() == pytest.approx(0.001, rel=0.1)
    np.testing.assert_allclose(slope[hot], expected[hot], rtol=0.03, atol=0.15)
    assert slope[~hot].mean() == pytest.approx(expected[~hot].mean(), rel=0.05)
    assert expected[~hot].mean() == pytest.approx(0.05, rel=0.02)


def test_flats_recover_the_response_of_their_filter() -> None:
    scene = truth(NIGHT)
    recovered = {}
    for name in NIGHT.filters:
        frames = [
            pixels(NIGHT, e) - scene.bias - scene.dark * e.exptime
            for e in chosen(NIGHT, Kind.FLAT, name=name)
        ]
        recovered[name] = np.mean([f / np.median(f) for f in frames], axis=0)
        assert np.median(scene.flats[name]) == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(recovered[name], scene.flats[name], atol=0.015)
        assert correlation(recovered[name], scene.flats[name]) > 0.99
    # What two filters share is the vignetting; from one pixel to the next they differ.
    steps = [np.diff(scene.flats[name], axis=1) for name in NIGHT.filters]
    assert abs(correlation(*steps)) < 0.1


def test_a_filter_keeps_its_response_when_others_are_added() -> None:
    alone = replace(SMALL, filters=("V",))
    np.testing.assert_array_equal(truth(alone).flats["V"], truth(SMALL).flats["V"])


def test_corners_are_darker_than_the_centre() -> None:
    flat = truth(NIGHT).flats["R"]
    corners = [flat[y, x].mean() for y in (slice(8), slice(-8, None)) for x in (slice(8),)]
    assert max(corners) < 0.9 * flat[56:72, 72:88].mean()


def test_the_photon_transfer_curve_gives_the_gain() -> None:
    scene = truth(NIGHT)
    first, second = (pixels(NIGHT, e) - scene.bias for e in chosen(NIGHT, Kind.FLAT, name="R")[:2])
    second *= first.mean() / second.mean()
    # Janesick 2001: the variance of the signal in ADU is signal / gain, beside the read noise.
    variance = np.var(first - second) / 2 - (READ_NOISE / GAIN) ** 2
    assert first.mean() / variance == pytest.approx(GAIN, rel=0.05)


def test_the_sky_grows_with_exposure_time() -> None:
    scene = truth(NIGHT)
    for exposure in chosen(NIGHT, Kind.OBJECT, name="V")[:2]:
        signal = pixels(NIGHT, exposure) - scene.bias - scene.dark * exposure.exptime
        level = np.median(signal / scene.flats["V"])
        assert level == pytest.approx(SKY_RATE * exposure.exptime, rel=0.03)


def test_the_sky_is_seen_through_optics_and_filter() -> None:
    scene = truth(NIGHT)
    frames = chosen(NIGHT, Kind.OBJECT, 120.0, "V")
    sky = mean(NIGHT, frames) - scene.bias - scene.dark * 120.0
    corner, centre = (slice(24), slice(24)), (slice(52, 76), slice(68, 92))
    assert np.median(sky[corner]) / np.median(sky[centre]) == pytest.approx(
        np.median(scene.flats["V"][corner]) / np.median(scene.flats["V"][centre]), rel=0.03
    )


def brightest_star(night: Night, exposure: Exposure) -> tuple[float, float, float]:
    """Flux above the sky (ADU) and centroid (x, y) of the brightest star, less bias and dark."""
    scene = truth(night)
    signal = pixels(night, exposure) - scene.bias - scene.dark * exposure.exptime
    signal = signal / scene.flats[exposure.filter] - SKY_RATE * exposure.exptime
    signal[scene.dark > 1.0] = 0.0
    peak_y, peak_x = np.unravel_index(np.argmax(signal[12:-12, 12:-12]), (104, 136))
    y, x = np.mgrid[peak_y : peak_y + 25, peak_x : peak_x + 25]
    stamp = signal[y, x]
    core = np.hypot(y - peak_y - 12, x - peak_x - 12) < 8
    flux = stamp[core].sum()
    return flux, (x * stamp)[core].sum() / flux, (y * stamp)[core].sum() / flux


def test_stars_shine_by_exposure_time_and_drift_by_a_fraction_of_a_pixel() -> None:
    short, long = (chosen(NIGHT, Kind.OBJECT, s, "R")[0] for s in (60.0, 120.0))
    flux, x, y = brightest_star(NIGHT, long)
    shorter, *_ = brightest_star(NIGHT, short)
    assert flux / shorter == pytest.approx(2.0, rel=0.05)
    # Half-way and a quarter round the circle of drift, whose radius is 0.35 pixels.
    for frames, distance in ((20, 0.7), (10, 0.35 * np.sqrt(2))):
        _, later_x, later_y = brightest_star(NIGHT, replace(long, index=long.index + frames))
        assert np.hypot(later_x - x, later_y - y) == pytest.approx(distance, abs=0.1)


def test_too_much_light_saturates_and_never_wraps_around() -> None:
    long = replace(chosen(NIGHT, Kind.DARK)[0], exptime=36000.0)
    frame = pixels(NIGHT, long)
    hot = truth(NIGHT).dark > 2.5
    assert hot.any()
    assert set(frame[hot]) == {65535}


def test_binned_pixels_collect_the_dark_current_of_all() -> None:
    binned = truth(replace(NIGHT, binning=2)).dark
    assert np.median(binned) == pytest.approx(4 * np.median(truth(NIGHT).dark), rel=0.01)


def test_the_truth_cannot_be_changed_by_accident() -> None:
    scene = truth(NIGHT)
    for array in (scene.bias, scene.dark, *scene.flats.values()):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0
