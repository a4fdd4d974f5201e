"""Further plots of the stories; see :mod:`.plots`."""

from .plots import Plot

MORE_PLOTS: dict[str, Plot] = {
    "storm": Plot(
        alone=True,
        start=(
            "The storm came without a warning. {Name} was {at1} when the sky turned [black|green|"
            "the colour of slate].",
            '"There will be a storm tonight," said {helper}. {Name} closed the shutters and lit '
            "the stove.",
        ),
        events=(
            (
                "The wind tore {number} tiles from the roof, and water ran down the walls.",
                "Lightning struck {at2}, and all the dogs in {place} began to bark.",
            ),
            (
                "Then {name} remembered that {friend} was still {at3}. {She} took a coat and "
                "a lamp and went out.",
                "There was a knock at the door. It was {friend}, wet to the skin, with a child in "
                "each arm.",
            ),
            (
                "They tied a rope to the gate and held on to it, step by step.",
                "{She} shouted, but the wind carried every word away.",
            ),
            (
                "For {number} hours nobody slept. They sang all the songs they knew and then sang "
                "them again.",
                "The lamp went out twice, and twice {name} lit it again.",
            ),
        ),
        ends={
            "positive": (
                "At dawn the sky was clear. The house still stood, {friend} was safe, and they "
                "laughed until they cried.",
                "In the morning all of {place} came to mend the roof, and {friend} called {name} "
                "a hero.",
            ),
            "negative": (
                "At dawn the house {at2} was gone, and with it everything that {name} owned, even "
                "{hers} {object}.",
                "The morning was bright, but {friend} had not come back.",
            ),
            "neutral": (
                "By morning it was over. {Name} swept up the leaves, put {hers} {object} back on "
                "its shelf, and made tea.",
                "The storm passed to the east. {She} wrote one line about it in {hers} notebook "
                "and went to work.",
            ),
        },
    ),
    "work": Plot(
        start=(
            "At a stall {at1}, {name} saw {a:object}. It cost {price} {coins}, and {she} had "
            "only {have}.",
            "{Name} wished for nothing so much as {a:object}. The price was {price} {coins}. "
            "{She} counted {hers} savings: {have}.",
        ),
        events=(
            (
                "So {she} looked for work. {Helper} needed somebody to [sweep the floor|carry "
                "parcels|wash bottles|feed the hens], and paid {wage} {coins} a day.",
            ),
            (
                "After {workdays} days {she} had earned {earned} {coins}. Together with the {have} "
                "that made {total}.",
            ),
            (
                "{Friend} thought that it was a lot of trouble for {a:thing}. {Name} only smiled.",
                "Every evening {she} stopped at the stall to see whether the {thing} was still "
                "there.",
            ),
        ),
        ends={
            "positive": (
                "On Saturday {name} put down the money, coin by coin, and carried the {thing} "
                "home in both arms.",
                "When {she} came to the stall, {helper} had already bought the {thing} and gave it "
                "to {her} as a present.",
            ),
            "negative": (
                "On Saturday {she} came to the stall with all the money, but the {thing} had been "
                "sold an hour before.",
                "On the way to the stall {name} dropped {hers} purse {at2}, and every coin rolled "
                "into the drain.",
            ),
            "neutral": (
                "On Saturday {she} stood before the stall for a while. Then {name} put the money "
                "into the bank and went to see {friend}.",
                "{She} bought the {thing} and found that it was smaller than it had looked from "
                "a distance.",
            ),
        },
    ),
    "newcomer": Plot(
        alone=True,
        start=(
            "{Name} was new in {place}, and on the first day nobody spoke to {her}. {She} ate "
            "{hers} lunch {at1} with only {a:object} for company.",
            "When {friend} moved away to {town2}, {name} had nobody left to talk to in {place}.",
        ),
        events=(
            (
                "In the second week a ball rolled up to {hers} feet {at1}. {She} kicked it back.",
                "{Helper} lent {her} a book about [whales|the stars|lost cities|famous "
                "inventions], and {she} read it {number} times.",
            ),
            (
                "One {daytime} somebody asked about the {thing}. {Name} explained where it came "
                "from and how {hers} {elder} had used it.",
                "{She} wrote long letters to {friend} and drew small pictures in the margins.",
            ),
            (
                "There was to be a picnic {at2}. {Name} waited for an invitation and pretended not "
                "to wait.",
                "On {hers} birthday {she} set the table for {smallage}.",
            ),
        ),
        ends={
            "positive": (
                "On Sunday there was a knock at the door. Half the class stood outside, with "
                "{a:treat} for everyone.",
                '{Friend} came with a cake and said, "Move over." After that {name} never ate '
                "alone again.",
            ),
            "negative": (
                "Nobody came. {Name} put the plates back into the cupboard, one by one.",
                "The last letter to {friend} came back with a stamp on it: address unknown.",
            ),
            "neutral": (
                "By the end of the {season} {she} knew everybody's name, and everybody knew "
                "{hers} name, and that was that.",
                "{Name} got used to {place}, as one gets used to a new pair of shoes.",
            ),
        },
    ),
    "garden": Plot(
        start=(
            "Behind the house there was a piece of bare ground, and {name} decided to make a "
            "garden of it. {Helper} gave {her} {number} [seeds|bulbs|cuttings].",
            "{Hers} {elder} had always grown [roses|beans|melons|sunflowers] behind the house. Now "
            "it was up to {name} to look after them.",
        ),
        events=(
            (
                "{She} dug the earth, carried away the stones, and drew straight lines with a "
                "string.",
                "In the first month nothing happened at all. {Name} watered the ground every "
                "{daytime}.",
            ),
            (
                "Then came the [snails|crows|caterpillars|frost]. {Friend} advised {her} to use "
                "[ash|eggshells|an old net|a scarecrow].",
                "One morning there was a green point in the earth, no longer than a pin. {She} "
                "measured it every day with a ruler.",
            ),
            (
                "By the middle of {month} the plants were {number} inches high.",
                "No rain fell for {number} days, and {name} carried water from {site2} in "
                "{a:vessel}.",
            ),
        ),
        ends={
            "positive": (
                "In the end there was so much to pick that {name} filled {number} baskets and left "
                "one at every door in {place}.",
                "When the first flower opened, people came from {town2} to see it.",
            ),
            "negative": (
                "Then a single night of hail destroyed it all. Not one leaf was left.",
                "But the ground was poor, and by the end of {month} everything had withered.",
            ),
            "neutral": (
                "There were {number} in the end, some large and some small, and {name} made soup.",
                "The {season} passed, the garden went to sleep, and {name} oiled the spade and "
                "hung it on its hook.",
            ),
        },
    ),
    "mystery": Plot(
        start=(
            "Inside {a:chest} from the flea market, {name} found a folded note. It said only: "
            "[Look|Dig|Wait] {at1}, {number} steps to the [north|south|east|west].",
            "On {hers} doorstep lay a parcel without a name. In it was {a:chest}, wrapped in an "
            "old map of {place}.",
        ),
        events=(
            (
                '{Name} showed it to {friend}, who knew about old handwriting. "This was written '
                'in {oldyear}," said {friend}.',
                "{She} asked {helper}, who went pale and closed the door.",
            ),
            (
                "They went there at dusk and counted aloud: one, two, three. Under the last step "
                "was a flat stone.",
                "In the town archive {she} read old newspapers for {number} days, until {hers} "
                "fingers were black.",
            ),
            (
                "Behind a loose brick {at2} there was a tin box, and it was locked. The key was "
                "in the {chest} all the time.",
                "At last {name} saw it: the first letters of every line spelled the name of "
                "{site3}.",
            ),
        ),
        ends={
            "positive": (
                "In the box lay {number} gold coins and a letter that began: to whoever is curious "
                "enough. {Name} shared the coins with {friend}.",
                "It led {her} to {friend}, who turned out to be a cousin of {hers} {elder}.",
            ),
            "negative": (
                "But somebody had been there first. The box was empty, and the {chest} was stolen "
                "that very night.",
                "The note was only a cruel joke. {Name} saw the others laughing {at3}.",
            ),
            "neutral": (
                "In the box there was nothing but sand and a button. {Name} closed it again and "
                "put it back for the next person.",
                "{She} never learned who had written it. The {chest} still stands on {hers} shelf.",
            ),
        },
    ),
}

