"""Coverage-guided fuzzing of all that the daemon's own process does with a file: ``make fuzz``.

Begins with the frames of simulated nights and the small files of the corpus, mutates bytes and
cards, and keeps what reaches new code in ``.fuzz/``. Whatever is no frame and no typed reason is
written to ``.fuzz/crash-*``, and belongs into `support_corpus` once it is mended.

Options are libFuzzer's: ``-max_total_time=600``, ``-artifact_prefix=...``.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import atheris
from atheris import core_with_libfuzzer  # whose Mutate alone knows of the fuzzing that runs

with atheris.instrument_imports(include=["tapewatch"]):
    from support_header_path import look
    from support_ledger import parameters

from support_corpus import seeds
from tapewatch.headers import dialects

_BLOCK, _CARD = 2880, 80
_LONGEST = 6 * _BLOCK
_SECONDS = 5  # that one file may take, with all the instruments

_MUTATE: Callable[[bytes, int], bytes] = core_with_libfuzzer.Mutate
_WORDS = (
    *dialects.TYPE_KEYWORDS,
    *dialects.EXPOSURE_KEYWORDS,
    *dialects.FILTER_KEYWORDS,
    *dialects.OBJECT_KEYWORDS,
    *dialects.CAMERA_KEYWORDS,
    *dialects.MOMENT_KEYWORDS,
    *dialects.CLOCK_KEYWORDS,
    *dialects.DAY_KEYWORDS,
    *(keyword for keywords in dialects.BINNING_KEYWORDS for keyword in keywords),
    *dialects.TEMPERATURE_KEYWORDS,
    *dialects.GAIN_KEYWORDS,
    *dialects.READNOISE_KEYWORDS,
    *dialects.SETTING_KEYWORDS,
    *dialects.DATA_SECTIONS,
    *dialects.OVERSCAN_SECTIONS,
    *dialects.MARGIN_KEYWORDS,
    *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT"),
    *("ZIMAGE", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZCMPTYPE", "GROUPS", "EXTEND"),
    *("BSCALE", "BZERO", "BLANK", "EXTNAME", "CONTINUE", "HISTORY", "COMMENT", "END", "CALSTAT"),
)
_VALUES = (
    *("0", "1", "-1", "2", "1e999", "-5", "NaN", "(1, 2)", "9" * 60, "1E-30", "T", "F", ""),
    *("'flat'", "'dark'", "'bias'", "'light'", "'object'", "'R'", "'../x'", "'a&'", "'\\x00\\n'"),
    *("'2026-03-25T18:00:00'", "'9999-12-31T23:59:59.999+14:00'", "'0001-01-01'", "'31/02/99'"),
    *("'[1:2,3:4]'", "'[*,9999999999:1]'", "'5,0'", "'1 1'", "'-32'", "16", "-64", "1000000"),
)


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Mutate bytes as libFuzzer does, or a card as a careless program would."""
    chance = random.Random(seed)  # noqa: S311  (no secret)
    if chance.random() < 0.4 or len(data) < _BLOCK:
        return _MUTATE(data, longest)
    cards = [data[at : at + _CARD] for at in range(0, len(data), _CARD)]
    place = chance.randrange(min(len(cards), 2 * _BLOCK // _CARD))
    word, value = chance.choice(_WORDS), chance.choice(_VALUES)
    start = f"{word:8}= " if len(word) <= len("KEYWORDS") else f"HIERARCH {word} = "
    card = f"{start}{value}".encode().ljust(_CARD)[:_CARD]
    match chance.randrange(4):
        case 0:
            cards[place] = card
        case 1:
            cards.insert(place, card)
        case 2:
            cards[place] = cards[place][:10] + _MUTATE(cards[place][10:], _CARD - 10).ljust(70)
        case _:
            other = chance.randrange(len(cards))
            cards[place], cards[other] = cards[other], cards[place]
    return b"".join(cards)[:longest]


def main() -> None:
    """Fuzz until the time is up."""
    folder = Path(".fuzz")
    kept, work = folder / "kept", folder / "work"
    kept.mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds()):
        if len(seed) <= _LONGEST:
            (kept / f"seed-{number:03d}").write_bytes(seed)
    read, path = parameters(work, ALLBIN=1), work / "frame"

    def try_one(data: bytes) -> None:
        path.write_bytes(data)
        look(path, read)

    options = [f"-max_len={_LONGEST}", f"-timeout={_SECONDS}", "-rss_limit_mb=1024"]
    arguments = [sys.argv[0], *options, f"-artifact_prefix={folder}/", *sys.argv[1:], str(kept)]
    atheris.Setup(arguments, try_one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
