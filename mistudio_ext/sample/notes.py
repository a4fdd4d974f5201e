"""Recipes, lists and short factual notes."""

from .grammar import Draw, article, capital, count, expand, joined, number_word, plural
from .letters import biography
from .stories import Document, scene
from .things import KEEPSAKES
from .words import LANDS, PEOPLE, WEEKDAYS
from .world import (
    ANIMALS,
    COUNTRIES,
    DISHES,
    ELEMENTS,
    LANDMARKS,
    MASS,
    MATERIALS,
    PLANETS,
    STONES,
)

_CLOTHES = (
    "warm socks",
    "a clean shirt",
    "rubber boots",
    "a woollen hat",
    "two pairs of gloves",
    "a raincoat",
    "sandals",
    "a thick jumper",
    "sunglasses",
    "pyjamas",
)
_GROCERIES = (
    "eggs",
    "a bag of rice",
    "flour",
    "six lemons",
    "butter",
    "salt",
    "a jar of honey",
    "tomatoes",
    "black tea",
    "candles",
    "a bunch of parsley",
    "soap",
    "half a pound of cheese",
    "oats",
    "matches",
    "yeast",
    "two onions",
)
_CHORES = (
    "sweep the stairs",
    "write to {friend}",
    "water the plants",
    "return the book to the library",
    "mend the {thing}",
    "pay the rent",
    "wash the windows",
    "call the doctor",
    "feed {petname}, the {pet}",
    "buy {a:treat} for {friend2}",
    "fetch the parcel from {site1}",
    "practise {skillnoun}",
    "oil the hinges",
    "book a room in {town2}",
    "ask {helper} about the key",
)


def recipe(draw: Draw) -> Document:
    """Draw a recipe: a title, ingredients, numbered steps that use them."""
    dish, variants, basics, steps = draw.pick(DISHES)
    x = draw.pick(variants)
    xs = x if x.split()[0] in MASS else plural(x)
    title = capital(dish.replace("{x}", x))
    cook = draw.pick(PEOPLE).name
    place = draw.pick(draw.pick(LANDS).towns).replace("_", " ")
    owner, where = draw.chance(0.5), draw.chance(0.4)
    if owner:
        title = f"{cook}'s {title[0].lower()}{title[1:]}"
    if where:
        title += f" from {place}"
    slots = {
        "xs": xs,
        "few": str(draw.between(3, 12)),
        "many": str(5 * draw.between(4, 12)),
        "hours": draw.pick(("an hour", "two hours", "ninety minutes", "three hours")),
    }
    amount = f"{50 * draw.between(2, 16)} g of {xs}"
    ingredients = draw.some([amount, *basics], len(basics) + 1)
    method = [expand(step, slots, draw) for step in steps]
    serves = f"Serves {draw.between(2, 8)}."
    style = draw.below(3)
    if style == 0:
        lines = [f"- {item}" for item in ingredients]
        numbered = [f"{i}. {step}" for i, step in enumerate(method, 1)]
        text = "\n".join([title, serves, "", "Ingredients:", *lines, "", "Method:", *numbered])
    elif style == 1:
        text = f"{title}\n\nYou need {joined(ingredients)}. {' '.join(method)} {serves}"
    else:
        text = f"{title}\n\n{' '.join(method)}\n\nFor this you need: {', '.join(ingredients)}."
    return Document(
        text=text,
        kind="recipe",
        protagonist=cook if owner else None,
        place=place if where else None,
    )


