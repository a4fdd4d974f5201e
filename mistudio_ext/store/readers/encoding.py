r"""Text of a file: its encoding, and its lines.

All formats of text pass through here. A byte order mark is no text. Lines end at ``\n``,
``\r\n`` or ``\r`` and nowhere else: U+2028, U+0085 and form feeds are characters of a line.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.readers.bad_rows import BadRows
from mistudio_ext.store.readers.content import Content, EndsEarlyError

#: Stands for bytes that are not in the encoding; no decoder makes it from bytes that are.
MARK = "\udcff"
_MARK_BYTES = MARK.encode("utf-8", "surrogatepass")

#: Name of the error handler that puts :data:`MARK` for what cannot be decoded.
MARKING = "mistudio.mark"

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: Code pages of Windows for Latin scripts. Where all give the same text, there is no doubt.
_LATIN = ("cp1252", "cp1250", "cp1254")

#: Lines with letters outside ASCII that make an encoding more likely than a damaged byte.
_ENOUGH_LINES = 3


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.object[error.start : error.start + 3] == _MARK_BYTES:
        return MARK, error.start + 3
    return MARK, error.end


codecs.register_error(MARKING, _mark)


@dataclass(frozen=True)
class FoundEncoding:
    """An encoding that fits the beginning of a file.

    Parameters
    ----------
    name
        Python's name of it.
    looks_like
        Another one that the bytes outside UTF-8 look like, if they are in doubt.
    bom
        Whether a byte order mark says so.
    """

    name: str
    looks_like: str | None = None
    bom: bool = False


def find_encoding(head: bytes) -> FoundEncoding:
    """Return the encoding of a text from its beginning.

    It is UTF-8 unless a byte order mark, the zero bytes of UTF-16, or enough characters of a
    Windows code page say otherwise. A few bytes that are not UTF-8 may be damage as well as an
    encoding, so they are left to be reported as broken rows, with ``looks_like`` as a hint.
    """
    for bom, name in _BOMS:
        if head.startswith(bom):
            return FoundEncoding(name, bom=True)
    if wide := _without_bom(head):
        return FoundEncoding(wide)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        pass
    else:
        return FoundEncoding("utf-8")
    return _code_page(head)


def _without_bom(head: bytes) -> str | None:
    """Return which UTF-16 without a byte order mark this is: every second byte is zero."""
    sample = head[: len(head) // 2 * 2][:65536]
    if not sample or b"\0" not in sample:
        return None
    zeros = [sample[i::2].count(0) / (len(sample) / 2) for i in (0, 1)]
    for name, here, other in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if zeros[here] > 0.6 and zeros[other] < 0.05:
            return name
    return None


def _code_page(head: bytes) -> FoundEncoding:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = decoder.decode(head)
    stray = [c for c in text if "\udc80" <= c <= "\udcff"]
    if len(stray) < sum(c > "\x7f" for c in text):
        # Some characters are UTF-8, so the stray bytes are damage.
        return FoundEncoding("utf-8")
    try:
        head.decode("cp1252")
    except UnicodeDecodeError:
        return FoundEncoding("utf-8")
    lines = [line for line in head.splitlines() if not line.isascii()]
    if all(_is_beyond_doubt(line) for line in lines):
        typographic = any(0x80 <= byte < 0xA0 for line in lines for byte in line)
        if typographic or len(lines) >= _ENOUGH_LINES:
            return FoundEncoding("cp1252")
    return FoundEncoding("utf-8", looks_like="cp1252")


def _is_beyond_doubt(line: bytes) -> bool:
    """Return whether all Latin code pages give the same plausible text: “ ” €, single letters."""
    texts = {line.decode(page, "replace") for page in _LATIN}
    if len(texts) > 1 or "\ufffd" in (text := texts.pop()):
        return False
    for before, here in zip(" " + text, text, strict=False):
        if here.isascii():
            continue
        if unicodedata.category(here)[0] == "L" and before.isalpha() and not before.isascii():
            return False  # Two such letters in a row are rare in Latin scripts, common in others.
    return True


def text_blocks(content: Content, encoding: str) -> Iterator[bytes]:
    """Yield the content as UTF-8 without byte order mark, in blocks of no particular bounds.

    Bytes that are not in the encoding stay as they are if it is UTF-8, and are
    :data:`MARK` otherwise; :func:`text_of` decodes both.
    """
    blocks = content.blocks()
    if _is_utf8(encoding):
        head = b""
        for block in blocks:
            head += block
            if len(head) >= 3:
                break
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(MARKING)
    first = True
    for block in blocks:
        text = _decoded(decoder, block, content.name, encoding)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        yield text.encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", content.limit is None).encode("utf-8", "surrogatepass")


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, name: str, encoding: str) -> str:
    try:
        return decoder.decode(block)
    except UnicodeError as error:
        # Of UTF-16 and UTF-32, which begin with a byte order mark.
        raise InvalidInputError(
            f"{name} is not {spoken(encoding)}: it does not begin with a byte order mark.",
            code="broken_file",
            field="encoding",
            hint="Leave out the encoding, or choose one that tells the order too, as utf-16-le.",
        ) from error


def beginning_of(content: Content, encoding: str) -> str:
    """Return the first characters of a file, with U+FFFD for what is not in the encoding."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    return _decoded(decoder, content.head(), content.name, encoding).removeprefix("\ufeff")


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def text_of(block: bytes) -> str:
    """Return the text of some whole lines; :data:`MARK` stands for what cannot be decoded."""
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError:
        return block.decode("utf-8", MARKING)


