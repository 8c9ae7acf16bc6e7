"""Mutations of input files: bytes, lines, words and FITS contents, each fixed by its seed."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Callable
from zlib import crc32

import h5py
import numpy as np
from astropy.io import fits
from numpy.random import Generator

Mutation = Callable[[bytes, Generator], bytes]

HOSTILE_WORDS: tuple[str, ...] = (
    *("nan", "inf", "-inf", "-1", "0", "-0.0", "1e400", "1e308", "-1e-320", "9" * 40, "9" * 5000),
    *("", '""', "null", "None", "true", "[]", "{}", "[[1]]", "1;2", "1,5", "1970-01-01", "0x1F"),
    *("é", "\u22125", "\u00a0", "\u202e", "\x1b[31m", "$x^{$", "<b>", "%", "\\", "&", "x" * 4000),
    *("F770W", "FULL", "MJD", "mag(AB)", "MJy / sr", "!numpy.ndarray", "datatype: object"),
)
"""What stands in for a word or a number of a text."""

HOSTILE_NUMBERS: tuple[float, ...] = (
    *(np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, -1e300, 1e-320, 60000.5, 1.0),
)
HOSTILE_CARDS: tuple[str, ...] = (
    *("'F770W   '", "''", "-1", "0", "1E400", "T", "'NaN'", "99999999999999999999", "2", "3"),
    *("'1970-01-01T00:00:00'", "(1,2)", "'x", "nan", "-32", "-64", "16", "8", "'A999'", "'0D'"),
)


def generator(reader: str, number: int) -> Generator:
    """Return the random generator of a reader's mutation, the same on every machine."""
    return np.random.default_rng([crc32(reader.encode()), number])


def flip(content: bytes, random: Generator) -> bytes:
    """Change some bits."""
    made = bytearray(content)
    for place in random.integers(0, len(made), random.integers(1, 9)):
        made[place] ^= 1 << int(random.integers(8))
    return bytes(made)


def truncate(content: bytes, random: Generator) -> bytes:
    """Cut the end off."""
    return content[: random.integers(0, len(content))]


def delete(content: bytes, random: Generator) -> bytes:
    """Take a piece out."""
    start, length = random.integers(0, len(content)), random.integers(1, 400)
    return content[:start] + content[start + length :]


def insert(content: bytes, random: Generator) -> bytes:
    """Put random bytes, or a piece of the file itself, somewhere."""
    at, length = random.integers(0, len(content)), random.integers(1, 200)
    start = random.integers(0, len(content))
    own = bool(random.integers(2))
    piece = content[start : start + length] if own else random.bytes(int(length))
    return content[:at] + piece + content[at:]


def overwrite(content: bytes, random: Generator) -> bytes:
    """Write one byte over a piece: NUL, 0xff, a line break or a quotation mark."""
    start, length = random.integers(0, len(content)), random.integers(1, 40)
    byte = (b"\0", b"\xff", b"\n", b'"', b"\xc3")[random.integers(5)]
    return content[:start] + byte * int(length) + content[start + length :]


def change_lines(content: bytes, random: Generator) -> bytes:
    """Drop, double, swap, join or empty lines."""
    lines = content.split(b"\n")
    i, j = (int(k) for k in random.integers(0, len(lines), 2))
    match random.integers(5):
        case 0:
            del lines[i]
        case 1:
            lines.insert(i, lines[j])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case 3:
            lines[i] = lines[i] + b" " + lines[j]
        case _:
            lines[i] = b""
    return b"\n".join(lines)


def change_words(content: bytes, random: Generator) -> bytes:
    """Put hostile words in place of one or two words of the text."""
    text = content.decode("utf-8", "surrogateescape")
    for _ in range(random.integers(1, 3)):
        spans = _words(text)
        if not spans:
            return content
        start, end = spans[random.integers(len(spans))]
        text = text[:start] + _pick(HOSTILE_WORDS, random) + text[end:]
    return text.encode("utf-8", "surrogateescape")


