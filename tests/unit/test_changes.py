"""What has changed is told folder by folder as it would be of the whole tree at once."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tapewatch.arrival.scan import Listing
from tapewatch.model import Identity
from tapewatch.service.changes import find_changes
from tapewatch.service.known import KnownFiles
from tapewatch.service.unsettled import Unsettled

FOLDERS = ["", "night", "night/deep", "nightly"]
PATHS = [f"{folder}/{name}".lstrip("/") for folder in FOLDERS for name in ("a.fits", "b.fits")]
NUMBERS = st.integers(0, 1)
IDENTITIES = st.builds(Identity, st.just(1), NUMBERS, NUMBERS, NUMBERS, NUMBERS)
KNOWN = st.dictionaries(st.sampled_from(PATHS), st.none() | IDENTITIES)
FILES = st.dictionaries(st.sampled_from(PATHS), IDENTITIES)


def listings_of(
    files: dict[str, Identity], irregular: set[str], unseen: set[str], folders: list[str]
) -> list[Listing]:
    """Sort what a tree holds by folder, as a scan comes by it."""
    return [
        Listing(
            folder,
            {path: one for path, one in files.items() if path.rpartition("/")[0] == folder},
            {path: "a FIFO" for path in irregular if path.rpartition("/")[0] == folder},
            [f"{path} cannot be looked at" for path in unseen if path == folder],
            {path for path in unseen if path == folder},
        )
        for folder in folders
    ]


@given(
    KNOWN,
    FILES,
    st.sets(st.sampled_from(PATHS), max_size=2),
    st.sets(st.sampled_from(FOLDERS[1:]), max_size=1),
    st.sets(st.sampled_from(FOLDERS[1:])),
)
def test_it_tells_what_a_comparison_of_all_files_would(
    known: dict[str, Identity | None],
    files: dict[str, Identity],
    irregular: set[str],
    unseen: set[str],
    removed: set[str],
) -> None:
    folders = [folder for folder in FOLDERS if folder not in removed]
    there = {path for path in PATHS if path.rpartition("/")[0] in folders}
    files = {path: one for path, one in files.items() if path in there - irregular}
    memory = KnownFiles()
    for path, identity in known.items():
        memory.note(path, identity)
    unsettled = Unsettled(local=True, settle=1.0, stall=2.0)
    found = find_changes(
        listings_of(files, irregular & there, unseen - removed, folders), memory, unsettled
    )

    news = {path for path, one in files.items() if known.get(path) != one}
    assert found.news.keys() == news
    moments = [(max(files[path].mtime_ns, files[path].ctime_ns) / 1e9, path) for path in news]
    assert [(moment, path) for path, moment in found.news.items()] == sorted(moments)
    for path in news:
        before = known.get(path)
        same = before is not None and replace(before, ctime_ns=0) == replace(
            files[path], ctime_ns=0
        )
        assert (path in found.written) == (path not in known or (before is not None and not same))
    hidden = tuple(unseen - removed)
    assert set(found.gone) == {
        path
        for path in known.keys() - files.keys() - (irregular & there)
        if not path.startswith(hidden)
    }
    assert len(found.gone) == len(set(found.gone))
    assert found.files == len(files)
    assert found.irregular.keys() == irregular & there
    assert found.problems == [f"{path} cannot be looked at" for path in hidden]


def test_a_file_that_is_not_whole_is_no_news_until_it_changes() -> None:
    unsettled = Unsettled(local=True, settle=60.0, stall=600.0)
    seen = Identity(1, 2, 3, 4, 5)
    unsettled.wait("a.fits", seen, vouched=False)
    for now, expected in ((seen, []), (replace(seen, size=4), ["a.fits"])):
        found = find_changes([Listing("", {"a.fits": now})], KnownFiles(), unsettled)
        assert list(found.news) == expected


def test_of_one_folder_nothing_else_is_taken_for_gone() -> None:
    known = KnownFiles()
    for path in PATHS:
        known.note(path, None)
    unsettled = Unsettled(local=True, settle=1.0, stall=2.0)
    found = find_changes([Listing("night")], known, unsettled, "night")
    assert sorted(found.gone) == [path for path in sorted(PATHS) if path.startswith("night/")]