PAIR_STORY: tuple[tuple[str, ...], ...] = (
    (
        "{Name} were [twins|cousins|neighbours|old friends] and lived in {place}, a small {land}.",
        "In {place} nobody ever saw {name} apart.",
        "In {place}, {name} shared everything: a room, a bicycle, and one winter coat.",
    ),
    (
        "One {daytime} they found {a:object} {at1}, and both of them wanted to keep it.",
        "In the {season} they decided to build a raft and sail to {town2}.",
        "They opened a small shop {at1} and sold {a:treat} for {number} {coins} apiece. On "
        "the first day they sold {count}, on the second day none.",
        "Their {elder} sent them to {site1} to fetch {number} eggs.",
    ),
    (
        "They argued about it for {number} days, and then they asked {helper}.",
        "They worked from morning till night, and their hands were full of splinters.",
        "On the third day it rained, and neither of them would fetch the umbrella.",
        '"We could ask {helper}," they said, and they did.',
    ),
    (
        '"[Take turns|Toss a coin|Sleep on it|Think of the others]," said {helper}. They looked at '
        "each other.",
        "They sat {at2}, shared {a:treat}, and made a plan.",
        "Then somebody came running from {site2} with news, and they forgot what they had been "
        "doing.",
    ),
)
PAIR_ENDS: dict[str, tuple[str, ...]] = {
    "positive": (
        "In the end it all went better than they had hoped, and they were {feeling}.",
        "They shook hands on it and walked home arm in arm. They felt {feeling}.",
    ),
    "negative": (
        "After that they did not speak to each other for a whole {season}. They were {feeling}.",
        "It came to nothing. They walked home on different sides of the road, and they felt "
        "{feeling}.",
    ),
    "neutral": (
        "So that was settled, and they went to bed. They felt {feeling}.",
        "Nothing much came of it. They were {feeling}, and the next day was a {weekday}.",
    ),
}