def repaired(text: str) -> str:
    """Return the text with U+FFFD for what could not be decoded."""
    return text.replace(MARK, "\ufffd")


def not_in(encoding: str) -> str:
    """Return in words that a row has bytes outside its encoding."""
    return f"it has bytes that are not {spoken(encoding)}"


def fix_encoding(looks_like: str | None) -> str | None:
    """Return the hint for a file whose bytes outside UTF-8 look like another encoding."""
    if looks_like is None:
        return None
    return (
        f"The file looks like {spoken(looks_like)}: choose the encoding {looks_like}. "
        "Otherwise fix that line, or choose to skip or to keep rows that cannot be read."
    )


def spoken(encoding: str) -> str:
    """Return the name of an encoding as people write it."""
    name = encoding.upper().replace("_", "-")
    return f"windows-{name[2:]}" if name.startswith("CP125") else name


def line_blocks(content: Content, encoding: str, bad_rows: BadRows) -> Iterator[tuple[int, bytes]]:
    """Yield ``(number of the first line, some whole lines)`` in UTF-8.

    Each block holds at least one line and about 4 MiB. The last line of a file whose compressed
    data breaks off is not yielded but reported to ``bad_rows``; that of a file which is read
    to a limit is left out.
    """
    number = 1
    pieces: list[bytes] = []
    size = 0
    try:
        for block in text_blocks(content, encoding):
            pieces.append(block)
            size += len(block)
            if size < content.block_bytes:
                continue
            if (cut := _last_end(block)) == 0:
                continue
            whole, rest = b"".join([*pieces[:-1], block[:cut]]), block[cut:]
            yield number, whole
            number += count_lines(whole)
            pieces, size = [rest], len(rest)
    except EndsEarlyError:
        rest = b"".join(pieces)
        cut = _last_end(rest)
        if cut:
            yield number, rest[:cut]
            number += count_lines(rest[:cut])
        bad_rows.found(
            number,
            "the file ends early, in the middle of its compressed data",
            whole=False,
            hint="Copy or download the whole file again.",
        )
        return
    rest = b"".join(pieces)
    if content.is_cut():
        # What is left of the only line is better than nothing.
        rest = rest[: _last_end(rest)] or (rest if number == 1 else b"")
    if rest:
        yield number, rest


def _last_end(block: bytes) -> int:
    r"""Return the length of the whole lines in a block, 0 if it ends none for certain.

    A ``\r`` counts only where no ``\n`` does, and not as the last byte, which may be half of
    ``\r\n``.
    """
    cut = block.rfind(b"\n") + 1
    return cut or (block.rfind(b"\r", 0, len(block) - 1) + 1 if block else 0)


def count_lines(block: bytes) -> int:
    """Return how many lines end in a block of whole lines; an open last line counts."""
    ends = block.count(b"\n")
    if b"\r" in block:
        ends += block.count(b"\r") - block.count(b"\r\n")
    return ends + bool(block and block[-1:] not in (b"\n", b"\r"))


def split_lines(text: str) -> list[str]:
    """Return the lines of a text without their ends."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def lines(content: Content, encoding: str, bad_rows: BadRows) -> Iterator[tuple[int, str, bool]]:
    """Yield ``(number, text without its end, whether all of it is in the encoding)``."""
    for number, block in line_blocks(content, encoding, bad_rows):
        text = text_of(block)
        for at, line in enumerate(split_lines(text), number):
            yield at, repaired(line), MARK not in line
