"""Job: make the product of one object frame, strip by strip."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from tapewatch import __version__
from tapewatch.fitsfile.hdus import HduPlan, mask_plan, masters_plan, uncertainty_plan
from tapewatch.fitsfile.product import OpenOutput, Output, ProductWriter, product_cards
from tapewatch.fitsfile.read import RawFrame
from tapewatch.fitsfile.structure import ProductStructure
from tapewatch.headers import provenance
from tapewatch.headers.doubts import light_or_flat
from tapewatch.headers.extensions import mask_cards, uncertainty_cards
from tapewatch.jobs.correction import Corrected, Correction, correction_of
from tapewatch.jobs.workplace import open_raw, processing_time
from tapewatch.model import CalibrateFrame, Content, Product, Report, Workplace
from tapewatch.planning.contents import BRIGHT, looks_like_a_flat
from tapewatch.planning.identity import identify
from tapewatch.planning.names import product_path
from tapewatch.science.profile import Sampler
from tapewatch.science.quality import RunningStatistics

_OF_IMAGES = {"BUNIT": ("adu", "unit of the pixels")}  # of a mosaic's extensions
_BELOW_BIAS = 0.005  # of SATU, by which a frame with light in it can never be below the bias
_NO_HASH = "0" * 64  # keeps the place in the header until all pixels have been read


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
        layout = _Layout(raw, _cards(job, raw, _product(job, raw, _NO_HASH), now), correction)
        with open_output(target, layout.hdus, attempt) as writer:
            for strip in correction.strips(raw):
                saturated += strip.saturated
                statistics.add(strip.product)
                sampler.add(strip.product)
                layout.write(writer, strip)
            product = _product(job, raw, raw.data_hash())
            writer.commit({0: _cards(job, raw, product, now)})
    return Report(
        replace(statistics.result(), saturated=saturated),
        Content(raw.identity, product.data_hash, product.header_hash),
        product,
        warnings=(
            *raw.warnings,
            *correction.warnings,
            *_no_exposure(sampler.level, saturated / raw.pixels, place.treatment.saturation),
            *_doubts(job, sampler, place.treatment.saturation),
        ),
    )


class _Layout:
    """The HDUs of a product: its images; of each a mask and uncertainties where they are wanted."""

    def __init__(self, raw: RawFrame, cards: list[bytes], correction: Correction) -> None:
        self._structure = ProductStructure(raw, cards, _OF_IMAGES)
        treatment, noise = correction.treatment, correction.noise
        self._mask = self._uncertainty = self._of_masters = 0
        if treatment.mask:
            self._mask = self._structure.add(partial(mask_plan, cards=mask_cards()))
        if treatment.uncert and noise is not None:
            cards = uncertainty_cards(noise.used)
            self._uncertainty = self._structure.add(partial(uncertainty_plan, cards=cards))
            self._of_masters = self._structure.add(partial(masters_plan, cards=cards))

    @property
    def hdus(self) -> list[HduPlan]:
        return self._structure.hdus

    def write(self, writer: Output, strip: Corrected) -> None:
        writer.write(self._structure.image(strip.plane), strip.product)
        if self._mask:
            writer.write(self._mask + strip.plane, strip.mask)
        if self._uncertainty and strip.uncertainty is not None:
            writer.write(self._uncertainty + strip.plane, strip.uncertainty.total)
            writer.write(self._of_masters + strip.plane, strip.uncertainty.of_masters)


def _no_exposure(level: float, saturated: float, saturation: float) -> Iterator[str]:
    """Tell a frame of nothing: it is calibrated as any other, and no star will be found in it."""
    if math.isnan(level):
        yield "none of its pixels is a number once it is calibrated"
    elif saturated == 1:
        yield "all its pixels are saturated"
    elif level < -_BELOW_BIAS * saturation:
        yield f"its pixels are far below the bias: a level of {level:.0f} ADU once calibrated"


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
