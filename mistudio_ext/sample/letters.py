"""Letters, diary entries and dialogues."""

import datetime as dt

from .grammar import Draw, capital, count, expand, number_word
from .stories import Document, Scene, scene
from .things import NEIGHBOURS
from .words import SURNAMES

_LETTER_OPENINGS = (
    "[Thank you for your letter|Thank you for the parcel|Your card arrived on {weekday}]. [It made "
    "me laugh|I read it twice|I keep it in my {object}|It took {smallage} weeks].",
    "I hope that this finds you well. [I am writing to you from {at1}|It is late and I am writing "
    "by lamplight|I have been meaning to write since {month}].",
    "You asked how life is in {place}. [Let me tell you|There is much to tell|It is {a:land} like "
    "any other, and yet it is not].",
)
_LETTER_NEWS = (
    "[Last week|On {weekday}|Yesterday] I met {friend2} {at1}. We talked about [old times|the "
    "price of bread|you, of course|the new railway].",
    "{Weather} [From my window I can hear {sound}|At night I listen to {sound}].",
    "Your {elder} has given me {a:object}, and I carry it everywhere. [Do you remember it?|It "
    "still smells of your kitchen.|I polish it every Sunday.]",
    "I have begun to learn {skill}. My teacher, {helper}, says that I [have no talent but good "
    "manners|am doing well|should practise more].",
    "We now have {a:pet}. Its name is {petname}, and it sleeps [on my bed|in the kitchen|in an old "
    "hat].",
    "The {season} has been [long|short and wet|milder than last year's], and {helper} is [ill|back "
    "from {town2}|busy from morning to night].",
    "There are {count} people at the fair this year, and {friend2} sells {a:treat} for "
    "{smallage} {coins}.",
    "Next {season} I shall travel to {town2} with {friend2}. We will take the [six|nine] "
    "o'clock train.",
)
_LETTER_ENDS = {
    "positive": (
        "The good news comes last: [the {thing} has been found|I have got the post at {site2}|"
        "we are to have a house of our own]. I am so {feeling}!",
        "When I think of your visit in {month}, I am {feeling}.",
    ),
    "negative": (
        "I must tell you that [the {thing} is lost|I have lost my post at {site2}|{petname} ran "
        "away and never came back]. I am {feeling}.",
        "Since you left, nothing here is as it was. I am {feeling}.",
    ),
    "neutral": (
        "There is no other news. The days pass, and I am {feeling}.",
        "It is past midnight now, and I am {feeling}, so I will stop here.",
    ),
}
_SIGNATURES = ("Yours", "With love", "Your friend", "Yours sincerely", "As ever", "Best wishes")

_DIARY_LINES = (
    "[Up at six|Slept badly|Woke to {sound}]. {Weather}",
    "Walked to {site1} with {friend}. We [said little|counted {number} herons|lost our way twice].",
    "Bought {a:object} {at2} for {wage} {coins}. [Too much, I think|A bargain|I do not need it, "
    "but there it is].",
    "{Helper} came to [dinner|ask about the rent|borrow the ladder] and stayed for {smallage} "
    "hours.",
    "Wrote {smallage} letters, to {friend}, to {friend2} and to my {elder}[, and posted none|].",
    "Read {number} pages of [a novel|a book on whales|the dictionary|an old almanac].",
    "Practised {skillnoun} for an hour. [Better than yesterday|No progress|My fingers ache].",
    "Lunch: soup and {a:treat}.",
    "Our {pet} {petname} [ate my pencil|slept all day|caught a cold|escaped and came back].",
    "[Rain|Wind|Sunshine|Fog] after {smallage} o'clock. [Stayed in|Went out all the same|Mended "
    "the {thing}].",
)
_DIARY_ENDS = {
    "positive": ("A good day. I am {feeling}.", "{Friend} has said yes! I am {feeling}."),
    "negative": ("A bad day. I am {feeling}.", "{Friend} is gone. I am {feeling}."),
    "neutral": ("To bed at ten. I am {feeling}.", "Nothing more to report. I am {feeling}."),
}

