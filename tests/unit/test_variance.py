"""Uncertainties against simulated truth: pulls have mean 0 and width 1."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from tapewatch.science.calibrate import calibrate, normalise_flat, subtract_bias
from tapewatch.science.combine import median
from tapewatch.science.variance import (
    FlatNoise,
    Noise,
    Share,
    expected_signal,
    of_frame,
    of_masters,
    of_median,
    of_subtracted,
)

Floats = NDArray[np.floating]
GAIN, READNOISE = 1.7, 8.0  # e-/ADU, e-
NOISE = Noise(GAIN, READNOISE / GAIN)
PEDESTAL, DARK_RATE, FLAT_LEVEL = 1000.0, 0.2, 20_000.0  # ADU, e-/s, ADU


class Camera:
    """A camera whose truth is known: what it exposes has the noise of electrons and of reading."""

    def __init__(self, seed: int, shape: tuple[int, int]) -> None:
        self.random = np.random.default_rng(seed)
        self.shape = shape
        self.response = self.random.normal(1, 0.02, shape)

    def expose(self, electrons: Floats | float, count: int = 1) -> list[Floats]:
        """Take frames, as the digitizer gives them: (ny * nx,) int32, ADU."""
        expected = np.broadcast_to(electrons, self.shape)
        return [
            np.rint(
                PEDESTAL
                + (self.random.poisson(expected) + self.random.normal(0, READNOISE, self.shape))
                / GAIN
            )
            .astype("i4")
            .ravel()
            for _ in range(count)
        ]

    def masters(self, count: int, dark_time: float) -> tuple[Floats, Floats, Floats]:
        """Make fresh masters of `count` frames each, by the arithmetic of the notebook."""
        bias = median(self.expose(0, count)).astype("f4")
        darks = self.expose(DARK_RATE * dark_time, count)
        dark = median([subtract_bias(one, bias) for one in darks]).astype("f4")
        flats = self.expose(FLAT_LEVEL * GAIN * self.response, count)
        # By the true level, lest the truth be known no better than the median of so few pixels.
        flat = median([normalise_flat(one, bias, np.float64(FLAT_LEVEL)) for one in flats])
        return bias, dark, flat.astype("f4")


def uncertainty(
    raw: Floats,
    masters: tuple[Floats, Floats, Floats],
    k: float,
    count: int,
    shape: tuple[int, int],
) -> tuple[Floats, Floats]:
    """Calibrate; give the product and its standard deviation, ADU."""
    bias, dark, flat = masters
    share = Share(count)
    product = calibrate(raw, bias, dark, k, flat)
    signal = expected_signal((raw - bias).reshape(shape), NOISE).ravel()
    flat_variance = FlatNoise(share, FLAT_LEVEL, NOISE).variance(flat)
    current = expected_signal(dark.reshape(shape), NOISE, share.value).ravel()
    subtracted = of_subtracted(NOISE, share, current, share, k)
    variance = of_frame(signal, NOISE, flat) + of_masters(product, subtracted, flat, flat_variance)
    return product, np.sqrt(variance)


NIGHTS, SHAPE = 6, (128, 250)


@pytest.mark.parametrize("electrons", [10, 100, 1000, 30_000])
@pytest.mark.parametrize(
    ("k", "count"),
    [(0.5, 3), (0.5, 8), (0.5, 15), (1, 4), (1, 7), (1, 15), (2, 3), (2, 5), (2, 11)],
)
def test_pulls_over_pixels_and_nights_have_mean_0_and_width_1(
    electrons: int, k: float, count: int
) -> None:
    camera = Camera(seed=count, shape=SHAPE)
    dark_time, pulls = 100.0, []
    for _ in range(NIGHTS):
        masters = camera.masters(count, dark_time)
        light = electrons * camera.response
        (raw,) = camera.expose(light + DARK_RATE * dark_time * k)
        product, sigma = uncertainty(raw, masters, k, count, SHAPE)
        pulls.append((product - electrons / GAIN) / sigma)
    pull = np.concatenate(pulls)
    assert abs(pull.mean()) < 0.02
    assert abs(pull.std() - 1) < 0.02


def test_propagating_each_step_on_its_own_would_be_wrong() -> None:
    # What the formula is for: with k = 1 the bias cancels, and counting it twice as independent
    # noise (0.82 to 0.90 of the true width) would be seen by the test above.
    noise = Noise(1, 10)
    share = Share(5)
    dark = np.zeros(3, "f4")
    once = of_subtracted(noise, share, dark, share, 1.0)
    assert np.allclose(once, 1.4342 / 5 * 100)
    bias_var = dark_of_bias = 1.4342 / 5 * 100
    naive = 100 + bias_var + (1.4342 / 5 * 100 + dark_of_bias)
    assert 0.82 < math.sqrt((100 + float(np.ravel(once)[0])) / naive) < 0.90


@pytest.mark.parametrize("count", [*range(2, 16), 16, 21, 30])
def test_the_variance_of_a_median_is_as_simulated(count: int) -> None:
    values = np.random.default_rng(count).standard_normal((count, 300_000), dtype="f4")
    assert count * np.median(values, axis=0).var() == pytest.approx(of_median(count), rel=0.012)


def test_medians_of_many_go_to_the_limit() -> None:
    assert of_median(1) == of_median(2) == 1
    assert of_median(100_001) == pytest.approx(math.pi / 2, rel=1e-4)
    assert [of_median(n) < of_median(n + 2) for n in range(2, 40)] == [True] * 38
    assert Share(9, is_median=False).value == 1 / 9


def by_hand(
    raw: float, bias: float, dark: float, k: float, flat: float, count: int
) -> tuple[float, float]:
    """Write the formula out for one pixel."""
    c = of_median(count) / count
    ron2 = NOISE.readnoise**2
    product = (raw - bias - k * dark) / flat
    own = (ron2 + max(raw - bias, 0) / GAIN) / flat**2
    var_dark = c * (ron2 + max(dark, 0) / GAIN)
    var_flat = c * (ron2 + flat * FLAT_LEVEL / GAIN) / FLAT_LEVEL**2
    masters = ((1 - k) ** 2 * c * ron2 + k**2 * var_dark) / flat**2
    return own, masters + (product / flat) ** 2 * var_flat


@pytest.mark.parametrize(
    ("raw", "bias", "dark", "k", "flat"),
    [*itertools.product([900, 1200, 60_000], [1000.5], [-3, 0, 400], [0, 0.5, 3], [0.5, 1.2])],
)
def test_the_terms_are_those_of_the_formula(
    raw: float, bias: float, dark: float, k: float, flat: float
) -> None:
    arrays = [np.array([value], "f8") for value in (raw, bias, dark, flat)]
    share = Share(7)
    product = (arrays[0] - arrays[1] - k * arrays[2]) / arrays[3]
    own = of_frame(arrays[0] - arrays[1], NOISE, arrays[3])
    subtracted = of_subtracted(NOISE, share, arrays[2], share, k)
    flat_variance = FlatNoise(share, FLAT_LEVEL, NOISE).variance(arrays[3])
    masters = of_masters(product, subtracted, arrays[3], flat_variance)
    assert (own[0], masters[0]) == pytest.approx(by_hand(raw, bias, dark, k, flat, 7))


def test_steps_that_are_left_out_add_nothing() -> None:
    product = np.array([10, -10], "f4")
    share = Share(3, is_median=False)
    assert of_masters(product, 0.0, None, None).tolist() == [0, 0]
    assert of_subtracted(NOISE, None, None, None, 5.0) == 0
    assert of_subtracted(NOISE, share, None, None, 5.0) == pytest.approx(NOISE.readnoise**2 / 3)
    assert of_frame(product, NOISE, None) == pytest.approx(
        [NOISE.readnoise**2 + 10 / GAIN, NOISE.readnoise**2]
    )


def test_a_flat_of_zero_or_nan_gives_no_number() -> None:
    flat = np.array([0, np.nan, -2], "f4")
    variance = of_frame(np.full(3, 100, "f4"), NOISE, flat)
    assert np.isfinite(variance).tolist() == [False, False, True]
    assert variance[2] > 0


def test_the_signal_of_a_pixel_like_its_neighbours_is_their_mean() -> None:
    row = np.array([[10, 12, 8, 11, 9, 10, 13, 7, 10, 1000, 10, 9]], "f4")
    expected = expected_signal(row, NOISE)
    assert expected[0, 4] == pytest.approx(np.mean([10, 12, 8, 11, 10, 13, 7, 10]))
    assert expected[0, 0] == pytest.approx(np.mean([12, 8, 11, 9]))
    assert expected[0, 9] == 1000  # a star's or a hot pixel's own


def test_the_signal_passes_over_pixels_without_a_value() -> None:
    row = np.array([[np.nan, 10, 12, np.nan, 8, np.inf, 9]], "f4")
    assert expected_signal(row, NOISE)[0, 3] == pytest.approx(np.mean([10, 12, 8, 9]))
    assert np.isnan(expected_signal(np.full((2, 3), np.nan, "f4"), NOISE)).all()
    alone = np.array([[50.0]], "f4")
    assert expected_signal(alone, NOISE).tolist() == [[50.0]]


def test_rows_do_not_know_of_each_other() -> None:
    image = np.random.default_rng(5).normal(100, 5, (9, 40)).astype("f4")
    whole = expected_signal(image, NOISE)
    parts = [expected_signal(image[row : row + 1], NOISE) for row in range(9)]
    assert np.array_equal(whole, np.concatenate(parts))
