"""Openings, scenery, talks and closings that any story may have; see :mod:`.plots`."""

from .plots import Choices

OPENINGS: Choices = (
    "{Name} lived in {place}, a small {land}, with {hers} {elder}.",
    "In the {land} of {place} there lived a [weaver|cook|child|gardener|"
    "glassblower|young teacher] called {name}.",
    "[Once|Many years ago|Not so long ago], in {place}, {name} [worked for|was apprenticed to|"
    "lived next door to] {helper}.",
    "{Name} was {age} years old when {she} [moved|came|returned] to {place}.",
    "Everyone in {place} knew {name}, because {she} always carried {a:object}.",
    "It was {season} in {place}, and {name} was {at1}, [as usual|as on every morning|waiting for "
    "{friend}].",
    "{Name} had spent every {season} in {place} since {she} was {smallage}.",
)

DATED_OPENINGS: Choices = (
    "In the {season} of {year}, {name} arrived in {place} with one suitcase and {a:object}.",
    "In {year}, when {name} was {age}, there were only {count} houses in {place}.",
    "On {day} {month} {year}, {name} woke early in {hers} room in {place}.",
    "The year was {year}. {Name} lived in the {land} of {place}, not far from {site1}.",
)

SEQUELS: Choices = (
    "That was not the end of it. In the following {season}, {name} was {at1} again.",
    "A year went by in {place}. {Name} was a little wiser now and wore {hers} hair short.",
    "Then {season} came to {place}, and with it another story about {name}.",
    "{Smallage} years later, {name} was still in {place}, and {she} had a new friend, {friend}.",
)

SCENERY: Choices = (
    "{Weather}",
    "{Weather} From somewhere came {sound}.",
    "That {daytime} {she} could hear {sound}.",
    "The {daytime} was [mild|bright|grey|windy|unusually warm], and the air smelled of [smoke|"
    "fresh bread|wet stone|oranges|cut grass].",
)

TALKS: Choices = (
    "{Helper} was {at2} too, [mending a net|peeling potatoes|reading a newspaper], and asked what "
    'had brought {name} there. "[It is a long story|I hardly know myself|My {elder} sent me]," '
    "said {name}.",
    'For a while {name} sat {at3} with {friend2}. ["Do you ever think of leaving?" asked '
    '{friend2}. "[Sometimes|Only on a {weekday}|Never]," said {name}.|"What would you do with '
    '{count} {coins}?" '
    'asked {friend2}. {Name} thought about it. "[Buy a boat|Share them with you|Hide them]," {she} '
    'said.|"Are you afraid of the dark?" asked {friend2}. "[Not any more|A little|Ask me again in '
    '{month}]," said {name}.]',
    "{Name} stopped to help {helper}, whose cart had lost a wheel {at1}. It took {smallage} of "
    "them to lift it. Afterwards there was {a:treat} for everybody.",
    "In {hers} notebook {she} made a list: first, [find {friend}|sharpen the knife|learn "
    "the map by heart]; second, [ask {helper}|buy candles|get up at five]; third, [do not give up|"
    "tell nobody|write to {friend2}].",
    '"[Good {daytime}|Hello], {name}," said {friend}. "[Where are you going|What are you doing '
    'here|Why are you in such a hurry]?" {Name} told {friend} everything, from the beginning.',
    '"Sit down and have some [soup|tea|bread and honey|hot milk]," said {helper}. "[Nothing is '
    "decided on an empty stomach|Everything looks different after a meal|There is plenty of "
    'time]." So {name} sat down and ate.',
    'When {name} and {friend} met {at2}, {friend} gave {a:treat} to {name}. "[You look as if you '
    'need it|For the road|I saved it for you]," said {friend}.',
    '"Do you remember what your {elder} used to say?" asked {friend}. {Name} nodded. "[Slow water '
    "cuts the stone|A door is only a wall that learned to move|Measure twice and cut once|"
    'Whoever asks the way is never lost]," {she} said.',
    '"I will give you {number} {coins} for that {thing}," said a stranger {at3}. "[It is not for '
    'sale|Not even for twice as much|No, thank you]," said {name}, and {she} walked on.',
)

CLOSINGS: Choices = (
    "{She} was {feeling}.",
    "That night, {name} felt {feeling}.",
    "On the way home {she} felt {feeling}[, and {she} did not say a word|, and the road seemed "
    "short|].",
    '"How do you feel?" asked {hers} {elder}. "{Feeling}," said {name}.',
    "{Name} looked out of the window for a long time. {She} felt {feeling}.",
    "Even years later, when {name} thought of that {season} in {place}, {she} felt {feeling}.",
    "And {name}, who had [hardly slept|walked so far|waited so long], was {feeling}.",
)
