"""Stories: people, places and plots put together."""

from dataclasses import dataclass

from .grammar import Draw, expand, joined
from .more_plots import MORE_PLOTS, PAIR_ENDS, PAIR_STORY
from .plots import PLOTS
from .scenes import CLOSINGS, DATED_OPENINGS, OPENINGS, SCENERY, SEQUELS, TALKS
from .things import FRAGILE, KEEPSAKES, NEIGHBOURS, PETS, RELATIVES, SKILLS
from .words import (
    FEELINGS,
    LANDS,
    MONTHS,
    PEOPLE,
    WEEKDAYS,
    Person,
)

ALL_PLOTS = {**PLOTS, **MORE_PLOTS}
SENTIMENTS = ("positive", "negative", "neutral")
TREATS = (
    "apple",
    "orange",
    "ginger biscuit",
    "slice of plum cake",
    "honey cake",
    "pear",
    "cheese roll",
    "almond tart",
    "bag of roasted chestnuts",
    "piece of liquorice",
    "onion pie",
    "jar of cherry jam",
)
CHESTS = ("sewing box", "music box", "hat box", "writing case", "tea caddy", "iron trunk")
NUMBERS = ("three", "five", "six", "nine", "eleven", "twelve", "fifteen", "twenty", "thirty")


@dataclass(frozen=True)
class Document:
    """One document of the corpus; the attributes are the columns of the dataset."""

    text: str
    kind: str
    protagonist: str | None = None
    pronoun: str | None = None
    sentiment: str | None = None
    place: str | None = None
    year: int | None = None


@dataclass(frozen=True)
class Scene:
    """The facts that one narrative keeps to from its first to its last sentence."""

    person: Person
    place: str
    sentiment: str
    year: int
    slots: dict[str, str]


