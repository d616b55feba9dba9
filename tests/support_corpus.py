"""A corpus of bad files: some hundred, each with what tapewatch must say of it.

Every case is a file among the frames of a good night. What becomes of it is a state and a reason,
or nothing where it is no candidate by its name. What a fuzzer found stands here, too.
"""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from support_corpus_files import (
    BLOCK,
    SHAPE,
    bomb,
    bz,
    card,
    damaged,
    gz,
    header_of,
    multi,
    noise,
    padded,
    raw,
    tiled,
    with_card,
)

Make = bytes | Callable[[Path], object]

REJECTED, STALLED, DONE = ("rejected",), ("stalled",), ("done",)
UNUSED = ("rejected", "stalled")
WAITING = ("waiting",)
UNLISTED = ()


@dataclass(frozen=True)
class Case:
    """One bad file.

    Parameters
    ----------
    name : str
        Of the file, relative to the folder; bytes that are no UTF-8 as Python spells them.
    make : bytes or callable
        Its content, or what makes it at a path.
    states : tuple of str
        One of them it must come to; none: it is not listed.
    words : str
        A regular expression that its reason holds.
    warning : str
        What a line ``quality.warning`` of it says; empty where there need not be one.
    """

    name: str
    make: Make
    states: tuple[str, ...]
    words: str = ""
    warning: str = ""

    def write(self, folder: Path) -> Path:
        """Put it into a folder."""
        path = folder / self.name
        path.parent.mkdir(exist_ok=True, parents=True)
        if isinstance(self.make, bytes):
            path.write_bytes(self.make)
        else:
            self.make(path)
        return path


def cases() -> list[Case]:
    """Give all cases, the same at every call."""
    groups = (
        *(_cut(), _structure(), _header(), _values(), _dates(), _filters(), _names()),
        *(_no_fits(), _compressed(), _pixels(), _no_files(), _found()),
    )
    return [case for group in groups for case in group]


def seeds() -> list[bytes]:
    """Give contents for a fuzzer to begin with: one frame of each kind, and the small bad files."""
    kinds = [raw(kind, IMAGETYP=f"'{kind}'") for kind in ("bias", "dark", "flat", "light")]
    others = [multi("seed", 2), tiled("seed"), gz(raw("seed")), bz(raw("seed")), gz(multi("seed"))]
    return kinds + others + [one.make for one in cases() if isinstance(one.make, bytes)]


