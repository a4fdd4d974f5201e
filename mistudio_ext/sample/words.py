"""People, places and words that the documents of the sample corpus share."""

import re
from dataclasses import dataclass

SHE_NAMES = (
    "Ada Agnes Alice Amara Anya Astrid Beatriz Bronwyn Camille Carmen Chiara Clara Daphne Dalia "
    "Edith Elena Eleni Elsa Esther Fatima Flora Freya Greta Hana Harriet Hazel Imani Ingrid Iris "
    "Ivy Jasmine Joan Kamala Lena Leila Lucía Mabel Maeve Mara Margot Matilda Mei Mina Nadia "
    "Naomi Nora Odile Olga Paloma Petra Priya Rosa Ruth Sana Saskia Sofia Sunita Tamar Tessa "
    "Vera Willa Yuki Zadie Zoë"
).split()
HE_NAMES = (
    "Abel Ahmed Albert Amir Anders Arjun Bashir Ben Bruno Caleb Callum Cedric Conrad Dario "
    "David Desmond Dmitri Edgar Elias Emil Enzo Felix Finn Gareth George Gustav Hamza Henrik "
    "Hugo Ibrahim Isaac Ivan Jonas José Juan Kofi Kwame Lars Leo Luca Malik Marcus Mateo Milo "
    "Nikolai Noah Oscar Otto Owen Pablo Pavel Rafael Ravi René Rohan Samir Silas Stefan Tariq "
    "Theo Tomas Victor Walter Yusuf"
).split()
SURNAMES = (
    "Abbott Achterberg Almeida Barlow Bergstrom Brandt Castellano Chowdhury Cortez Dawes Duarte "
    "Ellery Farrow Fenwick Ferreira Galloway Haddad Hartley Holloway Ito Jensen Kaplan Keller "
    "Kowalski Larkin Lindqvist Lowell Marchetti Mbeki Mercer Moreau Nakamura Novak Okafor Osei "
    "Pemberton Petrov Quill Rahman Rosen Sandoval Sato Sinclair Sorensen Thorne Tran Underhill "
    "Varga Vasquez Weaver Whitlock Winslow Yilmaz Zeller"
).split()

MONTHS = (
    "January February March April May June July August September October November December"
).split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

FEELINGS: dict[str, tuple[str, ...]] = {
    "positive": ("happy", "proud", "glad", "grateful", "delighted", "joyful", "cheerful"),
    "negative": ("sad", "lonely", "disappointed", "heartbroken", "miserable", "gloomy", "unhappy"),
    "neutral": ("calm", "thoughtful", "pensive", "uncertain", "composed", "patient", "serene"),
}
"""For each ``sentiment`` label the feelings that only a text with this ending names."""


@dataclass(frozen=True)
class Person:
    """A character with a name and the pronouns that belong to it."""

    name: str
    she: str
    her: str
    hers: str
    herself: str

    def is_pronoun_in(self, text: str) -> bool:
        """Return whether a text uses one of this character's pronouns."""
        pronouns = {self.she, self.her, self.hers, self.herself}
        return not pronouns.isdisjoint(re.findall(r"\w+", text.lower()))

    def slots(self) -> dict[str, str]:
        """Return the slots that a template may use for this character."""
        return {
            "name": self.name,
            "she": self.she,
            "her": self.her,
            "hers": self.hers,
            "herself": self.herself,
        }


PEOPLE = tuple(Person(name, "she", "her", "her", "herself") for name in SHE_NAMES) + tuple(
    Person(name, "he", "him", "his", "himself") for name in HE_NAMES
)


@dataclass(frozen=True)
class Land:
    """A kind of landscape: what towns there are called and what a visitor finds in them.

    ``sites`` are (preposition, noun phrase) pairs.
    """

    kind: str
    towns: tuple[str, ...]
    sites: tuple[tuple[str, str], ...]
    weather: tuple[str, ...]
    sounds: tuple[str, ...]


