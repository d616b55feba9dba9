"""What a new state file has to be told of an earlier one's work, found in the folders.

Raw frames are found by searching. What was made of them says so itself: masters have a table with
what the state file held of them, and a product's ID proves of which raw frame, by which masters and
parameters it was made. So nothing is made again that is there, and what could not be made again,
for its raw frames are gone, is not forgotten.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tapewatch.arrival.made import MadeMaster, inspect_own, master_in
from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.inspection import Inspection
from tapewatch.headers.cards import Header
from tapewatch.headers.classify import classify
from tapewatch.headers.provenance import raw_name_of, recipe_of
from tapewatch.headers.values import as_text
from tapewatch.ledger import Ledger
from tapewatch.lists import read_list
from tapewatch.log import Log
from tapewatch.model import Content, Master, Product
from tapewatch.parameters import Parameters
from tapewatch.planning.identity import identify
from tapewatch.planning.marks import spread
from tapewatch.planning.names import (
    PROVISIONAL_FOLDER,
    names_of_twins,
    product_name,
    product_path,
)
from tapewatch.service.outputs import folders_of
from tapewatch.service.register import changed

_MASTERS = "masters"


class Restoration:
    """Enters into a new ledger what was made before it was begun.

    Parameters
    ----------
    parameters : Parameters
        From tape.par.
    ledger : Ledger
        Open for writing.
    log : Log
        Where it is told how much was found.
    goes_on : callable
        Tells whether to go on; called wherever there is progress.
    """

    def __init__(
        self, parameters: Parameters, ledger: Ledger, log: Log, goes_on: Callable[[], bool]
    ) -> None:
        self._parameters = parameters
        self._output = parameters.output
        self._ledger = ledger
        self._log = log
        self._goes_on = goes_on
        self._listed: frozenset[str] = frozenset()  # object frames of the folder at hand

    def restore(self) -> None:
        """Look for masters and products, once the raw frames are known; cut short, look again."""
        if not self._ledger.folders():
            return  # a folder that is not mounted looks like one of which all frames are gone
        with self._ledger.batch():
            masters, products = 0, 0
            for folder in folders_of(self._output, self._ledger.folders()):
                masters += self._restore_masters(folder)
                products += self._restore_products(folder)
            if not self._goes_on():
                return
            self._ledger.tells_all()
        if masters or products:
            self._log.info("ledger.rebuilt", masters=masters, products=products)

    def _restore_masters(self, folder: str) -> int:
        """Enter the masters of a folder; give their number."""
        found = dict(self._masters_in(folder))
        for path, made in found.items():
            self._ledger.set_master(made.master, made.statistics, path.stat().st_mtime)
        bad = spread(self._ledger.marks(), [one.master for one in self._ledger.masters()])
        used = {one for one in _latest(found.values()) if one not in bad}
        self._ledger.set_in_use(folder, used)
        return len(found)

    def _masters_in(self, folder: str) -> Iterator[tuple[Path, MadeMaster]]:
        for path in sorted((self._output / folder / _MASTERS).glob("w*-*.fits")):
            try:
                made = master_in(path, folder)
            except (IncompleteFileError, RejectedError, OSError) as error:
                self._log.warning("master.lost", reason=f"{path} cannot be read: {error}")
                continue
            if made is not None and made.master.file == f"{_MASTERS}/{path.name}":
                yield path, made

    def _restore_products(self, folder: str) -> int:
        """Enter the products and the plain names of a folder; give the number of products."""
        products, names = 0, {}
        self._listed = frozenset(read_list(self._output / folder, "wobj"))
        known = {one.master.id for one in self._ledger.masters()}
        for provisional in (False, True):
            place = self._output / folder / (PROVISIONAL_FOLDER if provisional else "")
            for path in sorted(place.glob("w*")):
                inspection = _inspected(path) if self._goes_on() else None
                if inspection is None:
                    continue
                if "TWKIND" in inspection.header:
                    names[path.name] = as_text(inspection.header.get("TWID"))
                else:
                    products += self._restore_product(folder, path, inspection)
        if held := {name: one for name, one in names.items() if one in known}:
            self._ledger.set_names(folder, held)
        return products

    def _restore_product(self, folder: str, path: Path, inspection: Inspection) -> bool:
        """Enter a product, if it can be told of which frame it is."""
        header = inspection.header
        product = Product(
            id=as_text(header.get("TWID")),
            path=path.relative_to(self._output).as_posix(),
            data_hash=as_text(header.get("TWRAW")),
            header_hash="",
            recipe=recipe_of(header),
        )
        made_at = inspection.identity.mtime_ns / 1e9
        raws = list(self._raws_of(folder, path.name, product))
        for raw in raws:
            found = self._ledger.unmade(raw)
            if found is None or changed(found[0]) > made_at:
                continue  # it may have other pixels by now: it is calibrated anew
            identity, header_hash = found
            if identify(product.data_hash, header_hash, product.recipe) == product.id:
                content = Content(identity, product.data_hash, header_hash)
                product = replace(product, header_hash=header_hash)
                self._ledger.bring_back(raw, content, product, made_at)
                return True
        return not raws and self._restore_alone(folder, product, inspection)

    def _raws_of(self, folder: str, name: str, product: Product) -> Iterator[str]:
        """Give the paths of the known frames that would have this product."""
        provisional = product.recipe.provisional
        for raw, _ in self._ledger.frames_named(folder, names_of_twins(name[1:])):
            if product_path(raw, provisional=provisional) == product.path:
                yield raw

    def _restore_alone(self, folder: str, product: Product, inspection: Inspection) -> bool:
        """Enter a product that is listed and whose raw frame is gone: it has that one's header."""
        name = product.path.rpartition("/")[2]
        raw = raw_name_of(inspection.header)
        raw = raw if product_name(raw) == name else name[1:]
        path = f"{folder}/{raw}" if folder else raw
        if name[1:] not in self._listed or (self._parameters.watchdir / path).exists():
            return False
        # What we said of the steps done would have it taken for somebody's finished work.
        header = Header(
            tuple(card for card in inspection.header.cards if not card.startswith(b"CALSTAT "))
        )
        try:
            frame = classify(
                path,
                header,
                inspection.shape,
                rules=self._parameters.typerules,
                further=inspection.shapes[1:],
            )
        except RejectedError as error:
            self._log.warning("product.unknown", file=product.path, reason=str(error))
            return False
        made_at = inspection.identity.mtime_ns / 1e9
        self._ledger.bring_back_alone(frame, product, made_at)
        return True


def _inspected(path: Path) -> Inspection | None:
    try:
        return inspect_own(path)
    except OSError:  # a folder, a link, another's: nothing that we made
        return None


def _latest(made: Iterable[MadeMaster]) -> set[str]:
    """Give the IDs of the masters that no later one of the same frames has succeeded."""
    in_time = sorted(made, key=lambda one: one.made)
    masters = [one.master for one in in_time]
    return {
        one.id
        for number, one in enumerate(masters, start=1)
        if not any(_succeeds(later, one) for later in masters[number:])
    }


def _succeeds(later: Master, master: Master) -> bool:
    return later.kind is master.kind and not set(later.inputs).isdisjoint(master.inputs)
