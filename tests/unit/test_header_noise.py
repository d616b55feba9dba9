"""Gain and read noise as headers tell them, and the cards of masters."""

import pytest

from support_planning import Cards
from tapewatch.headers.noise import gain_of, noise_cards, noise_of, readnoise_of
from tapewatch.headers.values import Value
from tapewatch.model import Kind, MasterNoise


@pytest.mark.parametrize(
    ("header", "gain", "readnoise"),
    [
        ({"EGAIN": 1.74}, 1.74, None),  # CCDOPS, MaxIm DL
        ({"E-GAIN": "0.46"}, 0.46, None),  # CCDSoft
        ({"EGAIN": "3.62    "}, 3.62, None),  # N.I.N.A., with GAIN a setting
        ({"GAIN": 120, "EGAIN": 0.25}, 0.25, None),
        ({"GAIN": 120}, None, None),
        ({"GAIN": 2.3, "RDNOISE": 3.5}, 2.3, 3.5),  # LCO
        ({"GAIN": 1.9, "READNOIS": "5,0"}, 1.9, 5.0),  # NOAO, a decimal comma
        ({"GAIN": "[2.01, 1.9]", "RDNOISE": 11.0}, None, 11.0),
        ({"ESO DET OUT1 CONAD": 1.1, "ESO DET OUT1 GAIN": 0.91, "ESO DET OUT1 RON": 7.8}, 1.1, 7.8),
        ({"ESO DET OUT1 GAIN": 0.5}, 2.0, None),
        ({"CCDGAIN": "low"}, None, None),  # LRIS
        ({"EGAIN": 0.0, "CCDGAIN": 2}, 2.0, None),
        ({"EGAIN": -1.0, "RDNOISE": 0.0}, None, None),
        ({"EGAIN": 1e9, "CCDRON": 12}, None, 12.0),
        ({"EGAIN": float("inf")}, None, None),
        ({}, None, None),
    ],
)
def test_gain_and_read_noise_are_told_by_the_dialect(
    header: dict[str, Value], gain: float | None, readnoise: float | None
) -> None:
    assert gain_of(Cards(header)) == gain
    assert readnoise_of(Cards(header)) == readnoise


@pytest.mark.parametrize(
    "noise",
    [
        MasterNoise(5),
        MasterNoise(9, is_median=False, noise=4.25),
        MasterNoise(7, noise=120.5, level=20_001.5, gain=1.375),
    ],
)
def test_cards_of_a_master_are_read_back(noise: MasterNoise) -> None:
    cards = {key: value for key, (value, _) in noise_cards(noise, Kind.FLAT).items()}
    assert noise_of(Cards({**cards, "NCOMBINE": noise.frames})) == noise


def test_a_master_without_cards_tells_its_number_of_frames() -> None:
    assert noise_of(Cards({"NCOMBINE": 11})) == MasterNoise(11)
    assert noise_of(Cards({})) == MasterNoise(1)
