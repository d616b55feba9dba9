"""What is known of files is the same, packed or not: a plain dictionary is the oracle."""

import tracemalloc
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewatch.model import Identity
from tapewatch.service import known as known_files
from tapewatch.service.known import KnownFiles

# Whatever a file system may say: inodes and times beyond 64 bits, times before 1970.
NUMBERS = st.integers(-(2**70), 2**70)
IDENTITIES = st.builds(Identity, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
FOLDERS = ["", "night", "night/deep", "n1"]
NAMES = ["a.fits", "wa.fits", "M\u00fcnchen \U0001f52d.fit", 'q"\\udcff\n.fits']
PATHS = st.builds(
    lambda folder, name: f"{folder}/{name}" if folder else name,
    st.sampled_from(FOLDERS),
    st.sampled_from(NAMES),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), PATHS, st.none() | IDENTITIES),
        st.tuples(st.just("forget"), PATHS, st.none()),
        st.tuples(st.just("pack"), PATHS, st.none()),
    ),
    max_size=120,
)


@given(STEPS)
def test_it_knows_what_a_dictionary_would(steps: list[tuple[str, str, Identity | None]]) -> None:
    known, oracle = KnownFiles(), dict[str, Identity | None]()
    for what, path, identity in steps:
        if what == "note":
            known.note(path, identity)
            oracle[path] = identity
        elif what == "forget":
            assert known.forget(path) == oracle.pop(path, None)
        else:
            known.pack()
        assert known.identity(path) == oracle.get(path)
        folder = path.rpartition("/")[0]
        assert (path in known.of_folder(folder)) == (path in oracle)
    found = {path: one for folder in known.folders for path, one in known.of_folder(folder).items()}
    assert found == oracle
    assert all(path.rpartition("/")[0] in known.folders for path in oracle)
    assert known.any_was_there == any(oracle.values())


def test_a_season_takes_a_tenth_of_the_memory_of_a_dictionary() -> None:
    def memory(known: KnownFiles | dict[str, Identity]) -> int:
        tracemalloc.start()
        for number in range(20_000):
            path = f"night-{number // 100:03}/M13_R_{number:05}.fits"
            changed = 1_764_000_000_000_000_000 + number * 10_123_456_789
            identity = Identity(66305, 10**6 + number, 33_557_760, changed, changed + 12345)
            if isinstance(known, dict):
                known[path] = identity
            else:
                known.note(path, identity)
        if isinstance(known, KnownFiles):
            known.pack()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held

    assert memory(KnownFiles()) < memory({}) / 10


def test_no_folder_is_unpacked_twice_between_two_packings(monkeypatch: pytest.MonkeyPatch) -> None:
    """However files come in turn into many folders: else each would take as long as its folder."""
    unpack = Mock(side_effect=known_files._unpack)
    monkeypatch.setattr(known_files, "_unpack", unpack)
    known, seen = KnownFiles(), Identity(1, 2, 3, 4, 5)
    for number in range(300):
        known.note(f"filter-{number % 30}/{number}.fits", seen)
        if number in {60, 150}:
            known.pack()
    assert unpack.call_count == 2 * 30
