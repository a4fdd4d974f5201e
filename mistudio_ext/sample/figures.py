"""Arithmetic and small programs; every result that they state is right."""

from .grammar import Draw, count, plural
from .stories import Document
from .words import PEOPLE

_GOODS = (
    "apple",
    "pear",
    "button",
    "marble",
    "egg",
    "stamp",
    "candle",
    "shell",
    "pencil",
    "coin",
    "ribbon",
    "walnut",
    "fig",
    "postcard",
    "peach",
    "brush",
)
_VERBS = (
    ("buys", "+"),
    ("finds", "+"),
    ("is given", "+"),
    ("loses", "-"),
    ("sells", "-"),
    ("gives away", "-"),
)


def arithmetic(draw: Draw) -> Document:
    """Draw sums, a table, a sequence or a word problem."""
    form = draw.weighted({"sums": 4, "table": 2, "sequence": 2, "problem": 6})
    if form == "problem":
        return _problem(draw)
    if form == "table":
        factor, start = draw.between(2, 19), draw.between(1, 4)
        rows = [f"{i} x {factor} = {i * factor}" for i in range(start, start + draw.between(4, 10))]
        return Document(text=f"Table of {factor}\n" + "\n".join(rows), kind="arithmetic")
    if form == "sequence":
        first, step, size = draw.between(0, 40), draw.between(2, 15), draw.between(5, 10)
        values = [str(first + i * step) for i in range(size)]
        return Document(
            text=f"Start at {first} and add {step} each time: {', '.join(values)}.\n"
            f"The next number is {first + size * step}.",
            kind="arithmetic",
        )
    rows = []
    for _ in range(draw.between(2, 9)):
        a, b = draw.between(0, 99), draw.between(0, 99)
        sign = draw.pick("+-x")
        if sign == "x":
            a, b = a % 13, b % 13
        result = {"+": a + b, "-": a - b, "x": a * b}[sign]
        rows.append(f"{a} {sign} {b} = {result}")
    return Document(text="\n".join(rows), kind="arithmetic")


def _problem(draw: Draw) -> Document:
    person, noun = draw.pick(PEOPLE), draw.pick(_GOODS)
    have = draw.between(2, 60)
    lines = [f"{person.name} has {count(have, noun)}."]
    sums: list[str] = []
    for _ in range(draw.pick((1, 1, 2, 3))):
        verb, sign = draw.pick(_VERBS)
        if sign == "-" and have < 2:
            verb, sign = "finds", "+"
        amount = draw.between(1, have - 1) if sign == "-" else draw.between(2, 40)
        lines.append(f"{person.she.capitalize()} {verb} {amount}{'' if sums else ' more'}.")
        if sign == "-":
            lines[-1] = f"{person.she.capitalize()} {verb} {amount}."
        after = have + amount if sign == "+" else have - amount
        sums.append(f"{have} {sign} {amount} = {after}")
        have = after
    lines.append(
        f"How many {plural(noun)} does {person.she} have now? {'; '.join(sums)}. "
        f"{person.name} has {count(have, noun)}."
    )
    return Document(
        text=" ".join(lines),
        kind="arithmetic",
        protagonist=person.name,
        pronoun=person.she,
    )


def code(draw: Draw) -> Document:
    """Draw a small Python program; a comment after each ``print`` says what it prints."""
    form = draw.pick((_total, _function, _loop, _filter, _greeting, _word))
    lines = form(draw)
    return Document(text="\n".join(lines), kind="code")


def _names(draw: Draw) -> tuple[str, str]:
    noun = draw.pick(_GOODS)
    return noun, plural(noun)


def _total(draw: Draw) -> list[str]:
    _, nouns = _names(draw)
    colours = draw.some(("red", "blue", "green", "white", "black", "yellow"), draw.between(2, 5))
    amounts = [draw.between(1, 30) for _ in colours]
    entries = ", ".join(f'"{c}": {n}' for c, n in zip(colours, amounts, strict=True))
    return [
        f"# count the {nouns} of every colour",
        f"{nouns} = {{{entries}}}",
        "total = 0",
        f"for colour, number in {nouns}.items():",
        "    total += number",
        f"print(total)  # {sum(amounts)}",
    ]


def _function(draw: Draw) -> list[str]:
    a, b, x = draw.between(2, 12), draw.between(1, 40), draw.between(1, 12)
    name = draw.pick(("scale", "price_of", "convert", "shift", "cost", "area_of"))
    arg = draw.pick(("x", "value", "number", "n"))
    more = draw.between(2, 20)
    lines = [
        f"def {name}({arg}):",
        f'    """Multiply by {a} and add {b}."""',
        f"    return {a} * {arg} + {b}",
        "",
        f"print({name}({x}))  # {a * x + b}",
    ]
    if draw.chance(0.5):
        lines.append(f"print({name}({more}))  # {a * more + b}")
    return lines


def _loop(draw: Draw) -> list[str]:
    low, size, step = draw.between(0, 9), draw.between(3, 7), draw.between(1, 5)
    values = list(range(low, low + size * step, step))
    out = draw.pick(("squares", "results", "values", "numbers"))
    square = draw.chance(0.5)
    return [
        f"{out} = []",
        f"for i in range({low}, {low + size * step}, {step}):",
        f"    {out}.append({'i * i' if square else '2 * i'})",
        f"print({out})  # {[i * i if square else 2 * i for i in values]}",
        f"print(len({out}))  # {size}",
    ]


def _filter(draw: Draw) -> list[str]:
    numbers = [draw.between(1, 60) for _ in range(draw.between(4, 8))]
    limit = draw.between(10, 50)
    noun, nouns = _names(draw)
    kept = [n for n in numbers if n > limit]
    return [
        f"# keep the {nouns} that weigh more than {limit} grams",
        f"{nouns} = {numbers}",
        f"heavy = [{noun} for {noun} in {nouns} if {noun} > {limit}]",
        f"print(heavy)  # {kept}",
        f"print(max({nouns}))  # {max(numbers)}",
    ]


def _greeting(draw: Draw) -> list[str]:
    names = [person.name for person in draw.some(PEOPLE, draw.between(2, 5))]
    word = draw.pick(("Hello", "Welcome", "Goodbye", "Good morning"))
    listed = ", ".join(f'"{name}"' for name in names)
    return [
        f"names = [{listed}]",
        "for name in names:",
        f'    print("{word}, " + name)',
        *[f"# {word}, {name}" for name in names],
    ]


def _word(draw: Draw) -> list[str]:
    word = draw.pick(_GOODS)
    letter = draw.pick(word)
    return [
        f'word = "{word}"',
        f"print(len(word))  # {len(word)}",
        f"print(word[::-1])  # {word[::-1]}",
        f'print(word.count("{letter}"))  # {word.count(letter)}',
        f"print(word.upper())  # {word.upper()}",
        *([f"print(sorted(word))  # {sorted(word)}"] if draw.chance(0.5) else []),
    ]
