"""A tiny deterministic template grammar.

Everything random in the sample corpus goes through :class:`Draw`, which uses nothing but
``random.Random.random``: of that module's methods it is the one whose sequence Python promises to
keep between versions, so the corpus is the same on every interpreter.
"""

import random
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(a:|A:)?([A-Za-z][A-Za-z_.0-9]*)\}")
_VOWEL_SOUND = re.compile(r"(?!(uni|use|usu|one\b|eu))[aeiou]|hour|honest|heir", re.IGNORECASE)

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


class Draw:
    """A stream of random choices.

    Parameters
    ----------
    seed
        Seed of the underlying ``random.Random``.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, n: int) -> int:
        """Return an integer from 0 to ``n - 1``."""
        return int(self._random.random() * n)

    def between(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Return one of ``items``."""
        return items[self.below(len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """Return ``count`` different entries of ``items`` in random order."""
        pool = list(items)
        for i in range(count):
            j = self.between(i, len(pool) - 1)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:count]

    def weighted(self, weights: Mapping[str, int]) -> str:
        """Return a key of ``weights`` with probability proportional to its value."""
        target = self.below(sum(weights.values()))
        for key, weight in weights.items():
            target -= weight
            if target < 0:
                return key
        raise AssertionError("weights are non-negative and not all zero")


def article(phrase: str) -> str:
    """Return ``phrase`` with its indefinite article.

    Examples
    --------
    >>> article("old umbrella"), article("unicorn"), article("hour")
    ('an old umbrella', 'a unicorn', 'an hour')
    """
    return f"an {phrase}" if _VOWEL_SOUND.match(phrase) else f"a {phrase}"


def capital(text: str) -> str:
    """Return ``text`` with its first letter in upper case and the rest untouched."""
    return text[:1].upper() + text[1:]


def plural(noun: str) -> str:
    """Return the plural of a regular English noun (or of one of the few irregular ones used).

    Examples
    --------
    >>> plural("penny"), plural("box"), plural("day"), plural("loaf")
    ('pennies', 'boxes', 'days', 'loaves')
    """
    irregular = {"loaf": "loaves", "leaf": "leaves", "knife": "knives", "goose": "geese"}
    if noun in irregular:
        return irregular[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if noun.endswith(("s", "x", "ch", "sh")) or noun in ("potato", "tomato"):
        return noun + "es"
    return noun + "s"


def count(number: int, noun: str) -> str:
    """Return ``number`` in digits with its noun in the singular or the plural."""
    return f"{number} {noun if number == 1 else plural(noun)}"


def number_word(number: int) -> str:
    """Return an integer from 0 to 99 in words."""
    if number < 20:
        return _ONES[number]
    ten, one = divmod(number, 10)
    return _TENS[ten - 2] + (f"-{_ONES[one]}" if one else "")


def joined(items: Sequence[str]) -> str:
    """Return ``items`` as an English enumeration: ``a``, ``a and b``, ``a, b and c``."""
    if len(items) == 1:
        return items[0]
    return f"{', '.join(items[:-1])} and {items[-1]}"


def expand(template: str, slots: Mapping[str, str], draw: Draw) -> str:
    """Expand one template of the grammar.

    Parameters
    ----------
    template
        Text with choices ``[this|that|]``, which may be nested, and slots ``{name}``. ``{Name}``
        is the slot ``name`` with a capital letter, ``{a:name}`` and ``{A:name}`` put the
        indefinite article before it.
    slots
        Values of the slots.
    draw
        Source of the choices.

    Returns
    -------
    str
        The text, with the spaces that empty choices leave behind removed.

    Raises
    ------
    KeyError
        When the template names a slot that has no value.
    """
    while "[" in template:
        template = _CHOICE.sub(lambda match: draw.pick(match[1].split("|")), template)

    def fill(match: re.Match[str]) -> str:
        mark, key = match[1], match[2]
        value = slots[key[0].lower() + key[1:]]
        if mark:
            value = article(value)
        return capital(value) if mark == "A:" or key[0].isupper() else value

    text = _SLOT.sub(fill, template)
    text = re.sub(r" +([.,;:!?])", r"\1", re.sub(r"  +", " ", text))
    return text.strip()