_TOPICS = (
    (
        "[Excuse me|Pardon me], how do I get to {site1}?",
        "[Go straight on|Turn left at {site2}|Cross the square], then it is the {place_word} "
        "street on the right.",
        "Is it far?",
        "[No more than {number} minutes|About {wage} miles|You will hear {sound} when you are "
        "near].",
    ),
    (
        "How much is the {object}?",
        "{Price} {coins}.",
        "That is a lot for {a:thing}. I have only {have}.",
        "[Then come back with more|For you I will make it {have}|It belonged to my {elder}, and I "
        "cannot sell it for less].",
    ),
    (
        "Shall we meet {at1} on {weekday}?",
        "[At what time|Morning or evening]?",
        "At {clock}. Bring the {thing}.",
        "[I will be there|At {clock}, then|I shall bring {a:treat} too].",
    ),
    (
        "Have you ever been to {town2}?",
        "[Once, in the {season} of {oldyear}|Never|Every year since I was {smallage}].",
        "I am going there in {month} to learn {skill}.",
        "[Write to me!|How long will you stay?|Take a warm coat.]",
    ),
    (
        "Did you hear that {friend2} is getting married?",
        "To whom?",
        "To {friend3}, {at2}, on the {ordinal} of {month}.",
        "[I had no idea|That is the best news this {season}|And nobody invited me].",
    ),
    (
        "What is in that box?",
        "[Guess!|Something alive.|Promise not to tell!]",
        "Is it {a:pet}?",
        "[Yes, and its name is {petname}|No, it is {a:object}|You are warm, but no].",
    ),
)
_GESTURES = (
    "{Name} [laughed|sighed|frowned|coughed], and {she} put the {thing} on the table.",
    "{Name} shook {hers} head.",
    "{Name} looked at {hers} shoes, as {she} did whenever {she} was thinking.",
    "{Name} opened {hers} bag and shut it again.",
    "{She} [folded {hers} arms|scratched {hers} chin|rubbed {hers} eyes|straightened {hers} hat].",
)


def letter(draw: Draw) -> Document:
    """Draw a letter, signed by its protagonist."""
    facts = scene(draw)
    dated = draw.chance(0.7)
    day, month = facts.slots["day"], facts.slots["month"]
    header = facts.place + (f", {day} {month} {facts.year}" if dated else "")
    news = draw.some(_LETTER_NEWS, draw.between(1, 5))
    body = [draw.pick(_LETTER_OPENINGS), *news, draw.pick(_LETTER_ENDS[facts.sentiment])]
    lines = [expand(part, facts.slots, draw) for part in body]
    cut = 1 + len(news) // 2
    greeting = f"Dear {facts.slots['friend']},"
    signature = f"{draw.pick(_SIGNATURES)},\n{facts.person.name}"
    paragraphs = [header, greeting, " ".join(lines[:cut]), " ".join(lines[cut:]), signature]
    return _first_person("letter", "\n\n".join(paragraphs), facts, dated)


def diary(draw: Draw) -> Document:
    """Draw a diary entry; the weekday of a dated one is the true one."""
    facts = scene(draw)
    dated = draw.chance(0.8)
    date = dt.date(facts.year, draw.between(1, 12), draw.between(1, 28))
    weekday = date.strftime("%A")
    header = f"{facts.person.name}'s diary, {facts.place}"
    if dated:
        header += f", {weekday}, {date.day} {date.strftime('%B')} {facts.year}"
    entries = draw.some(_DIARY_LINES, draw.between(1, 6))
    lines = [
        expand(part, facts.slots, draw)
        for part in [*entries, draw.pick(_DIARY_ENDS[facts.sentiment])]
    ]
    return _first_person("diary", f"{header}\n\n{' '.join(lines)}", facts, dated)


def _first_person(kind: str, text: str, facts: Scene, dated: bool) -> Document:
    return Document(
        text=text,
        kind=kind,
        protagonist=facts.person.name,
        pronoun="I",
        sentiment=facts.sentiment,
        place=facts.place,
        year=facts.year if dated else None,
    )