def _cut() -> Iterator[Case]:
    """Files cut short: at every block, and beside its edges."""
    frame = raw("cut")
    for size in (*range(BLOCK, len(frame), BLOCK), 1, 79, 80, BLOCK - 1, BLOCK + 1, len(frame) - 1):
        yield Case(f"cut-{size:05d}.fits", frame[:size], STALLED, "incomplete")
    several = multi("cut")
    for size in range(BLOCK, len(several), BLOCK):
        whole = (size - BLOCK) % (4 * BLOCK) == 0
        yield Case(
            f"cut-several-{size // BLOCK:02d}.fits",
            several[:size],
            ("rejected", "done", "waiting") if whole else STALLED,
            "" if whole else "incomplete",
        )
    packed = {"gz": gz(frame), "bz2": bz(frame), "several.gz": gz(several)}
    for suffix, data in packed.items():
        for size in range(64, len(data), len(data) // 12):
            name = (
                f"cut-{size:05d}.fits.{suffix}" if "." not in suffix else f"cut-m{size:05d}.fits.gz"
            )
            yield Case(name, data[:size], STALLED, "incomplete")
    table = tiled("cut")
    for size in range(2 * BLOCK, len(table), BLOCK):
        yield Case(f"cut-{size // BLOCK:02d}.fits.fz", table[:size], STALLED, "incomplete")
    yield Case("reserved.fits", frame[:BLOCK] + bytes(len(frame) - BLOCK), DONE)
    yield Case("reserved-all.fits", bytes(len(frame)), STALLED, "zeros")


def _structure() -> Iterator[Case]:
    """Keywords that say where the pixels are, and say nonsense."""
    nonsense = ("-1", "1000000000", str(10**18), "9" * 60, "'abc'", "T", "2.5", "1E400", "", "NaN")
    for keyword in ("NAXIS", "NAXIS1", "NAXIS2", "BITPIX", "PCOUNT", "GCOUNT"):
        for number, value in enumerate(nonsense):
            name = f"{keyword.lower()}-{number}.fits"
            made = raw(name, **one(keyword, value))
            yield Case(name, made, UNUSED, f"{keyword}|incomplete|bytes|no image")
    for keyword in ("NAXIS", "NAXIS1", "NAXIS2", "BITPIX", "SIMPLE"):
        name = f"no-{keyword.lower()}.fits"
        yield Case(name, raw(name, **one(keyword, None)), REJECTED, f"{keyword}|not FITS")
    yield Case("naxis-zero.fits", raw("z", NAXIS="0"), REJECTED, "no image")
    yield Case("naxis1-zero.fits", raw("z", NAXIS1="0"), REJECTED, "no image")
    yield Case("naxis2-zero.fits", raw("z", NAXIS2="0"), REJECTED, "no image")
    yield Case("line.fits", raw("line", NAXIS="1", NAXIS1="3072"), REJECTED, "1-D")
    cube = raw("cube", NAXIS2="24", NAXIS="3", more=card("NAXIS3", "2"))
    yield Case("cube.fits", cube, REJECTED, "3-D")
    flat_cube = raw("cube1", NAXIS="3", more=card("NAXIS3", "1"))
    yield Case("cube-of-one.fits", flat_cube, DONE)
    nine = b"".join(card(f"NAXIS{axis}", "1") for axis in range(3, 10))
    yield Case("nine-axes.fits", raw("nine", NAXIS="9", more=nine), DONE)
    huge = b"".join(card(f"NAXIS{axis}", "99999999") for axis in range(3, 10))
    yield Case("nine-huge-axes.fits", raw("nine", NAXIS="9", more=huge), UNUSED, "bytes")
    yield Case("naxis-ten.fits", raw("ten", NAXIS="10"), REJECTED, "NAXIS is 10")
    yield Case("bitpix-17.fits", raw("b", BITPIX="17"), REJECTED, "BITPIX is 17")
    yield Case("bitpix-eight.fits", raw("bytes", BITPIX="8", BZERO="0"), DONE)
    yield Case("bitpix-64.fits", raw("b64", BITPIX="64"), STALLED, "incomplete")
    yield Case("simple-f.fits", raw("f", SIMPLE="F"), REJECTED, "SIMPLE is F, expected T")
    yield Case("simple-text.fits", raw("t", SIMPLE="'T'"), REJECTED, "SIMPLE is 'T'")
    yield Case("pixel.fits", raw("one", NAXIS1="1", NAXIS2="1"), WAITING, "size")
    yield Case("groups.fits", raw("g", NAXIS1="0", more=card("GROUPS", "T")), UNUSED)
    for value in ("F", "-5", "'x'", "9" * 50):
        name = f"extend-{value.strip(chr(39))[:3]}.fits"
        yield Case(name, raw(name, EXTEND=value), DONE)
    for value in ("-1", "99999", "'x'", "9" * 50):
        head = card("XTENSION", "'BINTABLE'") + card("BITPIX", "8") + card("NAXIS", "2")
        head += (
            card("NAXIS1", "8") + card("NAXIS2", "1") + card("PCOUNT", "0") + card("GCOUNT", "1")
        )
        table = header_of(head + card("TFIELDS", value)) + bytes(BLOCK)
        yield Case(
            f"tfields{len(value)}{value[:2]}.fits".replace("'", ""), raw(value) + table, DONE
        )
    for keyword, value in (
        ("ZNAXIS1", "-3"),
        ("ZNAXIS2", "9" * 30),
        ("ZBITPIX", "5"),
        ("ZNAXIS", "0"),
    ):
        table = tiled(keyword)
        place = table.index(keyword.ljust(8).encode())
        made = table[:place] + card(keyword, value) + table[place + 80 :]
        yield Case(f"z-{keyword.lower()}.fits.fz", made, ("rejected", "waiting"))
    empty = header_of(card("XTENSION", "'IMAGE'") + card("BITPIX", "8") + card("NAXIS", "0"))
    yield Case("hdus-many.fits", multi("m", 0) + empty * 1200, REJECTED, "more than 1000 HDUs")
    yield Case("junk-behind.fits", raw("junk") + b"junk" * 1000, DONE)
    yield Case("junk-hdu.fits", raw("junk2") + b"XTENSION" + bytes(BLOCK - 8), UNUSED)


def _header() -> Iterator[Case]:
    """Cards as no standard has them; most of them are nobody's harm."""
    endless = raw("endless")[:BLOCK].replace(b"END".ljust(80), b"NOT".ljust(80))
    yield Case("no-end.fits", endless + bytes(3 * BLOCK), STALLED, "incomplete")
    yield Case("no-end-text.fits", endless + b"x" * 3 * BLOCK, STALLED, "no END")
    yield Case("no-end-long.fits", endless + b"x" * 520 * BLOCK, REJECTED, "no END")
    yield Case("end-early.fits", header_of(card("SIMPLE", "T")) + bytes(BLOCK), REJECTED, "BITPIX")
    lower = raw("lower").replace(b"IMAGETYP", b"imagetyp").replace(b"FILTER ", b"filter ")
    yield Case("lower-case.fits", lower, DONE)
    twice = card("EXPTIME", "-7") + card("IMAGETYP", "'nonsense'") + card("NAXIS1", "7")
    yield Case("twice.fits", raw("twice", more=twice), DONE)
    odd = {
        "garbage": bytes(range(128, 208)),
        "zeros": bytes(80),
        "control": b"NOTE    = 'a\x00\x07\x1b[31m\n\r'",
        "latin": "SITE    = 'Königstuhl'".encode("latin-1"),
        "utf8": "SITE    = 'Königstuhl'".encode(),
        "bare": b"THIS CARD HAS NO EQUALS SIGN AT ALL",
        "equals": b"=" * 80,
        "quotes": b"NOTE    = '" + b"'" * 69,
        "open": b"NOTE    = 'never closed",
        "blank": b" " * 80,
        "hierarch": b"HIERARCH = 5",
        "hierarch-bare": b"HIERARCH ESO DPR TYPE",
        "continue": b"CONTINUE  'of nothing'",
        "number": b"NOTE    = 1.2.3.4e5e6",
        "digits": b"NOTE    = " + b"9" * 70,
        "comment": b"COMMENT = '\xff\xfe'",
        "history": b"HISTORY \x1b]0;title\x07",
    }
    for name, text in odd.items():
        yield Case(f"card-{name}.fits", with_card(name, text), DONE)
    yield Case("cards-10000.fits", raw("many", more=card("NOTE", "1") * 10_000), DONE)
    chain = card("OBJECT", "'a&'") + b"CONTINUE  'b&'".ljust(80) * 9000
    yield Case("chain.fits", raw("chain", OBJECT=None, more=chain), DONE)
    chain = chain.replace(b"OBJECT  ", b"IMAGETYP")
    yield Case("chain-type.fits", raw("chain2", IMAGETYP=None, more=chain), REJECTED, "IMAGETYP")
    chain = chain.replace(b"IMAGETYP", b"FILTER  ")
    yield Case("chain-filter.fits", raw("chain3", FILTER=None, more=chain), WAITING, "flat")
    hierarch = b"".join(f"HIERARCH A{n} B = {n}".encode().ljust(80) for n in range(3000))
    yield Case("hierarchs.fits", raw("hierarchs", more=hierarch), DONE)
    yield Case("history.fits", raw("history", more=b"HISTORY x".ljust(80) * 5000), DONE)


def _values() -> Iterator[Case]:
    """Values of good keywords, out of type or range."""
    exposures = ("'abc'", "1e999", "-5", "(1,2)", "NaN", "'NaN'", "9" * 60, "T", "1e7", "''", None)
    for number, value in enumerate(exposures):
        name = f"exptime-{number}.fits"
        yield Case(name, raw(name, EXPTIME=value), REJECTED, "EXPTIME|exposure time")
    for number, value in enumerate(("'5,0'", "1e-30", "0", "1e6", "5.D1")):
        yield Case(f"exptime-fit-{number}.fits", raw(f"fit{number}", EXPTIME=value), DONE)
    types = ("'nonsense'", "5", "T", "'bias dark'", "'\x00'", "'<script>'", "'%s%n'", "nan", "'x'")
    for number, value in enumerate(types):
        name = f"imagetyp-{number}.fits"
        yield Case(name, raw(name, IMAGETYP=value), REJECTED, "IMAGETYP|frame type")
    yield Case("imagetyp-none.fits", raw("none", IMAGETYP=None), REJECTED, "TYPERULES object:")
    for number, value in enumerate(
        ("0", "-1", "1000000000", "1E300", "'1,2,3'", "1.5", "NaN", "T")
    ):
        name = f"binning-{number}.fits"
        yield Case(name, raw(name, XBINNING=value), REJECTED, "BINNING|binning")
    for keyword, value in (
        *(("BSCALE", "0"), ("BSCALE", "NaN"), ("BSCALE", "1E999"), ("BSCALE", "'x'")),
        *(("BZERO", "NaN"), ("BZERO", "1E999"), ("BZERO", "'x'"), ("BZERO", "T")),
    ):
        name = f"{keyword.lower()}-{value.strip(chr(39)).lower()}.fits"
        yield Case(name, raw(name, **one(keyword, value)), REJECTED, keyword)
    for keyword, value in (
        *(("BZERO", "12345.678"), ("BZERO", "-1E30"), ("BSCALE", "1E-300"), ("BSCALE", "-1")),
        *(("BLANK", "5"), ("BLANK", "1.5"), ("BLANK", "'x'"), ("BLANK", "9" * 40)),
        *(("SATURATE", "NaN"), ("SATURATE", "-5"), ("EGAIN", "-1"), ("EGAIN", "1E999")),
        *(("EGAIN", "'x'"), ("RDNOISE", "-3"), ("RDNOISE", "NaN"), ("GAIN", "9" * 60)),
        *(("CCD-TEMP", "1E999"), ("CCD-TEMP", "'cold'"), ("CCD-TEMP", "-9999"), ("OBJECT", "5")),
        *(("OBJECT", "'../../etc/passwd'"), ("OBJECT", "'\x1b[2J'"), ("OBJECT", "''")),
        *(("CALSTAT", "''"), ("CALSTAT", "'none'"), ("PEDESTAL", "'x'"), ("TWTRIM", "'[1:2]'")),
        *(("DATASEC", "'[9:99999999999,1:2]'"), ("BIASSEC", "'[0:0,0:0]'"), ("TRIMSEC", "7")),
    ):
        changes = one(keyword, value)
        name = f"odd-{keyword.lower()}-{abs(hash_of(value)) % 1000:03d}.fits"
        yield Case(name, raw(name, **changes), ("done", "waiting", "provisional"))


def one(keyword: str, value: str | None) -> dict[str, Any]:
    """Give a single change for `raw`."""
    return {keyword.replace("-", "_"): value}


def hash_of(text: str) -> int:
    """Give a number for a text, the same in every process."""
    return sum(place * one for place, one in enumerate(text.encode(), start=1))


def _dates() -> Iterator[Case]:
    bad = ("'2026-02-31T18:00:00'", "'31 February'", "'0000-00-00T00:00:00'", "NaN", "1e999", "''")
    more = (
        "'99999-01-01T00:00:00'",
        "'2026-03-25T25:61:61'",
        "'tonight'",
        "-1",
        "T",
        None,
        "'\x00'",
    )
    for number, value in enumerate((*bad, *more)):
        name = f"date-{number}.fits"
        yield Case(name, raw(name, DATE_OBS=value), REJECTED, "DATE-OBS|time of exposure")
    odd = ("'9999-12-31T23:59:59'", "'0001-01-01T00:00:00'", "'1970-01-01T00:00:00'", "'03/05/19'")
    for number, value in enumerate(odd):
        yield Case(f"date-odd-{number}.fits", raw(f"odd{number}", DATE_OBS=value), DONE)
    edge = ("'9999-12-31T23:59:59-14:00'", "'0001-01-01T00:00:00+14:00'")
    for number, value in enumerate(edge):
        yield Case(
            f"date-edge-{number}.fits", raw(f"e{number}", DATE_OBS=value), REJECTED, "DATE-OBS"
        )


def _filters() -> Iterator[Case]:
    """Flats whose filters would lead a name out of the folder, or be none."""
    filters = (
        *("../../escape", "/etc/passwd", "..", ".", "a/b/c", "\\x00nul", "a\x00b", "new\nline"),
        *("\x1b[2J", "x" * 66, "   ", "-rf", "~root", "$HOME", "`id`", "*", "%s", "con", "R;rm"),
        *("naïve", "\u202egnp", "a'", "CON.", "a b", "#", "|tee"),
    )
    for number, name in enumerate(filters):
        text = name.replace("'", "''")
        made = raw(
            f"filter{number}",
            noise(f"filter{number}", 20000),
            IMAGETYP="'flat'",
            FILTER=f"'{text}'",
        )
        yield Case(f"filter-{number:02d}.fits", made, ("waiting", "done"))


def _names() -> Iterator[Case]:
    """Names that shells, terminals and lists have trouble with."""
    good = {
        *("-rf.fits", "a b.fits", "a#b.fits", "a'b.fits", 'a"b.fits', "$(id).fits", "a;b.fits"),
        *("ünï.fits", "\u202esfit.fits", "new\nline.fits", "esc\x1b[31m.fits", "tab\t.fits"),
        *(
            "UPPER.FITS",
            "dots...fits",
            "%s%n.fits",
            "*.fits",
            "\\.fits",
            "wname.fits",
            "a\u0301.fit",
        ),
        *("CON.fits", "~.fits", "x" * 249 + ".fits"),
    }
    for name in sorted(good):
        yield Case(name, raw(name), DONE)
    yield Case("y" * 250 + ".fits", raw("too long"), REJECTED, "name is too long")
    yield Case("not-\udcff\udcfe-utf8.fits", raw("utf8"), REJECTED, "UTF-8")
    hidden = (
        "._resource.fits",
        ".hidden.fits",
        ".fits",
        "frame.fits.tmp",
        "frame.txt",
        "fits",
        "a.fit~",
    )
    for name in hidden:
        yield Case(name, raw(name), UNLISTED)
    yield Case("masters/frame.fits", raw("masters"), UNLISTED)
    yield Case("deep/er/and/deeper/x.fits", raw("deep"), DONE)


def _no_fits() -> Iterator[Case]:
    """Other things under a frame's name."""
    others = {
        "text": b"The night was clear.\n",
        "html": b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
        "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(99),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(99),
        "tiff": b"II*\x00" + bytes(99),
        "zip": b"PK\x03\x04" + bytes(99),
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(99),
        "compress": b"\x1f\x9d\x90" + bytes(99),
        "xz": b"\xfd7zXZ\x00" + bytes(99),
        "xisf": b"XISF0100" + bytes(99),
        "pdf": b"%PDF-1.4\n",
        "elf": b"\x7fELF\x02" + bytes(99),
        "appledouble": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(99),
        "space": b" " * 5760,
        "ones": b"\xff" * 5760,
        "simple-no-value": b"SIMPLE".ljust(2880),
    }
    for name, data in others.items():
        yield Case(f"as-{name}.fits", data, REJECTED, "not FITS|compressed with")
    yield Case("as-nothing.fits", b"", STALLED, "0 bytes")


def _compressed() -> Iterator[Case]:
    """Compressed files that are damaged, or far more than they look like."""
    frame, big = raw("packed"), raw("big", NAXIS1="32768", NAXIS2="32768")[:BLOCK]
    packed, packed2 = gz(frame), bz(frame)
    yield Case("bomb-zeros.fits.gz", bomb(b""), STALLED, "zeros")
    yield Case("bomb-frame.fits.gz", bomb(big), REJECTED, "unpack")
    dark = raw("dark", IMAGETYP="'dark'", NAXIS1="65536", NAXIS2="65536", INSTRUME="'bomb'")[:BLOCK]
    yield Case("bomb-dark.fits.gz", bomb(dark), ("rejected", "failed"), "bytes when unpacked")
    yield Case("bomb-behind.fits.gz", bomb(raw("behind")), DONE)
    hdus = multi("bomb", 0) + multi("bomb", 1)[BLOCK : 2 * BLOCK].replace(
        card("NAXIS1", "64"), card("NAXIS1", str(1 << 24))
    )
    yield Case("bomb-extension.fits.gz", bomb(hdus), ("waiting", "rejected", "stalled"))
    yield Case("bomb-header.fits.gz", gz(frame[: 80 * 13] + b" " * (1 << 26)), REJECTED, "")
    yield Case("crc-zero.fits.gz", packed[:-8] + bytes(8), ("rejected", "done"))
    yield Case(
        "crc-zero-several.fits.gz", gz(multi("crc"))[:-8] + bytes(8), ("rejected", "waiting")
    )
    yield Case("trailing.fits.gz", gz(raw("trailing")) + b"garbage", REJECTED, "damaged")
    yield Case("trailing-zeros.fits.gz", gz(raw("trailing0")) + bytes(512), DONE)
    yield Case("nested.fits.gz", gz(packed), REJECTED, "not FITS")
    yield Case("text.fits.gz", gz(b"text"), REJECTED, "not FITS")
    yield Case("nothing.fits.gz", gz(b""), STALLED, "0 bytes")
    yield Case("plain.fits.gz", raw("plain"), DONE)
    yield Case("head-only.fits.gz", b"\x1f\x8b", STALLED, "incomplete")
    yield Case("head-bad.fits.gz", b"\x1f\x8b\x63" + packed[3:], REJECTED, "damaged")
    yield Case("head-only.fits.bz2", b"BZh9", STALLED, "incomplete")
    yield Case("nested.fits.bz2", bz(packed2), REJECTED, "not FITS")
    table = tiled("damaged")
    for place in (0.05, 0.2, 0.4, 0.6, 0.8, 0.95):
        name = f"damaged-{place * 100:02.0f}.fits"
        yield Case(f"{name}.gz", damaged(packed, place), UNUSED, "damaged|incomplete|not FITS")
        yield Case(f"{name}.bz2", damaged(packed2, place), UNUSED, "damaged|incomplete|not FITS")
        states = ("rejected", "stalled", "done", "waiting", "failed")
        yield Case(f"{name}.fz", damaged(table, place), states)


def _pixels() -> Iterator[Case]:
    """Good headers, and pixels that no arithmetic can use."""
    ones = np.ones(SHAPE, np.float32)
    flats = {
        "zero": np.full(SHAPE, -32768),
        "saturated": np.full(SHAPE, 32767),
        "negative": (ones * -500).astype(np.float32),
        "nan": (ones * np.nan).astype(np.float32),
        "inf": (ones * np.inf).astype(np.float32),
    }
    for name, pixels in flats.items():
        kind: dict[str, Any] = {"IMAGETYP": "'flat'", "FILTER": f"'Bad{name}'"}
        made = raw(name, pixels.astype(np.int16 if pixels.dtype.kind == "i" else "f4"), **kind)
        yield Case(f"flat-{name}.fits", made, ("rejected", "failed", "waiting", "done"))
    nan = (ones * np.nan).astype(np.float32)
    yield Case("object-nan.fits", raw("nan", nan), DONE, "", "none of its pixels is a number")
    yield Case("object-inf.fits", raw("inf", (ones * np.inf).astype(np.float32)), DONE)
    yield Case("object-double.fits", raw("double", np.full(SHAPE, 1e300)), DONE)
    yield Case(
        "object-zero.fits",
        raw("zero", np.full(SHAPE, -32768, np.int16)),
        DONE,
        "",
        "far below the bias",
    )
    yield Case(
        "object-full.fits",
        raw("full", np.full(SHAPE, 32767, np.int16)),
        DONE,
        "",
        "all its pixels are saturated",
    )
    other: dict[str, Any] = {"IMAGETYP": "'bias'", "EXPTIME": "0.0", "INSTRUME": "'another'"}
    yield Case("bias-other-camera.fits", raw("other", **other), ("done", "waiting"))
    yield Case(
        "odd/dark-0s.fits", raw("dark0", IMAGETYP="'dark'", EXPTIME="0"), ("done", "waiting")
    )
    for number, dtype in enumerate(("f4", "f8") * 4):
        pixels = noise(f"mixed{number}").astype(dtype) + 33000
        made = raw("mixed", pixels, IMAGETYP="'bias'", EXPTIME="0.0")
        yield Case(f"mixed/bias-{number}.fits", made, DONE)
    own = raw("own", np.zeros(SHAPE, np.float32), more=card("TWID", "'0123456789abcdef'"))
    yield Case("own-product.fits", own, UNLISTED)
    theirs = raw("theirs", np.ones(SHAPE, np.float32), DATE_PRC="'2026-03-26T09:00:00'")
    yield Case("notebook-product.fits", theirs, REJECTED, "notebook")
    for keyword, value in (("NCOMBINE", "9"), ("CALSTAT", "'BDF'"), ("STACKCNT", "20")):
        name = f"stack-{keyword.lower()}.fits"
        yield Case(name, raw(name, **one(keyword, value)), REJECTED, keyword)


def _socket(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)  # a socket's own path must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    except PermissionError:  # as in containers
        os.mkfifo(path)


def _no_files() -> Iterator[Case]:
    """Give what is no regular file; none of it may be opened."""
    yield Case("fifo.fits", os.mkfifo, REJECTED, "FIFO: only regular files")
    yield Case("fifo.fits.gz", os.mkfifo, REJECTED, "FIFO")
    yield Case("socket.fits", _socket, REJECTED, "socket")
    yield Case("device.fits", _device, REJECTED, "only regular files")
    links = {
        "link-good.fits": "object-000001.fits",
        "link-loop.fits": "link-loop.fits",
        "link-zero.fits": "/dev/zero",
        "link-nowhere.fits": "nowhere.fits",
        "link-folder.fits": "..",
        "link-state.fits": ".tapewatch/state.sqlite",
    }
    for name, target in links.items():
        yield Case(name, partial(os.symlink, target), REJECTED, "symbolic link")
    yield Case("folder.fits", Path.mkdir, UNLISTED)
    yield Case("linkdir", partial(os.symlink, "."), UNLISTED)
    yield Case("unreadable.fits", _unreadable, DONE if os.geteuid() == 0 else STALLED)
    yield Case("sparse.fits", _sparse, WAITING, "size")


def _unreadable(path: Path) -> None:
    path.write_bytes(raw("unreadable"))
    path.chmod(0)


def _sparse(path: Path) -> None:
    """Make a file of 1 TB that takes no room."""
    path.write_bytes(raw("sparse", NAXIS1="1000000", NAXIS2="524288")[:BLOCK])
    os.truncate(path, BLOCK + (1 << 40))


def _found() -> Iterator[Case]:
    """Give what the fuzzer found."""
    yield Case("found-empty-section.fits", padded(np.zeros(1, np.int16)), STALLED, "zeros")