def _words(text: str) -> list[tuple[int, int]]:
    separators = " \n\t,=:[]{}\"'"
    spans, start = [], None
    for i, letter in enumerate(text + " "):
        if letter in separators:
            if start is not None:
                spans.append((start, i))
            start = None
        elif start is None:
            start = i
    return spans


def _pick(words: tuple[str, ...], random: Generator) -> str:
    return words[int(random.integers(len(words)))]


def encode_otherwise(content: bytes, random: Generator) -> bytes:
    """Save a text as Windows, old Macs or an archive would: UTF-16, BOM, CR, gzip."""
    text = content.decode("utf-8", "replace")
    made = (
        text.encode("utf-16"),
        b"\xef\xbb\xbf" + content,
        content.replace(b"\n", b"\r"),
        content.replace(b"\n", b"\r\n"),
        gzip.compress(content, mtime=0),
        b"",
    )
    return made[int(random.integers(len(made)))]


def change_card(content: bytes, random: Generator) -> bytes:
    """Put a hostile value into one card of a FITS header, or drop the card, without a check."""
    cards = [i for i in range(0, len(content) - 80, 80) if content[i + 8 : i + 10] == b"= "]
    if not cards:
        return content
    at = cards[random.integers(len(cards))]
    card = content[at : at + 80]
    if random.integers(4) == 0:
        card = b" " * 80
    else:
        card = card[:10] + _pick(HOSTILE_CARDS, random).rjust(20).encode()[:70].ljust(70)
    return content[:at] + card + content[at + 80 :]


def change_extension(content: bytes, random: Generator) -> bytes:
    """Change what the extensions of a FITS file hold, and write it as a valid file again."""
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        with fits.open(io.BytesIO(content), memmap=False) as read:
            extensions = fits.HDUList([extension.copy() for extension in read])
        full = [i for i, one in enumerate(extensions) if one.data is not None and one.data.size]
        i = full[int(random.integers(len(full)))]
        if random.integers(6) == 0:
            _change_order(extensions, i, random)
        elif isinstance(extensions[i], fits.BinTableHDU):
            extensions[i] = _changed_table(extensions[i], random)
        else:
            extensions[i].data = _changed_array(extensions[i].data, random)
        made = io.BytesIO()
        extensions.writeto(made, output_verify="ignore", checksum=True)
    return made.getvalue()


def _change_order(extensions: fits.HDUList, i: int, random: Generator) -> None:
    match random.integers(3):
        case 0 if i > 0:
            del extensions[i]
        case 1 if i > 0:
            extensions.append(extensions[i].copy())
        case _:
            extensions[i].name = "OTHER"


def _changed_table(extension: fits.BinTableHDU, random: Generator) -> fits.BinTableHDU:
    """Return a table with an entry, a column or its rows changed."""
    columns = {c.name: (c, np.array(extension.data[c.name])) for c in extension.columns}
    name = list(columns)[int(random.integers(len(columns)))]
    column, values = columns[name]
    match random.integers(6):
        case 0:
            del columns[name]
        case 1:
            columns = {(n if n != name else "other"): of for n, of in columns.items()}
        case 2:
            columns[name] = column, np.stack([values] * 2, axis=-1)
        case 3:
            columns[name] = column, values.astype(str if values.dtype.kind in "fi" else "S1")
        case 4:
            rows = int(random.integers(0, len(values)))
            columns = {n: (c, v[:rows]) for n, (c, v) in columns.items()}
        case _ if values.dtype.kind in "fi":
            values.flat[random.integers(values.size)] = random.choice(HOSTILE_NUMBERS)
        case _:
            values.flat[random.integers(values.size)] = _pick(("", "F1W", "\x7f", "x" * 9), random)
    made = fits.BinTableHDU.from_columns([_column(n, c, v) for n, (c, v) in columns.items()])
    kept = {k: v for k, v in extension.header.items() if k not in made.header and k[:1] != "T"}
    made.header.extend((k, v) for k, v in kept.items() if k not in ("COMMENT", "HISTORY", ""))
    made.name = extension.name
    return made


