"""What stands in a folder for its user beside the products: plain master names, and lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tapewatch.errors import RejectedError
from tapewatch.fitsfile.atomic import publish
from tapewatch.fitsfile.ownership import Owner, owner
from tapewatch.ledger import Ledger
from tapewatch.lists import suits_list, write_lists
from tapewatch.log import Log
from tapewatch.model import Kind, Master
from tapewatch.planning.decisions import Plan
from tapewatch.planning.names import PROVISIONAL_FOLDER
from tapewatch.whereabouts import see_that_it_is_there


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What should stand in a folder; no frames, for it is kept of every night."""

    names: Mapping[str, Master]
    kept: frozenset[str]
    lists: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, plan: Plan) -> "_Wanted":
        built = [(one, one.master) for one in plan.sets if one.master and one.master.built]
        return cls(
            {f"{one.stem}.fits": master for one, master in built},
            frozenset(master.id for master in plan.kept),
            {
                one.stem: tuple(member.frame.name for member in one.calibration_set.frames)
                for one in plan.sets
            },
        )


class Housekeeping:
    """Keeps the plain names and lists of folders true to what was planned and done.

    Parameters
    ----------
    output : Path
        Output folder.
    ledger : Ledger
        Open for writing.
    log : Log
        Where names that are taken are told of.
    """

    def __init__(self, output: Path, ledger: Ledger, log: Log) -> None:
        self._output = output
        self._ledger = ledger
        self._log = log
        self._told: set[str] = set()
        self._wanted: dict[str, _Wanted] = {}
        self._outdated: set[str] = set()

    def note(self, folder: str, plan: Plan) -> None:
        """Take note of a folder's sets; names and lists are written by the next `write`.

        Parameters
        ----------
        folder : str
            Relative to the watched folder.
        plan : Plan
            Of that folder.
        """
        self._wanted[folder] = _Wanted.of(plan)
        self._outdated.add(folder)

    def forget_lost(self) -> set[str]:
        """Forget the masters and products whose files are gone, so that they are made again.

        Returns
        -------
        set of str
            Paths of frames to be planned anew.

        Raises
        ------
        OutputError
            The output folder itself is gone: nothing is known of the files in it.
        OSError
            It cannot be looked at.
        """
        see_that_it_is_there(self._output)
        masters = [one.master for one in self._ledger.masters() if one.in_use]
        # All are looked for before any is forgotten: the disk may go away meanwhile.
        products = {
            path: product
            for path, product in self._ledger.each_product()
            if not self._is_there(product)
        }
        lost_masters = [master for master in masters if not self._is_there(master.path)]
        for path in sorted(products):
            self._ledger.forget_product(path)
            self._log.warning("product.lost", file=path, reason=f"{products[path]} is gone")
        lost = set(products)
        for master in lost_masters:
            self._ledger.forget_master(master.id)
            self._log.warning("master.lost", reason=f"{master.path} is gone")
            lost |= {one.frame.path for one in self._ledger.calibration_frames(master.folder)}
        return lost

    def touch(self, folder: str) -> None:
        """Take note that products of a folder were made.

        Parameters
        ----------
        folder : str
            Relative to the watched folder.
        """
        self._outdated.add(folder)

    def clear_up(self) -> None:
        """Remove the provisional products of which the ledger does not tell: before any work.

        Later on, one that a worker has just made may not be told of yet.

        Raises
        ------
        OutputError, OSError
            The system cannot remove them.
        """
        self._remove_provisional(self._ledger.folders(Kind.OBJECT), unknown=True)

    def _remove_provisional(self, folders: Iterable[str], *, unknown: bool) -> None:
        """Remove the provisional products whose real ones have come, or of which nothing is known.

        Whatever ended a tapewatch between the two: the ledger says which of them is valid.
        """
        for folder in sorted(folders):
            files = sorted((self._output / folder / PROVISIONAL_FOLDER).glob("w*"))
            provisional = [_path(folder, f"{PROVISIONAL_FOLDER}/{file.name}") for file in files]
            real = [_path(folder, file.name) for file in files]
            valid = self._ledger.which_are_products([*provisional, *real])
            for file, path, successor in zip(files, provisional, real, strict=True):
                superseded = unknown or successor in valid
                if path not in valid and superseded and owner(file) is Owner.OURS:
                    file.unlink(missing_ok=True)
                    self._log.info("product.superseded", file=path)

    @property
    def outdated(self) -> list[str]:
        """Folders in which something was done since their lists were written."""
        return sorted(self._outdated)

    def write(self, folder: str) -> None:
        """Give the plain names and write the lists of a folder.

        Parameters
        ----------
        folder : str
            Relative to the watched folder.

        Raises
        ------
        OutputError, OSError
            The system cannot write; the next call does the rest.
        """
        see_that_it_is_there(self._output)
        self._remove_provisional([folder], unknown=False)
        wanted = self._wanted.get(folder)
        if wanted is not None:
            self._publish(folder, wanted)
        objects = self._ledger.finished_objects(folder)
        for path in (_path(folder, name) for name in objects if not suits_list(name)):
            if path not in self._told:
                self._told.add(path)
                reason = "left out of wobj.list: TAPE cuts names at blanks and #"
                self._log.warning("list.name_unfit", file=path, reason=reason)
        lists = {
            **(wanted.lists if wanted is not None else {}),
            "wobj": objects,
            "others": self._ledger.others(folder),
        }
        write_lists(self._output / folder, lists, "list")
        self._outdated.discard(folder)

    def _is_there(self, path: str) -> bool:
        return (self._output / path).exists()

    def _publish(self, folder: str, wanted: _Wanted) -> None:
        """Give the plain names to the masters in use, and take them from others."""
        held = self._ledger.names(folder)
        names = {path: master for path, master in held.items() if master in wanted.kept}
        for name, master in wanted.names.items():
            stands = held.get(name) == master.id and (self._output / folder / name).exists()
            if stands or self._give(folder, name, master):
                names[name] = master.id
        for name in held.keys() - names.keys():
            self._take(folder, name)
        if names != held:
            self._ledger.set_names(folder, names)

    def _give(self, folder: str, name: str, master: Master) -> bool:
        path = _path(folder, name)
        target = self._output / path
        if not (self._output / master.path).exists():  # the next scan will find that it is lost
            return False
        try:
            publish(self._output / master.path, target, f"name-{master.id}")
        except RejectedError as error:
            if path not in self._told:
                self._told.add(path)
                self._log.warning("master.name_taken", file=path, reason=str(error))
            return False
        return True

    def _take(self, folder: str, name: str) -> None:
        target = self._output / folder / name
        if owner(target) is Owner.OURS:
            target.unlink(missing_ok=True)


def _path(folder: str, name: str) -> str:
    """Give the path of a file relative to the output folder."""
    return f"{folder}/{name}" if folder else name
