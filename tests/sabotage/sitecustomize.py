"""Harms the program from within, at a chosen call of a chosen function; for tests only.

With this folder on PYTHONPATH, every Python process that the program starts loads this file first.
The environment's SABOTAGE names a folder with `plan.json`, written by `support_sabotage`: which
function, before or after which of its calls (counted over all processes), and what shall happen.
The program itself knows nothing of it.
"""

import fcntl
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_FOLDER = Path(os.environ.get("SABOTAGE", ""))
# As they are without sabotage.
_OPEN, _WRITE, _CLOSE, _FSTAT, _FLOCK = os.open, os.write, os.close, os.fstat, fcntl.flock


def _kill_all() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)
    signal.pause()


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop_self() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _hang() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    threading.Event().wait()


def _eat_memory() -> None:
    bytearray(1 << 46)


def _fail() -> None:
    raise RuntimeError("sabotaged")


def _fail_to_write() -> None:
    raise OSError(5, "Input/output error")


def _dawdle() -> None:
    time.sleep(0.05)  # as long as a busy disk takes for an fsync


def _one_second() -> float:
    return 1.0


ACTIONS: dict[str, Callable[[], object]] = {
    "kill_all": _kill_all,
    "kill_self": _kill_self,
    "stop_self": _stop_self,
    "hang": _hang,
    "eat_memory": _eat_memory,
    "fail": _fail,
    "fail_to_write": _fail_to_write,
    "dawdle": _dawdle,
    "one_second": _one_second,
    "none": lambda: None,
}


class _Harm:
    """One entry of the plan."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.module, _, self.name = entry["target"].partition(":")
        self._when: str = entry["when"]
        self._calls: list[int] = entry["calls"]
        self._action: str = entry["action"]
        self._argument: str = entry["argument"]
        self._count = Path(entry["counts"] + ".calls")
        self._mark = Path(entry["counts"] + ".hits")

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that the harm is done at its call."""

        @functools.wraps(function)
        def harmed(*args: Any, **named: Any) -> Any:  # noqa: ANN401  (whatever the function takes)
            due = self._argument in repr((args, named)) and self._counted()
            if due and self._when == "instead":
                return self._strike(*args, **named)
            if due and self._when == "before":
                self._strike()
            try:
                return function(*args, **named)
            finally:
                if due and self._when == "after":
                    self._strike()

        return harmed

    def _counted(self) -> bool:
        """Count a call, over all processes; tell whether it is one of those in the plan."""
        number = _append(self._count, b".")
        return not self._calls or number in self._calls

    def _strike(self, *args: object, **named: object) -> object:
        _append(self._mark, b".")
        if self._action in ACTIONS:
            return ACTIONS[self._action]()
        return getattr(importlib.import_module("without"), self._action)(*args, **named)


def _append(path: Path, data: bytes) -> int:
    """Append to a file; give how long it is then, each length once."""
    descriptor = _OPEN(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        _FLOCK(descriptor, fcntl.LOCK_EX)
        _WRITE(descriptor, data)
        return _FSTAT(descriptor).st_size
    finally:
        _CLOSE(descriptor)


def _apply(module: ModuleType, harm: _Harm) -> None:
    *owners, name = harm.name.split(".")
    owner: Any = functools.reduce(getattr, owners, module)
    setattr(owner, name, harm.around(getattr(owner, name)))


class _Loader(importlib.abc.Loader):
    """Loads a module as usual, and wraps its functions."""

    def __init__(self, loader: importlib.abc.Loader, harms: Sequence[_Harm]) -> None:
        self._loader = loader
        self._harms = harms

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Leave it to the usual loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, before anybody imports a name from it."""
        self._loader.exec_module(module)
        for harm in self._harms:
            _apply(module, harm)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the plan."""

    def __init__(self, harms: Sequence[_Harm]) -> None:
        self._harms = harms

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module as usual, with another loader."""
        harms = [harm for harm in self._harms if harm.module == name]
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if harms else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, harms)
        return spec


class _Connection(sqlite3.Connection):
    """A connection whose methods can be wrapped: those of the module's own cannot."""


def _install() -> None:
    plan = json.loads((_FOLDER / "plan.json").read_text())
    harms = [_Harm(entry) for entry in plan]
    sys.meta_path.insert(0, _Finder(harms))
    for harm in harms:
        if harm.module == "sqlite3":
            _Connection.commit = harm.around(sqlite3.Connection.commit)  # type: ignore[method-assign]
            connect: Any = functools.partial(sqlite3.connect, factory=_Connection)
            sqlite3.connect = connect
        elif harm.module in sys.modules:
            _apply(sys.modules[harm.module], harm)


if _FOLDER.name:
    _install()
