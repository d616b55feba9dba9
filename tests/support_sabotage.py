"""The program as a process that is harmed from within, at a chosen call of a chosen function."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_HOOK = Path(__file__).parent / "sabotage"  # Python loads the sitecustomize.py in it by itself


@dataclass(frozen=True)
class Harm:
    """What shall happen, and when.

    Parameters
    ----------
    target : str
        ``module:function`` or ``module:Class.method``; ``sqlite3:Connection.commit``, too.
    action : str
        As `sabotage.sitecustomize` names them: ``kill_all`` (daemon, fork server, workers),
        ``kill_self``, ``stop_self``, ``hang``, ``eat_memory``, ``fail``, ``fail_to_write``;
        ``dawdle``, which takes a moment; ``one_second``, which returns 1.0, and ``none``.
    when : str
        ``before`` or ``after`` the call, or ``instead`` of it; then the action may also be a
        function of `sabotage.without`, which is given what the target would be.
    calls : tuple of int
        Which calls, counted from 1 over all processes; none: all of them.
    argument : str
        Only calls are counted in whose arguments, as text, this occurs.
    """

    target: str
    action: str = "kill_all"
    when: str = "before"
    calls: tuple[int, ...] = (1,)
    argument: str = ""


class Sabotage:
    """A plan of harms, and what became of it.

    Parameters
    ----------
    folder : Path
        For the plan and the counts; made where it is absent.
    harms : Harm
        What shall happen.
    """

    def __init__(self, folder: Path, *harms: Harm) -> None:
        self._folder = folder
        self._folder.mkdir(exist_ok=True)
        self._folder.chmod(0o777)  # for a daemon of another user
        self._harms = harms
        plan = [
            {**asdict(harm), "counts": str(self._folder / str(number))}
            for number, harm in enumerate(harms)
        ]
        if "SABOTAGE" in os.environ:  # of the whole test, see tests/protections
            plan += json.loads(Path(os.environ["SABOTAGE"], "plan.json").read_text())
        (self._folder / "plan.json").write_text(json.dumps(plan))

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process that shall be harmed."""
        return {**os.environ, "PYTHONPATH": str(_HOOK), "SABOTAGE": str(self._folder)}

    @property
    def hits(self) -> Sequence[int]:
        """How often each harm was done."""
        return [self._size(f"{number}.hits") for number in range(len(self._harms))]

    @property
    def calls(self) -> Sequence[int]:
        """How often each target was called."""
        return [self._size(f"{number}.calls") for number in range(len(self._harms))]

    def _size(self, name: str) -> int:
        path = self._folder / name
        return path.stat().st_size if path.exists() else 0