def scene(draw: Draw, before: Scene | None = None) -> Scene:
    """Draw a protagonist, a place, an ending and everything else a narrative may mention.

    With ``before``, the protagonist, the family and the place stay as they were in that scene.
    """
    person = before.person if before else draw.pick(PEOPLE)
    others = draw.some([p.name for p in PEOPLE if p.name != person.name], 3)
    land = draw.pick(LANDS)
    place, town2 = (name.replace("_", " ") for name in draw.some(land.towns, 2))
    elder = draw.pick(RELATIVES)
    if before:
        place, town2, elder = (before.slots[key] for key in ("place", "town2", "elder"))
        land = next(land for land in LANDS if land.kind == before.slots["land"])
    sites = draw.some(land.sites, 3)
    adjective, thing = draw.pick(KEEPSAKES)
    pet, pet_names = draw.pick(PETS)
    skill, skill_noun, success = draw.pick(SKILLS)
    sentiment = draw.pick(SENTIMENTS)
    coins = draw.pick(("coins", "crowns", "shillings", "pesos", "florins"))
    wage, workdays, have = draw.between(2, 9), draw.between(3, 12), draw.between(3, 20)
    total = wage * workdays + have
    year = draw.between(1820, 1999)
    month = draw.below(12)
    number = draw.pick(NUMBERS)
    slots = person.slots() | {
        "place": place,
        "town2": town2,
        "land": land.kind,
        "thing": thing,
        "object": f"{adjective} {thing}",
        "upper": f"{adjective} {thing}".upper(),
        "uppercoins": coins.upper(),
        "coins": coins,
        "friend": others[0],
        "friend2": others[1],
        "friend3": others[2],
        "elder": elder,
        "helper": draw.pick(NEIGHBOURS),
        "weather": draw.pick(land.weather),
        "sound": draw.pick(land.sounds),
        "season": ("winter", "spring", "summer", "autumn")[(month + 1) % 12 // 3],
        "daytime": draw.pick(("morning", "afternoon", "evening")),
        "month": MONTHS[month],
        "weekday": draw.pick(WEEKDAYS),
        "day": str(draw.between(1, 28)),
        "year": str(year),
        "oldyear": str(year - draw.between(30, 120)),
        "age": str(draw.between(8, 40)),
        "smallage": draw.pick(("three", "four", "five", "six", "seven")),
        "number": number,
        "chest": draw.pick(CHESTS),
        "count": str(draw.between(40, 400)),
        "price": str(total - draw.below(3)),
        "wage": str(wage),
        "workdays": str(workdays),
        "earned": str(wage * workdays),
        "have": str(have),
        "total": str(total),
        "place_word": draw.pick(("second", "third")),
        "pet": pet,
        "petname": draw.pick(pet_names),
        "skill": skill,
        "skillnoun": skill_noun,
        "success": success,
        "treat": draw.pick(TREATS),
        "vessel": draw.pick(("tin bucket", "old kettle", "clay jug", "enamel basin")),
        "feeling": draw.pick(FEELINGS[sentiment]),
    }
    for i, (preposition, noun) in enumerate(sites, 1):
        slots |= {f"site{i}": noun, f"at{i}": f"{preposition} {noun}"}
    return Scene(person, place, sentiment, year, slots)


def story(draw: Draw) -> Document:
    """Draw a story, of one or of two chapters."""
    if draw.chance(0.1):
        return _pair_story(draw)
    facts = scene(draw)
    dated = draw.chance(0.3)
    length = draw.pick((1, 2, 2, 2, 3, 3))
    plot = draw.pick(tuple(ALL_PLOTS))
    opening = DATED_OPENINGS if dated else OPENINGS
    paragraphs = _chapter(draw, facts, plot, length, opening)
    if length > 1 and draw.chance(0.25):
        plot = draw.pick([name for name in ALL_PLOTS if name != plot])
        first, facts = facts, scene(draw, facts)
        paragraphs += _chapter(draw, facts, plot, length, SEQUELS)
        facts = Scene(facts.person, facts.place, facts.sentiment, first.year, facts.slots)
    text = "\n\n".join(paragraphs)
    if draw.chance(0.3):
        title = draw.pick(("{Name} and {Friend}", "{Name} of {Place}", "{A:season} in {Place}"))
        text = f"{expand(title, facts.slots, draw)}\n\n{text}"
    return Document(
        text=text,
        kind="story",
        protagonist=facts.person.name,
        pronoun=facts.person.she if facts.person.is_pronoun_in(text) else None,
        sentiment=facts.sentiment,
        place=facts.place,
        year=facts.year if dated else None,
    )


def _chapter(
    draw: Draw, facts: Scene, plot_name: str, length: int, openings: tuple[str, ...]
) -> list[str]:
    """Draw the paragraphs of one plot from its opening to its end."""
    plot = ALL_PLOTS[plot_name]
    slots = dict(facts.slots)
    if plot_name == "mend":
        adjective, slots["thing"] = draw.pick(FRAGILE)
        slots["object"] = f"{adjective} {slots['thing']}"
    opening = [draw.pick(openings)]
    if length > 1 and draw.chance(0.6):
        opening.append(draw.pick(SCENERY[:2]))
    opening.append(draw.pick(plot.start))

    kept = len(plot.events) if length == 3 else min(length, len(plot.events))
    chosen = set(draw.some(range(len(plot.events)), kept))
    middle = [draw.pick(event) for i, event in enumerate(plot.events) if i in chosen]
    talks = [talk for talk in TALKS if not (plot.alone and "{friend}" in talk)]
    for talk in draw.some(talks, 2 * (length - 1)):
        middle.insert(draw.between(0, len(middle)), talk)
    if length == 3:
        middle.insert(draw.between(1, len(middle) - 1), draw.pick(SCENERY[2:]))
    ending = [draw.pick(plot.ends[facts.sentiment]), draw.pick(CLOSINGS)]

    cut = len(middle) // 2
    parts = {
        1: [opening + middle + ending],
        2: [opening, middle, ending],
        3: [opening, middle[:cut], middle[cut:], ending],
    }[length]
    return [" ".join(_tell(line, slots, draw) for line in part) for part in parts]


def _tell(line: str, slots: dict[str, str], draw: Draw) -> str:
    """Expand a line of a story, with a number of its own."""
    return expand(line, slots | {"number": draw.pick(NUMBERS)}, draw)


def _pair_story(draw: Draw) -> Document:
    """Draw a story about two people, who are *they*."""
    facts = scene(draw)
    name = joined([facts.person.name, facts.slots["friend2"]])
    slots = facts.slots | {"name": name, "she": "they", "her": "them", "hers": "their"}
    stages = [draw.pick(stage) for stage in (*PAIR_STORY, PAIR_ENDS[facts.sentiment])]
    stages.insert(1, draw.pick(("{Weather}", "Everybody knew them.", "")))
    sentences = [_tell(stage, slots, draw) for stage in stages]
    text = " ".join(sentence for sentence in sentences if sentence)
    return Document(
        text=text,
        kind="story",
        protagonist=name,
        pronoun="they",
        sentiment=facts.sentiment,
        place=facts.place,
    )
