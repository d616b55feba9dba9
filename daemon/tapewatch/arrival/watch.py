"""Hints: inotify, through watchdog, says where something happened.

A hint only means "look at this path", and no hint means nothing: events are lost when the kernel's
queue overflows, and a watch goes deaf without a word when its folder is replaced or mounted over.
So the folder is scanned as well, and `Watch.trouble` tells when the hints cannot be relied on.

Cameras' files are hinted at when they are created, closed after writing or renamed to their name,
and folders when they are created or moved in; reading a file hints at nothing, for the kernel is
not asked about it (asked for everything, watchdog lost half of a copy of 10,000 small files).
"""

import errno
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
    FileSystemMovedEvent,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from tapewatch.arrival.scan import RootUnreadableError, printable, root_identity
from tapewatch.errors import RetriableError

# What it warns of, `Watch.trouble` tells; an overflow it repeats for every event, on stderr.
logging.getLogger("watchdog").addHandler(logging.NullHandler())

OnHint = Callable[[Path, bool], None]

EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
]


class Watch:
    """A watch on a folder.

    Parameters
    ----------
    root : Path
        The folder, absolute; it may be a symbolic link.
    recurse : bool
        Whether its subfolders are watched, new ones too.
    on_hint : callable
        Called with a path below `root` and whether the event vouches for the file: it was closed
        after writing, or renamed to this name. A folder is never vouched for and should be
        scanned. Called from another thread: it must return at once and raise nothing, for an
        exception ends that thread (`trouble` then says so). With `root` itself where the kernel
        lost events: it should be scanned as a whole.
    """

    def __init__(self, root: Path, recurse: bool, on_hint: OnHint) -> None:
        self._root = root
        self._recurse = recurse
        self._on_hint = on_hint
        self._identity = (-1, -1)
        self._descriptor: _Descriptor | None = None
        self._observer: BaseObserver | None = None

    def start(self) -> None:
        """Arm the watch; what happens from now on is hinted at. Scan afterwards, not before.

        Raises
        ------
        RetriableError
            The folder cannot be listed or watched.
        """
        self._identity = root_identity(self._root)
        try:
            self._arm()
        except OSError as error:
            self.stop()
            message = f"{self._root} cannot be watched: {_explanation(error)}"
            raise RetriableError(message) from error

    def stop(self, timeout: float = 5.0) -> None:
        """Disarm the watch and wait for its threads; without effect on one that is not armed.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait for each thread. They do not keep the process alive.
        """
        for thread in (self._observer, self._descriptor):
            if thread is not None:
                thread.stop()
                if thread.is_alive():
                    thread.join(timeout)
        self._observer = self._descriptor = None

    @property
    def is_armed(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._observer is not None

    def trouble(self) -> str | None:
        """Say why hints cannot be relied on now, or return None.

        A lost event is told until `acknowledge_overflow`; everything else until it is over, or
        until the watch was stopped and started again.
        """
        return self._trouble_of_root() or self._trouble_of_threads() or self._trouble_of_events()

    def acknowledge_overflow(self) -> None:
        """Take note that events were lost. To be called before the scan that makes up for it.

        In this order an overflow during the scan is told of again.
        """
        if self._descriptor is not None:
            self._descriptor.overflowed.clear()

    def _arm(self) -> None:
        # inotify is told not to follow links, so that it stays within the tree: the root itself
        # must be named without.
        real_root = os.path.realpath(self._root)
        self._descriptor = _Descriptor(partial(self._on_hint, self._root, False))  # noqa: FBT003
        self._descriptor.start()
        # The "full" emitter tells a file moved in (whole) from one created (empty).
        self._observer = BaseObserver(InotifyFullEmitter, inotify_fd=self._descriptor)
        handler = _Handler(self._root, real_root, self._recurse, self._on_hint)
        self._observer.schedule(handler, real_root, recursive=self._recurse, event_filter=EVENTS)
        self._observer.start()

    def _trouble_of_root(self) -> str | None:
        try:
            identity = root_identity(self._root)
        except RootUnreadableError as error:
            return str(error)
        if self._observer is not None and identity != self._identity:
            return f"{self._root} is another folder than the one watched (replaced or mounted over)"
        return None

    def _trouble_of_threads(self) -> str | None:
        if self._observer is None or self._descriptor is None:
            return "the watch is not running"
        threads = (self._descriptor, self._observer, *self._observer.emitters)
        if len(threads) < 3 or not all(thread.is_alive() for thread in threads):  # noqa: PLR2004 - three there are
            return "a thread of the watch has ended"
        return None

    def _trouble_of_events(self) -> str | None:
        if self._descriptor is None:
            return None
        unwatched = self._descriptor.unwatched(os.fsencode(os.path.realpath(self._root)))
        if unwatched:
            path, reason = unwatched[0]
            return f"{len(unwatched)} folders are not watched, the first {path}: {reason}"
        if self._descriptor.unmounted.is_set():
            return "a disk was unmounted below it, and its watches with it"
        if self._descriptor.overflowed.is_set():
            return "events were lost: the kernel's queue overflowed (fs.inotify.max_queued_events)"
        return None


class _Handler(FileSystemEventHandler):
    """Turns watchdog's events into hints."""

    def __init__(self, root: Path, real_root: str, recurse: bool, on_hint: OnHint) -> None:
        self._root = root
        self._real_root = real_root
        self._recurse = recurse
        self._on_hint = on_hint

    def dispatch(self, event: FileSystemEvent) -> None:
        """Pass on where it happened and whether the file is finished."""
        moved = isinstance(event, FileSystemMovedEvent)
        path = os.fsdecode(event.dest_path if moved else event.src_path)
        if not path or (event.is_directory and not self._recurse):
            return  # moved out of the tree, or into a folder that is not ours
        # Files of a moved folder are reported as moved too; that says nothing about each.
        vouched = isinstance(event, FileClosedEvent) or (
            isinstance(event, FileMovedEvent) and not event.is_synthetic
        )
        self._on_hint(self._root / path[len(self._real_root) :].lstrip("/"), vouched)


class _Descriptor(InotifyFD):
    """watchdog's inotify instance, which tells of what watchdog passes over in silence.

    Watches that the kernel refused (watchdog ignores those of subfolders, and takes the -1 of a
    folder without permission for a watch), those that it took away with their disk, and the
    overflow of its queue.

    Parameters
    ----------
    on_overflow : callable
        Called at an overflow, from the thread that reads events.
    """

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        super().__init__()
        self.overflowed = threading.Event()
        # A disk that is mounted again has the same device and inode numbers: only this tells.
        self.unmounted = threading.Event()
        self._on_overflow = on_overflow
        self._refused: dict[bytes, OSError] = {}
        self._refused_lock = threading.Lock()

    def add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        """Add a watch, as watchdog does, or raise OSError and remember it."""
        try:
            descriptor = super().add_callback(path, mask, callback, id_)
            if descriptor == -1:
                self.remove_callbacks([(descriptor, id_)])
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            with self._refused_lock:
                self._refused[path] = error
            raise
        with self._refused_lock:
            self._refused.pop(path, None)
        return descriptor

    def _add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        # A folder found while its parent is listed is announced by an event too, and added twice.
        # That is no reason for the RuntimeWarning that watchdog gives.
        watch = self._get_or_create_watch(path, mask)
        watch.callbacks[id_] = callback
        return watch.wd

    def handle_event(self, event: InotifyEvent) -> None:
        """Handle an event, as watchdog does: after an overflow it renews all watches."""
        super().handle_event(event)
        if event.mask & InotifyConstants.IN_UNMOUNT:
            self.unmounted.set()
        if event.is_queue_overflow:
            self.overflowed.set()
            self._on_overflow()

    def unwatched(self, root: bytes) -> list[tuple[str, str]]:
        """Return path and reason of the folders that should be watched and are not.

        A subfolder that may not be read is left out: a scan cannot see its files either, and says
        so. One that vanished needs no watch.
        """
        with self._refused_lock:
            refused = list(self._refused.items())
        return [
            (printable(os.fsdecode(path)), _explanation(error))
            for path, error in refused
            if path == root or error.errno not in {errno.EACCES, errno.ENOENT, errno.ENOTDIR}
        ]


def _explanation(error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC:
            return "no inotify watches left (raise fs.inotify.max_user_watches)"
        case errno.EMFILE:
            return "no inotify instances left (raise fs.inotify.max_user_instances)"
        case _:
            return error.strerror or str(error)
