"""Which file system a path is on."""

from pathlib import Path, PurePosixPath

import pytest

from tapewatch.arrival.mounts import filesystem_type, is_network

TABLE = r"""21 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
22 21 0:20 / /proc rw,nosuid shared:2 - proc proc rw
30 21 0:40 / /mnt/camera rw shared:3 master:7 - cifs //camera-pc/images rw,vers=3.0
31 21 0:41 / /mnt/camera/local rw - tmpfs tmpfs rw
32 21 0:42 / /mnt/My\040Camera\134x rw - nfs4 server:/export rw
33 21 8:17 / /media/usb rw - fuseblk /dev/sdb1 rw
34 21 0:43 / /home/observer/remote rw - fuse.sshfs host:/data rw
35 21 8:3 / /mnt/twice rw - xfs /dev/sda3 rw
36 35 0:44 / /mnt/twice rw - 9p host rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "ext4"),
        ("/data/night", "ext4"),
        ("/mnt/camera", "cifs"),
        ("/mnt/camera/2024-05-01/x.fits", "cifs"),
        ("/mnt/camera2", "ext4"),  # a prefix of the text, but not of the path
        ("/mnt/camera/local/a", "tmpfs"),
        ("/mnt/My Camera\\x/a", "nfs4"),
        ("/mnt/twice/a", "9p"),  # the later mount hides the earlier
        ("/media/usb/a", "fuseblk"),
    ],
)
def test_the_longest_mount_point_decides(path: str, expected: str) -> None:
    assert filesystem_type(PurePosixPath(path), TABLE) == expected


def test_lines_that_are_no_mounts_are_passed_over() -> None:
    assert filesystem_type(PurePosixPath("/a"), "nonsense\n\n1 2 3 - ext4 x rw\n") == ""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *[(kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse", "9p")],
        *[(kind, True) for kind in ("afs", "ceph", "glusterfs", "lustre", "vboxsf", "virtiofs")],
        *[(kind, False) for kind in ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "vfat")],
        *[(kind, False) for kind in ("fuseblk", "nfsd", "exfat", "")],
    ],
)
def test_network_file_systems_are_known_by_type(
    tmp_path: Path, kind: str, *, expected: bool
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 0:1 / / rw - {kind} none rw\n")
    assert is_network(tmp_path, table) is expected


def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to("share")
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 0:1 / / rw - ext4 none rw\n2 1 0:2 / {tmp_path}/share rw - nfs4 s rw\n")
    assert is_network(tmp_path / "link", table)
    assert not is_network(tmp_path, table)


def test_without_the_table_nothing_is_a_network(tmp_path: Path) -> None:
    assert not is_network(tmp_path, tmp_path / "absent")


def test_this_machine_s_own_table_can_be_read() -> None:
    table = Path("/proc/self/mountinfo")
    if not table.exists():
        pytest.skip("no /proc/self/mountinfo here")
    assert filesystem_type(PurePosixPath("/proc/self"), table.read_text()) == "proc"
