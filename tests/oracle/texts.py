"""Texts of many scripts and of all that goes wrong in files, from a seed."""

from __future__ import annotations

import random

#: Pieces that texts are made of, by script.
SCRIPTS: dict[str, list[str]] = {
    "latin": "the red fox jumps over a lazy hen naïve café Straße résumé ijsvrij".split(),
    "cyrillic": "красная лиса и курица ёлка объём".split(),
    "greek": "η κόκκινη αλεπού και η κότα".split(),
    "arabic": "الثعلب الأحمر والدجاجة".split(),
    "hebrew": "השועל האדום והתרנגולת שָׁלוֹם".split(),
    "hindi": "लाल लोमड़ी और मुर्गी".split(),
    "thai": ["สุนัขจิ้งจอก", "สีแดง", "กับไก่"],
    "chinese": ["红色的狐狸", "学习", "和母鸡在一起"],
    "japanese": ["赤いキツネ", "と雌鶏", "カタカナ"],
    "korean": "붉은 여우와 암탉".split(),
    "emoji": ["🦊", "👩‍👩‍👧", "🇳🇱", "🐔", "é", "ﬁ"],
}

#: What is taken for something else by careless readers.
TRICKY = (
    "NA null None nan N/A NULL true False 007 1e5 0x1F 1_000 +5 -0 1.50 3.10 .5 2024-01-02 "
    "12:30 1,5 $5 #N/A inf -inf 1234567890123456789 99999999999999999999 =1+1 @x"
).split()

#: What needs care inside a cell or a line.
MARKS = [",", ";", "|", '"', "'", '""', "\\", "/", "{", "}", "[", "]", ":", "\t", "#", "<b>", "&"]


def words(rng: random.Random, n: int, scripts: list[str] | None = None) -> list[str]:
    """Return ``n`` words of one or two scripts."""
    chosen = scripts or rng.sample(list(SCRIPTS), rng.choice((1, 1, 2)))
    return [rng.choice(SCRIPTS[rng.choice(chosen)]) for _ in range(n)]


def text(rng: random.Random, *, lines: bool = False, marks: bool = True) -> str:
    """Return a text of a few words; ``lines`` allows line ends in it."""
    made = words(rng, rng.randint(1, 8))
    if marks and rng.random() < 0.4:
        made.insert(rng.randrange(len(made) + 1), rng.choice(MARKS))
    if lines and rng.random() < 0.2:
        made.insert(rng.randrange(len(made) + 1), rng.choice(["\n", "\r\n", "\n\n"]))
    if rng.random() < 0.05:
        made.append("\u2028" if lines else "\u00a0")
    joined = " ".join(made)
    return f" {joined} " if rng.random() < 0.05 else joined