LANDS = (
    Land(
        "harbour town",
        tuple("Eastmere Saltby Pellworth Gull_Haven Port_Amber Skerrow Marlow_Quay".split()),
        (
            ("by", "the harbour wall"),
            ("at", "the fish market"),
            ("near", "the lighthouse"),
            ("on", "the long pier"),
            ("in", "the boatyard"),
            ("outside", "the net maker's shed"),
            ("on", "the pebble beach"),
        ),
        ("A salt wind blew from the sea.", "Fog lay over the water.", "The tide was going out."),
        ("the cry of the gulls", "the creak of the ropes", "a ship's horn"),
    ),
    Land(
        "mountain village",
        tuple("Hochwald Stonehollow Kestrel_Pass Ardvane Upper_Tarn Belvara Snowgate".split()),
        (
            ("at", "the old chapel"),
            ("beside", "the mountain lake"),
            ("in", "the cheese cellar"),
            ("on", "the goat path"),
            ("near", "the stone bridge"),
            ("at", "the cable car station"),
            ("under", "the great pine"),
        ),
        (
            "Mist hung between the roofs.",
            "The peaks were clear and sharp.",
            "A cold wind came down.",
        ),
        ("the bells of the goats", "the roar of the waterfall", "the wind in the pines"),
    ),
    Land(
        "river town",
        tuple("Wendelford Millbrook Ashbridge Lower_Fenn Corvale Reedham Two_Bridges".split()),
        (
            ("at", "the water mill"),
            ("on", "the wooden bridge"),
            ("by", "the ferry landing"),
            ("in", "the market square"),
            ("under", "the willow trees"),
            ("behind", "the brick kiln"),
            ("at", "the lock keeper's house"),
        ),
        ("Mist rose from the river.", "The water was high and brown.", "Swallows flew low."),
        ("the splash of the mill wheel", "the ferry bell", "the frogs in the reeds"),
    ),
    Land(
        "forest village",
        tuple("Thornwood Elmstead Birkenau_Hill Mosswick Oakhanger Fernley Wolfsgrove".split()),
        (
            ("at", "the sawmill"),
            ("in", "the clearing"),
            ("beside", "the hollow oak"),
            ("near", "the charcoal hut"),
            ("by", "the little spring"),
            ("at", "the ranger's cabin"),
            ("along", "the fern path"),
        ),
        ("Rain dripped from the leaves.", "The air smelled of resin.", "The woods were still."),
        ("the tap of a woodpecker", "the call of an owl", "the rustle of dry leaves"),
    ),
    Land(
        "city",
        tuple("Veldenburg Carrow Alistan Novaria Santa_Lume Greyminster Kasimir".split()),
        (
            ("at", "the central station"),
            ("in", "the public library"),
            ("outside", "the bakery"),
            ("under", "the railway arches"),
            ("in", "the botanical garden"),
            ("at", "the corner café"),
            ("near", "the clock tower"),
            ("in", "the museum of maps"),
        ),
        ("The pavements shone with rain.", "It was a hot, dusty day.", "The trams were full."),
        ("the bells of the trams", "the traffic on the avenue", "a street musician's violin"),
    ),
    Land(
        "farming village",
        tuple("Barleyfield Hopton Applegarth Lark_Hill Meadowby Dunmore Wheatley_Cross".split()),
        (
            ("in", "the hay barn"),
            ("at", "the village well"),
            ("behind", "the stables"),
            ("in", "the orchard"),
            ("by", "the duck pond"),
            ("at", "the crossroads"),
            ("beside", "the windmill"),
        ),
        ("The wheat was golden.", "The lanes were deep in mud.", "A warm breeze crossed the hill."),
        ("the lowing of the cows", "the hum of the bees", "a tractor far away"),
    ),
    Land(
        "island village",
        tuple("Torsay Little_Orra Maravel Sandrey Isola_Verde Kilbrannoch Pelican_Cay".split()),
        (
            ("in", "the sandy cove"),
            ("on", "the cliff path"),
            ("at", "the tiny post office"),
            ("near", "the seal rocks"),
            ("beside", "the ruined tower"),
            ("in", "the schoolhouse"),
            ("at", "the jetty"),
        ),
        ("The sea was flat and green.", "Clouds raced over the island.", "The waves were high."),
        ("the waves on the rocks", "the barking of the seals", "the engine of the mail boat"),
    ),
    Land(
        "desert town",
        tuple("Qasr_Amal Red_Wells Tamrit Dry_Creek Copper_Springs Zahara Mirador".split()),
        (
            ("at", "the spice market"),
            ("beside", "the old well"),
            ("in", "the palm grove"),
            ("at", "the caravan gate"),
            ("on", "the flat roof"),
            ("near", "the white dome"),
            ("in", "the potter's yard"),
        ),
        ("The sand was hot and bright.", "The night air was cold.", "Dust hung over the road."),
        ("the bells of the camels", "distant drums", "the wind over the dunes"),
    ),
)