def _column(name: str, column: fits.Column, values: np.ndarray) -> fits.Column:
    size = int(np.prod(values.shape[1:], dtype=int))
    kind = values.dtype.kind
    if kind in "SU":
        form = f"{max(1, values.dtype.itemsize // (4 if kind == 'U' else 1)) * size}A"
    else:
        form = f"{size}{ {'f': 'D', 'i': 'K', 'b': 'L', 'u': 'J'}[kind] }"
        values = values.astype(float) if kind == "f" else values
    return fits.Column(
        name,
        form,
        unit=column.unit,
        array=values.reshape(len(values), -1)[:, 0] if size == 1 and values.ndim > 1 else values,
    )


def _changed_array(data: np.ndarray, random: Generator) -> np.ndarray:
    """Return an image with hostile numbers or of another shape."""
    hostile = random.choice(HOSTILE_NUMBERS)
    number = data.dtype.type(hostile if data.dtype.kind == "f" else 1)
    made = data.copy()
    match random.integers(8):
        case 0:
            made.flat[random.integers(made.size)] = number
        case 1:
            made[...] = number
        case 2:
            made.flat[random.random(made.size) < 0.5] = number
        case 3:
            made = made[:-1]
        case 4:
            made = made[None]
        case 5:
            made = -made if made.dtype.kind == "f" else made
        case 6:
            made = made[:1, :1] if made.ndim > 1 else made[:1]
        case _:
            made = made[::-1].T if made.ndim > 1 else made[::-1]
    return np.ascontiguousarray(made)


def change_dataset(content: bytes, random: Generator) -> bytes:
    """Change numbers of an HDF5 file, or take a variable out or give it another name."""
    made = io.BytesIO(content)
    with h5py.File(made, "r+") as file, np.errstate(over="ignore"):
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
        name = names[int(random.integers(len(names)))]
        values = np.asarray(file[name])
        kind = int(random.integers(4))
        if kind == 0:
            del file[name]
        elif kind == 1:
            file.move(name, f"{name}_other")
        elif values.dtype.kind in "fi" and values.size:
            few = random.random(values.shape) < (0.5 if kind == 2 else 1 / values.size)
            hostile = random.choice(HOSTILE_NUMBERS) if values.dtype.kind == "f" else -7
            file[name][...] = np.where(few, hostile, values).astype(values.dtype)
    return made.getvalue()


def inside_gzip(mutation: Mutation) -> Mutation:
    """Return a mutation of what is compressed in a file."""

    def mutate(content: bytes, random: Generator) -> bytes:
        return gzip.compress(mutation(gzip.decompress(content), random), mtime=0)

    return mutate


BYTES: tuple[Mutation, ...] = (flip, truncate, delete, insert, overwrite)
TEXT: tuple[Mutation, ...] = (
    *(change_words, change_words, change_words, change_words, change_lines, change_lines),
    *(*BYTES, encode_otherwise),
)
FITS: tuple[Mutation, ...] = (
    *(change_extension, change_extension, change_extension, change_card, change_card),
    *BYTES,
)


def compressed(mutations: tuple[Mutation, ...]) -> tuple[Mutation, ...]:
    """Return mutations of a gzipped file: of its content, and of the archive itself."""
    return (*map(inside_gzip, mutations), *BYTES)


def mutated(content: bytes, mutations: tuple[Mutation, ...], random: Generator) -> bytes:
    """Return a file's content after one mutation, sometimes after two."""
    for _ in range(1 + (random.integers(5) == 0)):
        if not content:
            break
        mutation = mutations[int(random.integers(len(mutations)))]
        try:
            content = mutation(content, random)
        except Exception:  # noqa: BLE001  (a second mutation of what is no FITS file any more)
            content = flip(content, random)
    return content