def dialogue(draw: Draw) -> Document:
    """Draw a conversation, as prose or as the script of a play."""
    facts = scene(draw)
    hour = draw.between(1, 12)
    ordinal = draw.pick(("first", "second", "fourth", "tenth", "twelfth", "twentieth"))
    clock = draw.pick((f"{number_word(hour)} o'clock", f"half past {number_word(hour)}"))
    slots = facts.slots | {"clock": clock, "ordinal": ordinal}
    person = facts.person
    other = slots["friend"]
    if draw.chance(0.3):
        other = draw.pick(NEIGHBOURS)
    topics = draw.some(_TOPICS, draw.pick((1, 1, 2, 3)))
    script = draw.chance(0.4)
    setting = expand("{Place}, {daytime}. {Name} and " + other + " are {at1}.", slots, draw)
    if not script:
        setting = expand(
            "[In {place}, {at1}|One {daytime} in {place}], {name} met " + other + ".", slots, draw
        )
    lines = [setting]
    for topic in topics:
        for turn, line in enumerate(topic):
            speaker = (person.name, other)[turn % 2]
            spoken = expand(line, slots, draw)
            lines.append(_script(speaker, spoken) if script else _prose(speaker, spoken, draw))
        gesture = expand(draw.pick(_GESTURES), slots, draw)
        lines.append(f"({gesture})" if script else gesture)
    feeling = slots["feeling"]
    lines.append(
        f"({capital(person.she)} leaves, {feeling}.)"
        if script
        else expand("[And so they parted|That was all]. {Name} [was|felt] {feeling}.", slots, draw)
    )
    return Document(
        text="\n".join(lines),
        kind="dialogue",
        protagonist=person.name,
        pronoun=person.she,
        sentiment=facts.sentiment,
        place=facts.place,
    )


def _script(speaker: str, spoken: str) -> str:
    return f"{speaker.removeprefix('the ').upper()}: {spoken}"


def _prose(speaker: str, spoken: str, draw: Draw) -> str:
    if spoken.endswith("?"):
        return f'"{spoken}" asked {speaker}.'
    if spoken.endswith("!"):
        return f'"{spoken}" cried {speaker}.'
    return f'"{spoken[:-1]}," {draw.pick(("said", "said", "answered", "replied"))} {speaker}.'


def biography(draw: Draw) -> Document:
    """Draw a short note on the life of an invented person of note."""
    facts = scene(draw)
    person, slots = facts.person, facts.slots
    name = f"{person.name} {draw.pick(SURNAMES)}"
    died = facts.year + draw.between(45, 95)
    trade, work = draw.pick(_TRADES)
    template = (
        "{Name} ({year}-{died}) was {a:trade} from {place}. [{She} is remembered for "
        "{work}.|{Hers} best-known work is {work}.] [{She} grew up in {town2}, where {hers} "
        "{elder} {her} {skill}.|] [{She} had {children} and lived to the age of {lived}.|{She} "
        "died in {died}, at the age of {lived}.]"
    )
    slots = slots | {
        "name": name,
        "died": str(died),
        "trade": trade,
        "work": work,
        "children": count(draw.between(1, 7), "daughter"),
        "lived": str(died - facts.year),
    }
    return Document(
        text=expand(template, slots, draw),
        kind="facts",
        protagonist=person.name,
        pronoun=person.she,
        place=facts.place,
        year=facts.year,
    )


_TRADES = (
    ("botanist", "a catalogue of alpine mosses"),
    ("composer", "a set of nine string quartets"),
    ("engineer", "the first iron bridge of the region"),
    ("astronomer", "a map of the southern stars"),
    ("painter", "a series of winter landscapes"),
    ("poet", "a long poem about the sea"),
    ("doctor", "a study of mountain fever"),
    ("inventor", "an early sewing machine"),
    ("historian", "a history of the salt trade"),
    ("explorer", "a voyage along the northern coast"),
    ("architect", "the town hall with the green roof"),
    ("mathematician", "a theorem about triangles"),
)
