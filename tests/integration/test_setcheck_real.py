"""No false alarm on real nights, nor on simulated ones; what is odd in them is found."""

from pathlib import Path

import pytest

from support_night import copy_frames, take, tapewatch, write_par
from support_service import work_once
from tapewatch.commands.simulate import Night

NIGHTS: dict[str, dict[str, object]] = {
    "arcsat-m13-maxim6-acp": {},
    "eso-efosc2-lasilla": {"STEPS": "bias,flat", "ALLBIN": 1},
    "itelescope-t05-st10-darks": {"ALLBIN": 1},
}


@pytest.mark.parametrize("folder", NIGHTS)
@pytest.mark.parametrize("setcheck", ["warn", "reject"])
def test_a_real_night_gives_no_false_alarm(
    real_data: Path, tmp_path: Path, folder: str, setcheck: str
) -> None:
    copy_frames(real_data / folder, tmp_path)
    code, lines = work_once(tmp_path, SETCHECK=setcheck, **NIGHTS[folder])
    assert code == 0
    assert [line for line in lines if line["event"] == "quality.warning"] == []
    assert not [line for line in lines if "does not fit its set" in line.get("reason", "")]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_night_gives_no_false_alarm(tmp_path: Path, seed: int) -> None:
    night = Night(shape=(256, 320), seed=seed, dialect="maxim", objects=4)
    take(tmp_path, night)
    ended = tapewatch("once", write_par(tmp_path, SETCHECK="reject"))
    assert ended.code == 0, ended.errors
    assert ended.events("quality.warning") == []
    assert ended.events("frame.rejected") == []


def test_a_real_bias_of_which_the_read_out_broke_off_is_left_out(
    real_data: Path, tmp_path: Path
) -> None:
    copy_frames(real_data / "eso-efosc2-lasilla", tmp_path)
    broken = sorted(tmp_path.glob("EFOSC.2022-01-26T19:0*"))[2]
    whole = bytearray(broken.read_bytes())
    size = 1030 * 1030 * 2  # bytes of pixels; they end before the padding
    end = len(whole) - (-size % 2880)
    whole[end - size // 2 : end] = bytes(size // 2)
    broken.write_bytes(whole)
    code, lines = work_once(tmp_path, SETCHECK="reject", STEPS="bias,flat", ALLBIN=1)
    assert code == 0
    (line,) = (one for one in lines if "does not fit its set" in one.get("reason", ""))
    assert (line["event"], line["file"]) == ("frame.rejected", broken.name)
    assert line["reason"] == "does not fit its set: 49% of its rows hold no image"
