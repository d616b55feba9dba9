"""The drop-in for systemd names what a tape.par names, and nothing else."""

import dataclasses
import grp
import os
from pathlib import Path
from typing import Any

import pytest

from support_planning import parameters
from tapewatch.commands.dropin import drop_in
from tapewatch.parameters import Parameters


def of(**fields: Any) -> Parameters:  # noqa: ANN401  (whatever the field holds)
    return dataclasses.replace(parameters(), **fields)


def directives(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_only_the_data_folder_may_be_written(tmp_path: Path) -> None:
    found = directives(drop_in(of(watchdir=tmp_path, outdir=None)))
    assert found["ReadWritePaths"] == [str(tmp_path)]
    assert found["RequiresMountsFor"] == [str(tmp_path)]
    assert not {"BindPaths", "BindReadOnlyPaths"} & set(found)


def test_a_folder_in_a_home_is_mounted_into_the_hidden_one() -> None:
    home = Path("/home/camera/night")
    found = directives(drop_in(of(watchdir=home, outdir=None)))
    assert found["BindPaths"] == [str(home)]
    assert "ReadWritePaths" not in found


def test_raw_frames_stay_read_only_where_the_output_is_elsewhere() -> None:
    camera, out = Path("/home/camera/night"), Path("/srv/reduced")
    found = directives(drop_in(of(watchdir=camera, outdir=out)))
    assert found["BindReadOnlyPaths"] == [str(camera)]
    assert found["ReadWritePaths"] == [str(out)]


def test_state_and_log_of_their_own_are_opened_too() -> None:
    out = Path("/srv/night")
    found = directives(
        drop_in(
            of(
                watchdir=out,
                outdir=None,
                statefile=out / "state.sqlite",
                jsonlog=Path("/mnt/logs/dome.jsonl"),
            )
        )
    )
    assert found["ReadWritePaths"] == ["/mnt/logs", "/srv/night"]


@pytest.mark.skipif(os.getuid() != 0, reason="giving a folder away needs root")
def test_the_service_is_let_into_the_group_of_the_folder(tmp_path: Path) -> None:
    group = next(one for one in grp.getgrall() if one.gr_gid)
    os.chown(tmp_path, -1, group.gr_gid)
    tmp_path.chmod(0o775)
    text = drop_in(of(watchdir=tmp_path, outdir=None))
    assert directives(text)["SupplementaryGroups"] == [group.gr_name]
    assert "chmod" not in text


def test_a_folder_that_its_group_may_not_write_is_told_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert f"chmod g+w {tmp_path}" in drop_in(of(watchdir=tmp_path, outdir=None))


def test_odd_paths_are_quoted() -> None:
    found = directives(drop_in(of(watchdir=Path('/srv/my "night" 100%'), outdir=None)))
    assert found["ReadWritePaths"] == ['"/srv/my \\"night\\" 100%%"']
