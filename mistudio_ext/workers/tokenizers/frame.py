"""Find the special tokens that a tokenizer puts around a text.

They are found by what the tokenizer does to several texts, drawn from its own
vocabulary: a tokenizer of digits gives no token for an English sentence, and a
vocabulary without an unknown token refuses one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.contexts import Frame

#: Gives the token ids of texts, without special tokens around them.
Encode = Callable[[Sequence[str]], list[list[int]]]

#: Texts on which a frame is confirmed, and vocabulary entries that texts are made of.
_CONFIRMED, _DRAWN = 12, 64

_GENERAL = (
    "The quick brown fox",
    "12 + 7 = 19",
    "我们今天讨论",
    "Привет, мир",
    "def f(x): return x",
)

_Split = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class FoundFrame:
    """What is known about a tokenizer's special tokens.

    Attributes
    ----------
    frame
        The special tokens; without prefix and suffix if there is a ``problem``.
    problem
        Why prefix and suffix cannot be told.
    depends_on_text
        Whether they are others where a text contains special tokens (T5 adds no second EOS).
    """

    frame: Frame
    problem: InvalidInputError | None = None
    depends_on_text: bool = False


def find_frame(tokenizer: Any, encode: Encode) -> FoundFrame:
    """Find the special tokens around a text, and whether they are always the same.

    Parameters
    ----------
    tokenizer
        A tokenizer of transformers.
    encode
        Its ids without special tokens.
    """
    bos, eos = _ends(tokenizer)
    bare = Frame((), (), bos, eos)
    possible: set[_Split] | None = None
    confirmed: list[str] = []
    for text in probes(tokenizer):
        pair = encoded(tokenizer, encode, text)
        if pair is None or not pair[1]:
            continue
        found = splits(*pair)
        possible = found if possible is None else possible & found
        confirmed.append(text)
        if not possible or (len(confirmed) >= _CONFIRMED and len(possible) == 1):
            break
    if possible is None:
        return FoundFrame(bare, None if _adds_nothing(tokenizer) else _unknown("no text gives one"))
    if not possible:
        return FoundFrame(bare, _unknown(f"they are others around {confirmed[-1]!r}"))
    # More than one split is possible only where all of the tokens are alike.
    prefix, suffix = max(possible, key=lambda pair: len(pair[0]))
    frame = Frame(prefix, suffix, bos, eos)
    return FoundFrame(frame, None, _depends_on_text(tokenizer, encode, frame, confirmed[0]))


def framed(frame: Frame, ids: Sequence[int]) -> list[int]:
    """Return token ids with the special tokens around them."""
    return [*frame.prefix, *ids, *frame.suffix]


def encoded(tokenizer: Any, encode: Encode, text: str) -> tuple[list[int], list[int]] | None:
    """Return a text's ids with and without special tokens; None if it cannot be tokenized."""
    try:
        inner = encode([text])[0]
        whole = list(tokenizer(text, verbose=False)["input_ids"])
    except Exception:  # noqa: BLE001 - a tokenizer may refuse a text in any way
        return None
    return whole, inner


def splits(whole: Sequence[int], inner: Sequence[int]) -> set[_Split]:
    """Return all pairs of ids before and after that make the whole of the inner ids."""
    n, inside = len(inner), list(inner)
    return {
        (tuple(whole[:at]), tuple(whole[at + n :]))
        for at in range(len(whole) - n + 1)
        if list(whole[at : at + n]) == inside
    }


def probes(tokenizer: Any) -> Iterator[str]:
    """Yield texts that a tokenizer may know, most of them made of its own vocabulary."""
    yield from _GENERAL
    special = set(tokenizer.all_special_ids)
    ids = sorted(i for i in tokenizer.get_vocab().values() if i not in special)
    step = max(1, len(ids) // _DRAWN)
    drawn = ids[::step]
    for first, second in zip(drawn, [*drawn[1:], *drawn[:1]], strict=True):
        for wanted in ([first], [first, second]):
            yield from _texts_of(tokenizer, wanted)


def _texts_of(tokenizer: Any, ids: list[int]) -> Iterator[str]:
    for write in (
        lambda: tokenizer.decode(ids),
        lambda: " ".join(map(str, tokenizer.convert_ids_to_tokens(ids))),
    ):
        try:
            text = str(write())
        except Exception:  # noqa: BLE001 - some ids have no text
            continue
        if text.strip():
            yield text


def _depends_on_text(tokenizer: Any, encode: Encode, frame: Frame, word: str) -> bool:
    """Return whether a special token that is written in a text changes those around it."""
    texts = (
        pattern.format(special=special, word=word)
        for special in _some(map(str, tokenizer.all_special_tokens))
        for pattern in ("{word}{special}", "{special}{word}", "{special}")
    )
    pairs = (encoded(tokenizer, encode, text) for text in texts)
    return any(pair is not None and pair[0] != framed(frame, pair[1]) for pair in pairs)


def _some(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:16]


def _ends(tokenizer: Any) -> tuple[int | None, int | None]:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    return (
        bos if bos is not None else getattr(tokenizer, "cls_token_id", None),
        eos if eos is not None else getattr(tokenizer, "sep_token_id", None),
    )


def _adds_nothing(tokenizer: Any) -> bool:
    try:
        return int(tokenizer.num_special_tokens_to_add()) == 0
    except Exception:  # noqa: BLE001 - not every tokenizer can say
        return False


def _unknown(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"It cannot be told which special tokens the tokenizer puts around a text: {why}.",
        code="unsupported_tokenizer",
        field="special_tokens",
        hint="Switch special tokens off.",
    )
