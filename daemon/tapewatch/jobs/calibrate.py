"""Job: make the product of one object frame, strip by strip."""

from dataclasses import replace
from functools import partial

from tapewatch import __version__
from tapewatch.fitsfile.hdus import mask_plan
from tapewatch.fitsfile.product import OpenOutput, ProductWriter, product_cards
from tapewatch.fitsfile.read import RawFrame
from tapewatch.fitsfile.structure import ProductStructure
from tapewatch.headers import provenance
from tapewatch.headers.doubts import light_or_flat
from tapewatch.headers.extensions import mask_cards
from tapewatch.jobs.correction import correction as correction_of
from tapewatch.jobs.workplace import (
    STRIP,
    open_raw,
    processing_time,
)
from tapewatch.model import CalibrateFrame, Content, Product, Report, Workplace
from tapewatch.planning.contents import BRIGHT, looks_like_a_flat
from tapewatch.planning.identity import identify
from tapewatch.planning.names import product_path
from tapewatch.science.profile import Sampler
from tapewatch.science.quality import RunningStatistics

_OF_IMAGES = {"BUNIT": ("adu", "unit of the pixels")}  # of a mosaic's extensions
_NO_HASH = "0" * 64  # keeps the place in the header until all pixels have been read
_mask_plan = partial(mask_plan, cards=mask_cards())


def calibrate_frame(
    job: CalibrateFrame, place: Workplace, attempt: str, open_output: OpenOutput = ProductWriter
) -> Report:
    """Calibrate an object frame and write its product.

    Parameters
    ----------
    job : CalibrateFrame
        The frame, its masters and how to use them.
    place : Workplace
        Where to read and write.
    attempt : str
        Names the temporary file.
    open_output : callable
        Where it is written; another one looks at what is made and writes nothing.

    Returns
    -------
    Report
        The product, durably on disk, and its statistics; `saturated` counts raw pixels.

    Raises
    ------
    IncompleteFileError, MasterLostError, OutputError
        May succeed later.
    RejectedError
        The frame cannot be read, or its product's name is taken by a file of others.
    """
    now = processing_time()
    statistics, saturated = RunningStatistics(), 0
    target = place.output / product_path(job.frame.path, provisional=job.recipe.provisional)
    with open_raw(job.frame, place) as raw:
        correction, sampler = correction_of(job, place, raw), Sampler(raw.stacked)
        cards = _cards(job, raw, _product(job, raw, _NO_HASH), now)
        structure = ProductStructure(raw, cards, _OF_IMAGES)
        first_mask = structure.add(_mask_plan) if place.treatment.mask else 0
        with open_output(target, structure.hdus, attempt) as writer:
            for start, stop in raw.strips(STRIP):
                plane = raw.plane_at(start)
                pixels = raw.physical(start, stop, hashed=True)
                corrected = correction.correct(pixels, start, raw.overscan(start, stop))
                saturated += corrected.saturated
                statistics.add(corrected.product)
                sampler.add(corrected.product)
                writer.write(structure.image(plane), corrected.product)
                if corrected.mask is not None:
                    writer.write(first_mask + plane, corrected.mask)
            product = _product(job, raw, raw.data_hash())
            writer.commit({0: _cards(job, raw, product, now)})
    return Report(
        replace(statistics.result(), saturated=saturated),
        Content(raw.identity, product.data_hash, product.header_hash),
        product,
        warnings=raw.warnings + _doubts(job, sampler, place.treatment.saturation),
    )


def _doubts(job: CalibrateFrame, sampler: Sampler, saturation: float) -> tuple[str, ...]:
    """Tell a light that looks like a flat; one that is not bright is not looked at further."""
    if not sampler.level > BRIGHT * saturation:
        return ()
    figures = looks_like_a_flat(sampler.result(), saturation)
    return (light_or_flat(job.frame, figures),) if figures else ()


def _product(job: CalibrateFrame, raw: RawFrame, data_hash: str) -> Product:
    made_of = (data_hash, raw.header_hash, job.recipe)
    path = product_path(job.frame.path, provisional=job.recipe.provisional)
    return Product(identify(*made_of), path, data_hash, raw.header_hash, job.recipe)


def _cards(job: CalibrateFrame, raw: RawFrame, product: Product, now: str) -> list[bytes]:
    """Make the product's header, as many cards whatever the hashes."""
    told = provenance.of_product(job.frame, raw.leading, job.masters, product, __version__, now)
    return product_cards(raw.leading, told.cards, told.history)
