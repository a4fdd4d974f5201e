"""Plots of the stories: what may happen, in the template language of :mod:`.grammar`.

No one but the protagonist is ever called *she*, *he*, *her* or *his*, so that the label `pronoun`
can be checked by looking at the text; others go by their name or their trade.
"""

from dataclasses import dataclass

Choices = tuple[str, ...]


@dataclass(frozen=True)
class Plot:
    """One plot: how it starts, what may happen in between, and how it may end.

    Attributes
    ----------
    start
        Sentences that set the story going; one is used.
    events
        Things that may happen next, in this order; a story keeps some of them.
    ends
        For each sentiment the possible outcomes; one is used.
    alone
        Whether the friend is far away until the end.
    """

    start: Choices
    events: tuple[Choices, ...]
    ends: dict[str, Choices]
    alone: bool = False


PLOTS: dict[str, Plot] = {
    "lost": Plot(
        start=(
            "One {daytime}, {hers} {object} was gone. {Name} had put the {thing} [on the table|"
            "on the shelf|into {hers} bag], and now the place was empty.",
            "On the way home from {site1}, {name} noticed that {she} no longer had {hers} "
            "{object}.",
            "{Name} reached into {hers} bag for a coin and found only a hole. {Hers} most "
            "precious thing, {a:object} from {hers} {elder}, had been in that bag, and it was gone "
            "too.",
        ),
        events=(
            (
                "{She} searched {at1}. {She} looked [under every bench|behind the barrels|"
                "between the stones], but {she} found only a button and a bent nail.",
                "{She} went back to {site1} and walked slowly along the same way with {hers} eyes "
                "on the ground.",
            ),
            (
                'Then {she} asked {helper}. "[{A:thing}|Did you say {a:thing}]? I saw something '
                'shining {at2} this morning," said {helper}.',
                '"Have you seen my {thing}?" {she} asked {friend}. "No," said {friend}, "but I can '
                'help you look."',
            ),
            (
                "{Name} wrote a notice and pinned it up {at2}: LOST, ONE {upper}, REWARD {price} "
                "{uppercoins}.",
                "Together with {friend}, {name} turned over every stone {at2}. It took {number} "
                "hours.",
            ),
            (
                "By the evening {she} had asked {number} people, and every one of them had shaken "
                "their head.",
                "Night fell, and {name} lit a lamp and kept looking {at3}.",
            ),
        ),
        ends={
            "positive": (
                "There, {at3}, half covered with leaves, lay the {thing}. {She} wiped it clean "
                "with {hers} sleeve and held it tight.",
                "The next morning {friend} knocked at the door with the {thing}. A child had found "
                "it {at3}.",
            ),
            "negative": (
                "{Name} never found the {thing}. Someone had probably taken it away long before "
                "{she} began to look.",
                "At last {she} saw the {thing} {at3}, but it was ruined, and nobody could mend it.",
            ),
            "neutral": (
                "{Name} did not find the {thing} that day. {She} decided to look again in the "
                "morning and went to bed.",
                "{She} found the {thing} in the end, in {hers} own coat, where it had been all "
                "the time.",
            ),
        },
    ),
    "mend": Plot(
        start=(
            "One {daytime} the {thing} slipped out of {hers} hands and cracked. It was {a:object} "
            "that had belonged to {hers} {elder}.",
            "{Hers} {elder} had left {her} {a:object}, but the {thing} had been broken for "
            "{number} years.",
        ),
        events=(
            (
                "{Name} carried it to {helper}, who looked at it through a lens and sighed. "
                '"[The parts are no longer made|This is fine work|I have not seen one like it for '
                'years]," said {helper}.',
                '"Can it be mended?" asked {name}. {Friend} turned the {thing} over and over. '
                '"Perhaps," said {friend}, "if you have patience."',
            ),
            (
                "A new part would cost {number} {coins}, so {name} worked {at1} every Saturday "
                "until {she} had saved the money.",
                "{She} borrowed [glue and a fine brush|a set of small tools|wire and a pair of "
                "pliers] and sat down at the kitchen table.",
            ),
            (
                "The first attempt failed. The second one failed too. {Name} made a drawing of "
                "every piece and began again.",
                "For {number} evenings {she} did nothing else. {Friend} held the lamp.",
            ),
        ),
        ends={
            "positive": (
                "At last the final piece clicked into place, and the {thing} was as good as new.",
                "When {she} showed it to {hers} {elder}, the whole family came to admire the "
                "{thing}.",
            ),
            "negative": (
                "But the crack was too deep. The {thing} fell apart in {hers} hands.",
                "After all that work the {thing} looked worse than before, and {name} put it away "
                "in a drawer for good.",
            ),
            "neutral": (
                "The {thing} was never quite the same, but it held together, and that was enough.",
                "In the end {she} left the {thing} with {helper}, who promised to try again after "
                "the {season}.",
            ),
        },
    ),
    "journey": Plot(
        alone=True,
        start=(
            "{Hers} {elder} asked {name} to take {a:object} to {friend}, who lived in {town2}, "
            "{number} miles away.",
            "A letter came from {town2}: {friend} was ill and wished to see {name}. {She} packed "
            "{a:object} and some bread and set out at dawn.",
            "{Name} had always wanted to see {town2}. One {daytime} {she} put {a:object} into "
            "{hers} bag and left.",
        ),
        events=(
            (
                "At first the road was easy. {She} passed {site1} and {site2} and counted the "
                "milestones.",
                "{She} took the morning train and sat beside a woman with {number} hens in a "
                "basket.",
            ),
            (
                "At noon it began to [rain|snow|blow hard], and {name} took shelter with {helper}.",
                "Then the road divided. The left way was short and steep; the right one was long "
                "and level. {Name} chose the [left|right] one.",
            ),
            (
                "The bridge was down, so {she} had to wade through the water with the {thing} held "
                "above {hers} head.",
                "{She} slept {at2} under a borrowed coat and woke before the sun.",
            ),
            (
                "After {number} hours {hers} shoes were full of holes, and {town2} was still only "
                "a line on the horizon.",
                "A farmer let {her} ride on a cart for the last {number} miles.",
            ),
        ),
        ends={
            "positive": (
                "When {she} reached {town2}, {friend} was standing at the gate with open arms. "
                "{Name} handed over the {thing}, and they talked until midnight.",
                "{Town2} was more beautiful than {she} had imagined, and {friend} had kept a room "
                "ready.",
            ),
            "negative": (
                "When {she} reached {town2}, the house was empty. {Friend} had left a day before.",
                "The gates of {town2} were closed, and nobody came to open. {Name} turned back "
                "with the {thing} still in {hers} bag.",
            ),
            "neutral": (
                "{She} reached {town2} after dark, gave the {thing} to {friend}, and lay down on "
                "the first bed {she} saw.",
                "{Town2} turned out to be much like {place}: the same roofs, the same bread, the "
                "same rain.",
            ),
        },
    ),
    "contest": Plot(
        start=(
            "Every {season} there was a [festival|contest|great fair] {at1}, and this time {name} "
            "wanted to take part. {She} was learning {skill}.",
            "A poster {at1} announced a contest with a prize of {number} {coins}. {Name} had been "
            "learning {skill} for {smallage} years and wrote {hers} name on the list.",
        ),
        events=(
            (
                "{She} practised {at2} every morning before school, and every evening until the "
                "lamps were lit.",
                '"You must not hurry," said {helper}, who had once won the prize. "[Listen first|'
                'Breathe slowly|Begin again from the beginning]."',
            ),
            (
                "{Friend} came to watch and clapped at the right moments[, and at some of the "
                "wrong ones|].",
                "Two days before the contest {name} hurt {hers} hand, and {friend} tied it up with "
                "a clean cloth.",
            ),
            (
                "When the day came, there were {count} people in the crowd. {Hers} knees shook.",
                "{Friend} went first and was very good. Then somebody called {hers} name.",
            ),
        ),
        ends={
            "positive": (
                "{Name} {success}. The crowd cheered, and the judges gave {her} the first prize.",
                "{Name} {success}, better than ever before, and {hers} {elder} wept with joy.",
            ),
            "negative": (
                "In the middle of it {she} made a mistake, then another, and {she} ran away "
                "before the end. The prize went to {friend}.",
                "{Name} came last of all, and some people laughed.",
            ),
            "neutral": (
                "{Name} {success}, and came {place_word} of {number}. It was neither good nor bad.",
                "The contest was put off because of the rain. {Name} packed {hers} things and "
                "went home to practise.",
            ),
        },
    ),
    "animal": Plot(
        start=(
            "One {daytime} {name} heard a faint noise {at1}. It was {a:pet} with a [thorn in its "
            "foot|hurt leg|bad cough], and it looked at {her} with round eyes.",
            "{A:pet} followed {name} all the way home from {site1}. {She} called it {petname}.",
        ),
        events=(
            (
                "{She} gave it [water|warm milk|some crumbs] and a bed of straw in a box.",
                '"We have no room for {a:pet}," said {hers} {elder}, but {name} had already named '
                "it {petname}.",
            ),
            (
                "Every day after work {she} took the {pet} to {site2}, where it liked to lie in "
                "the sun.",
                "{Petname} ate everything: cabbage, string, a sock, and {number} pages of a "
                "dictionary.",
            ),
            (
                "One night {petname} would not eat. {Name} asked {helper} for help and sat beside "
                "the box until morning.",
                "Then {friend} read in the newspaper that somebody in {town2} was missing {a:pet}.",
            ),
        ),
        ends={
            "positive": (
                "In the morning {petname} was up and well, and from that day on the {pet} slept at "
                "the foot of {hers} bed.",
                "Nobody came to claim {petname}, and so the {pet} stayed for good.",
            ),
            "negative": (
                "One day the gate stood open and {petname} was gone. {Name} called and called, but "
                "the {pet} did not come back.",
                "{Petname} was too weak. They buried the {pet} {at3}, under a white stone.",
            ),
            "neutral": (
                "When the {season} ended, {name} opened the box, and {petname} walked off without "
                "looking back, as wild things do.",
                "{Name} gave {petname} to {friend}, who had a bigger yard, and visited on Sundays.",
            ),
        },
    ),
}