def listing(draw: Draw) -> Document:
    """Draw a list (packing, shopping, chores, timetable, inventory) that says how long it is."""
    facts = scene(draw)
    slots, name = facts.slots, facts.person.name
    form = draw.weighted({"packing": 3, "shopping": 3, "chores": 4, "times": 3, "inventory": 3})
    size = draw.between(3, 10)
    with_place = True
    if form == "packing":
        things = [article(" ".join(item)) for item in draw.some(KEEPSAKES, size // 2)]
        items = things + draw.some(_CLOTHES, size - len(things))
        title = "{count} things that {name} will pack for {place}"
    elif form == "shopping":
        items = draw.some(_GROCERIES, size)
        title = "{count} things for {name} to buy at the shop in {place}"
    elif form == "chores":
        items = [expand(item, slots, draw) for item in draw.some(_CHORES, size)]
        title = "{count} things for {name} to do [on {weekday}|before {weekday}|this week]"
        with_place = False
    elif form == "times":
        hours = sorted(draw.some(range(6, 22), size))
        stops = [noun for land in LANDS for _, noun in land.sites]
        ends = draw.some(stops, size)
        items = [
            f"{hour:02d}:{5 * draw.below(12):02d} {stop.removeprefix('the ')}"
            for hour, stop in zip(hours, ends, strict=True)
        ]
        title = "The {count} stops of the {weekday} bus from {place}, noted down by {name}"
    else:
        items = [
            f"{count(draw.between(1, 12), ' '.join(item))}" for item in draw.some(KEEPSAKES, size)
        ]
        title = "{count} kinds of things in {name}'s shop in {place}"
    head = expand(title, slots | {"count": number_word(size)}, draw)
    bullet = draw.pick(("- {}", "* {}", "{n}. {}", "[ ] {}"))
    rows = [bullet.replace("{n}", str(i)).replace("{}", item) for i, item in enumerate(items, 1)]
    return Document(
        text="\n".join([f"{capital(head)}:", *rows]),
        kind="list",
        protagonist=name,
        place=facts.place if with_place else None,
    )


def facts(draw: Draw) -> Document:
    """Draw a short factual note: about the real world, or about an invented place or person."""
    form = draw.weighted({"world": 5, "landmark": 3, "biography": 3})
    if form == "biography":
        return biography(draw)
    if form == "landmark":
        return _landmark(draw)
    notes = [_world_note(draw) for _ in range(draw.pick((1, 2, 2, 3, 3, 4, 5)))]
    return Document(text=draw.pick((" ", "\n")).join(dict.fromkeys(notes)), kind="facts")


def _landmark(draw: Draw) -> Document:
    land = draw.pick(LANDS)
    place = draw.pick(land.towns).replace("_", " ")
    landmark, stone = draw.pick(LANDMARKS), draw.pick(STONES)
    year = draw.between(1650, 1950)
    later = year + draw.between(10, 70)
    slots = {
        "place": place,
        "land": land.kind,
        "landmark": landmark,
        "stone": stone,
        "year": str(year),
        "later": str(later),
        "span": str(later - year),
        "height": str(draw.between(8, 90)),
        "people": f"{draw.between(2, 48)},{draw.below(10)}00",
        "visitors": str(draw.between(20, 900)),
        "friend": draw.pick(PEOPLE).name,
        "sites": joined([noun for _, noun in draw.some(land.sites, 3)]),
    }
    sentences = [
        "The {landmark} of {place} was [built|finished|opened] in {year}.",
        "It is made of {stone} and is {height} metres high.",
        "{Place} is {a:land} of {people} people.",
        "It burned down in {later}, {span} years later, and was built again.",
        "[About|More than] {visitors} people visit it [every week|every month|in a good year].",
        "Other sights of {place} are {sites}.",
        "The keeper is called {friend}.",
    ]
    chosen = set(draw.some(range(1, len(sentences)), draw.between(0, 5)))
    kept = [s for i, s in enumerate(sentences) if i == 0 or i in chosen]
    text = " ".join(expand(sentence, slots, draw) for sentence in kept)
    return Document(text=text, kind="facts", place=place, year=year)


def _world_note(draw: Draw) -> str:
    form = draw.below(6)
    if form == 0:
        country, city, continent, language = draw.pick(COUNTRIES)
        return expand(
            "[The capital of {country} is {city}.|{City} is the capital of {country}, in "
            "{continent}.|{Country} is a country in {continent}. Many people there speak "
            "{language}, and its capital is {city}.|Question: what is the capital of {country}? "
            "Answer: {city}.]",
            {"country": country, "city": city, "continent": continent, "language": language},
            draw,
        )
    if form == 1:
        element, symbol, number, group = draw.pick(ELEMENTS)
        return expand(
            "[{Element} is {a:group} with the symbol {symbol} and the atomic number {number}.|The "
            "symbol of {element} is {symbol}.|{Element}, element number {number}, is {a:group}.]",
            {"element": element, "symbol": symbol, "number": str(number), "group": group},
            draw,
        )
    if form in (2, 3):
        animal, group, legs, home, food, young = draw.pick(ANIMALS)
        slots = {"animal": animal, "group": group, "home": home, "food": food, "young": young}
        slots["legs"] = f"{number_word(legs)} legs" if legs else "no legs"
        youth = "A young {animal} is called {a:young}." if young else ""
        return expand(
            "[{A:animal} is {a:group} with {legs}.|{A:animal} has {legs} and eats {food}.|"
            "{A:animal} is {a:group}. It lives in {home} and eats {food}. " + youth + "]",
            slots,
            draw,
        )
    if form == 4:
        place = draw.below(len(PLANETS))
        ordinals = "first second third fourth fifth sixth seventh eighth".split()
        planet, what = PLANETS[place]
        return expand(
            "[{Planet} is the {ordinal} planet from the sun.|{Planet} is the {what}.]",
            {"planet": planet, "ordinal": ordinals[place], "what": what},
            draw,
        )
    if draw.chance(0.4):
        day = draw.below(7)
        return f"The day after {WEEKDAYS[day]} is {WEEKDAYS[(day + 1) % 7]}."
    thing, source, effect = draw.pick(MATERIALS)
    verb = "are" if thing in ("bricks", "candles") else "is"
    return f"{capital(thing)} {verb} made from {source}; {thing} {effect}."
