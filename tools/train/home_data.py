"""The home model's data: draws household commands and their JSON from home_grammar.py.

One command gives one object, {"action":"set","device":"light","room":"kitchen","level":30}; several give
{"do":[{...},{...}]}; what is no command gives {"action":"none"}. Each draw carries its phrasing: the sentence before values
are filled in. A phrasing is held out by its hash, and so is an answer's combination of values (where there is one: three
values, or two with a number among them). Training draws know neither; held-out draws have both held out (answers without a
combination, like a scene's: the phrasing). Fixed sayings ("brr") are never held out: nothing could be learned about them.

example: python tools/train/home_data.py --count 20
"""

import argparse
import json
import random
import re
import zlib

import home_grammar as g
from home_values import NUMBERS, clock, degrees, percent, span, spoken, tomorrow

HELD_PHRASINGS, HELD_ANSWERS = 12, 10  # percent
CHOICE = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]")
SLOT = re.compile(r"\{([a-z0-9]+)\}")
BARE_LATER = re.compile(r"(and|also|with|as|of|plus|,) +\{dev\}(?! \{in)")  # a later device without article and room
THING_FIRST = re.compile(r"(the|my|our|all|every|each|both|[{])")  # a phrasing that starts with a thing: "the fan to 30"
MACROS = {"{exc}": g.EXCEPT, "({cold})": f"({g.COLD})", "({hot})": f"({g.HOT})", "({dark})": f"({g.DARK})",
          "({bright})": f"({g.BRIGHT})", "{security}": "(" + "|".join(g.DEVICES["security"]) + ")",
          "{tv}": "(the tv|the telly|the television)"}
WHEN = [
    "{cmd} at {at}", "{cmd} at {at}", "at {at} {cmd}", "at {at}, {cmd}", "{cmd} in {indur}", "{cmd} in {indur}", "in {indur} {cmd}", "in {indur}, {cmd}",
    "{cmd} after {indur}", "after {indur} {cmd}", "{indur} from now {cmd}", "{cmd} {indur} from now", "{cmd} for {for}", "{cmd} for {for}", "for {for} {cmd}",
    "{cmd} for the next {for}", "for the next {for} {cmd}", "{cmd} (until|till) {until}", "(until|till) {until} {cmd}", "{cmd} {day} at {at}", "{cmd} at {at} {day}",
    "{day} at {at} {cmd}", "{day}, {cmd} at {at}", "{day} {cmd} at {at}", "at {at} {day} {cmd}", "{cmd} {attom}", "{attom} {cmd}", "{attom}, {cmd}", "when it's {at} {cmd}", "{cmd} when it's {at}", "{cmd} {sun}", "{sun} {cmd}", "{cmd} {sun} {day}", "{cmd} {day} {sun}",
    "schedule it: {cmd} at {at}", "wait {indur} and [then] {cmd}", "wait {indur}, then {cmd}", "as soon as it's {at} {cmd}", "{cmd} once it's {at}",
]
SUN = {"sunset": ["at sunset", "when the sun sets", "when it gets dark", "at dusk", "when the sun goes down", "when it's dark outside", "after sunset"],
       "sunrise": ["at sunrise", "when the sun rises", "at dawn", "when the sun comes up", "when it gets light", "at daybreak"]}
TIMED = [  # schedules with a phrasing of their own
    g.Intent(1, {"state": s}, g.SWITCH + ["light"] * 8, [], [
        f"schedule {{obj}} to (turn|switch|go|come) {s} {t}" for t in times] + [f"{{obj}} {s} {t}" for t in times]
        + [f"have {{obj}} (come|go|turn|switch) {s} {t}" for t in times]
        + [f"{{obj}} (should|must) (go|turn|switch|be) {s} {t}" for t in times] + [f"program {{obj}} to turn {s} {t}" for t in times])
    for s in ("on", "off") for times in (["at {at}", "in {indur}", "at {at} {day}", "{day} at {at}", "for {for}", "{sun}"],)]
PAIRS = [  # one verb, two things; the objects answer in order
    (g.doing("on"), ["light"] * 3 + g.SWITCH, ["(turn|switch|put) on {obj} and {obj}", "(turn|switch|put) {obj} and {obj} on", "(turn|switch) on both {obj} and {obj}", "{obj} and {obj} on", "(start|activate) {obj} and [also] {obj}", "(turn|switch|put) on {obj}, {obj} and {obj}", "i want {obj} and {obj} on", "turn on {obj} (as well as|plus|along with|together with) {obj}"]),
    (g.doing("off"), ["light"] * 3 + g.SWITCH, ["(turn|switch|shut) off {obj} and {obj}", "(turn|switch|shut) {obj} and {obj} off", "(turn|switch) off both {obj} and {obj}", "{obj} and {obj} off", "(kill|stop|cut) {obj} and [also] {obj}", "(turn|switch) off {obj}, {obj} and {obj}", "turn off {obj} (as well as|plus|along with|together with) {obj}", "i don't need {obj} and {obj}"]),
    (g.doing("open"), g.OPENABLE, ["open {obj} and {obj}", "open both {obj} and {obj}", "open {obj} (as well as|plus) {obj}"]),
    (g.doing("closed"), g.OPENABLE, ["(close|shut) {obj} and {obj}", "close both {obj} and {obj}", "close {obj} (as well as|plus) {obj}"]),
    ({"action": "query"}, ["light"] * 3 + g.SWITCH, ["are {obj} and {obj} (on|off)", "check {obj} and {obj}", "is {obj} on and is {obj} on"]),
    ({"action": "set"}, g.LEVELLED, ["(set|dim|turn|put) {obj} and {obj} to {level}", "set {obj} to {level} and {obj} to {level}", "{obj} at {level} and {obj} at {level}", "{obj} to {level}, {obj} to {level}", "{obj} {level} and {obj} {level}", "put {obj} on {level} and {obj} on {level}"]),
    ({"action": "set"}, ["light", "lamp"], ["(turn|make|set) {obj} {color} and {obj} {color}", "(turn|make|set) {obj} and {obj} {color}"]),
    ({"action": "toggle"}, ["light"] * 3 + g.SWITCH, ["toggle {obj} and {obj}"]),
    ({"action": "set", "device": "lock", "state": "locked"}, [], ["lock {door} and {door}", "lock both {door} and {door}"]),
]
JOINS = ["{a} and {b}", "{a} and {b}", "{a} and {b}", "{a} then {b}", "{a} and then {b}", "{a}, {b}", "{a}, then {b}", "{a}, and {b}", "{a} and also {b}", "first {a} then {b}", "{a} and after that {b}",
         "{a}, also {b}", "{a} plus {b}", "{a} but {b}", "{a} and please {b}", "{a}. {b}", "{a}; {b}", "{a}. then {b}", "{a} & {b}", "both {a} and {b}", "{a} while you {b}", "{a}, and can you {b}", "before you {b}, {a}", "after you {a}, {b}"]
POLITE = [
    "please {c}", "{c} please", "{c}, please", "could you {c}", "can you {c}", "could you please {c}", "would you {c}", "will you {c}", "can you please {c}", "can you {c} please", "could you {c} for me",
    "i want you to {c}", "i'd like you to {c}", "i need you to {c}", "go ahead and {c}", "kindly {c}", "do me a favour and {c}", "be so kind as to {c}", "why don't you {c}", "would you be so kind as to {c}",
    "you can {c} now", "just {c}", "{c} for me", "{c} right now", "{c} now", "{c} immediately", "{c}, will you", "{c} would you", "{c} if you can", "{c} if you don't mind", "{c}, thanks", "{c} thank you", "{c} at once",
    "{c} quickly", "{c} asap", "please {c} now", "quick, {c}", "it would be nice if you could {c}", "i think you should {c}", "you should {c}", "pls {c}", "{c} pls", "plz {c}", "can u {c}", "could u {c}", "can u pls {c}", "can you, like, {c}", "could you maybe {c}", "could you quickly {c}", "would you please {c}", "{c}, would you", "{c}, could you", "{c}, can you",
    "i wonder if you could {c}", "i was wondering if you could {c}", "i'd be grateful if you could {c}", "make yourself useful and {c}", "you need to {c}", "you have to {c}", "you must {c}", "come on, {c}", "oh and {c}", "one more thing, {c}", "time to {c}", "{c} if possible", "{c} before i forget", "may i ask you to {c}", "let's {c}", "would it be possible to {c}", "is it possible to {c}", "i would like to {c}", "i want to {c}", "we need to {c}", "help me {c}", "it's time to {c}", "don't forget to {c}", "remember to {c}", "try to {c}", "we should {c}", "i'd love it if you could {c}", "any chance you could {c}", "{c} when you get a chance", "{c} again",
]
OPENERS = ["hey", "ok", "okay", "so", "well", "um", "uh", "oh", "hey acorn,", "acorn,", "computer,", "house,", "hi,", "right,", "alright,", "yo", "actually", "and", "now", "hello,", "listen,", "hmm,"]
CONTEXT = ["the baby is sleeping", "the kids are asleep", "my mother is coming", "it's late", "it's getting late", "i'm cooking", "we have guests", "i'm expecting a visitor", "my hands are full", "i'm in the shower", "i have a headache", "the dog is barking",
           "it's a nice day", "i'm in a meeting", "we're done here", "i just got a call", "i'm on the phone", "it's monday again", "grandma is here", "the neighbours are complaining", "we're having lunch", "i'm tired", "it's raining outside", "i can't get up right now"]
CLOSERS = ["thanks", "thank you", "my friend", "dear", "ok", "okay", "buddy", "cheers", "you know", "or something", "today", "honey"]


def held(text, percent, salt):
    """Whether this text's hash holds it out; the same on every machine."""
    return zlib.crc32((salt + text).encode()) % 100 < percent


def expand(rng, pattern):
    """(phrasing, whether the pattern had a choice): a way through the pattern's choices."""
    for macro, text in MACROS.items():
        if macro in pattern:
            pattern = pattern.replace(macro, text)
    chosen = "(" in pattern or "[" in pattern

    def choose(match):
        options = (match[1] if match[1] is not None else match[2]).split("|")
        return "" if match[2] is not None and rng.random() < 0.5 else rng.choice(options)

    while "(" in pattern or "[" in pattern:
        pattern = CHOICE.sub(choose, pattern)
    return pattern, chosen


class Draw:
    """One draw: fills a phrasing's slots and collects what they mean."""

    def __init__(self, rng):
        self.rng = rng
        self.values = {}
        self.objects = []
        self.levels = []

    def pick(self, table, key=None):
        """(key, words) from a table of synonyms."""
        key = key if key is not None else self.rng.choice(list(table))
        return key, self.rng.choice(table[key])

    def room(self, key=None):
        return self.pick(g.ROOMS, key)

    def place(self, room):
        """'in the kitchen', 'on the stairs', 'upstairs'"""
        key, words = self.room(room)
        if key in g.BARE_ROOMS:
            return words
        return ("on" if key in g.ON_ROOMS else "in") + " " + self.rng.choice(["the", "the", "the", "my", "our"]) + " " + words

    def other_room(self, *rooms):
        return self.rng.choice([r for r in g.ROOMS if r not in rooms])

    def noun(self, device):
        """(phrasing, words, answers) of a noun phrase for this device."""
        rng = self.rng
        room, other = self.other_room(), None
        if device == "all":
            kind, pattern = rng.choice([("none", "{dev}"), ("none", "{dev}"), ("room", "{dev} {in}"), ("room", "{dev} {in}"), ("except", "{dev} {exc} {ex}")])
        elif device in g.NO_ROOM:
            kind, pattern = "none", "(the|the|my|our|) {dev}"
        else:
            kinds = [n for n in g.NOUNS if n[2] in ("none", "room") or device in g.EVERYWHERE]
            _, pattern, kind = rng.choices(kinds, [n[0] for n in kinds])[0]
            if rng.random() < 0.045:
                kind, pattern = "two", rng.choice(["the {mod} and {mod2} {devs}", "the {mod} and the {mod2} {dev}", "the {dev} {in} and {in2}", "the {dev} {in} and the {mod2}", "both the {mod} and {mod2} {devs}", "the {dev} in both the {mod} and the {mod2}"])
        if kind == "except" and rng.random() < 0.12:
            pattern = pattern.replace("{ex}", "{ex} and {ex2}").replace("{exin}", "{exin} and {ex2}")
        phrasing, _ = expand(rng, pattern)
        other = self.other_room(room)
        modifiers = {**g.ROOMS, **g.MODIFIERS}
        names = g.DEVICES[device]
        plural = [n for n in names if n.endswith("s")] or names
        single = [n for n in names if not n.endswith("s")] or names
        ones = rng.choice(["", "", "", " one", " ones", " " + rng.choice(plural)])

        def theroom(r):
            return self.room(r)[1] if r in g.BARE_ROOMS else rng.choice(["the ", "the ", "my "]) + self.room(r)[1]

        def mod(r):
            word = rng.choice(modifiers[r])
            return word + ("'s" if r not in g.BARE_ROOMS and not word.endswith("s") and rng.random() < 0.04 else "")

        fill = {"dev": lambda: rng.choice(names), "devs": lambda: rng.choice(plural), "dev1": lambda: rng.choice(single),
                "mod": lambda: mod(room), "mod2": lambda: mod(other), "in": lambda: self.place(room), "in2": lambda: self.place(other),
                "ex": lambda: rng.choice([theroom(room), theroom(room) + ones, self.place(room), "the ones " + self.place(room), "those " + self.place(room)]),
                "exin": lambda: rng.choice([self.place(room), theroom(room)]), "ex2": lambda: theroom(other)}
        words = SLOT.sub(lambda m: fill[m[1]](), phrasing)
        answer = {"device": device}
        if kind == "two":
            return phrasing, words, [{**answer, "room": room}, {**answer, "room": other}]
        if kind == "room":
            answer["room"] = room
        elif kind in ("all", "except"):
            if device != "all":
                answer["room"] = "all"
            if kind == "except":
                answer["except"] = [room, other] if "ex2}" in phrasing else room
        return phrasing, words, [answer]

    def slot(self, name):
        """The words for a slot; its meaning goes to self.values."""
        rng, values = self.rng, self.values

        def keep(key, pair):
            values[key] = pair[1]
            return pair[0]

        def signed(sign, pair):
            values["change"] = sign * pair[1]
            return pair[0]

        def swap(pair):
            return pair[1], pair[0]

        if name in ("in", "theroom", "themod", "mod"):
            key = values.setdefault("room", self.other_room())
            if name == "in":
                return self.place(key)
            words = rng.choice({**g.ROOMS, **g.MODIFIERS}[key] if name.endswith("mod") else g.ROOMS[key])
            article = name == "themod" or name == "theroom" and key not in g.BARE_ROOMS
            return rng.choice(["the ", "the ", "the ", "my "]) + words if article else words
        if name == "door":
            key, words = self.pick(g.DOORS, rng.choice(["front_door"] * 4 + ["back_door"] * 3 + list(g.DOORS)))
            self.objects.append({"room": key} if key else {})
            return words
        if name in ("level", "temp", "color"):
            key = {"level": "level", "temp": "temperature", "color": "color"}[name]
            pair = {"level": percent, "temp": degrees, "color": lambda r: swap(self.pick(g.COLORS))}[name](rng)
            self.levels.append((key, pair[1]))
            return keep(key, pair)
        if name in ("by", "byn"):
            heat = any(o["device"] in ("heating", "ac") for o in self.objects)
            words = signed(-1 if values.get("change") == "down" else 1, self.small() if heat else percent(rng, 1))
            return ("by " if name == "by" and rng.random() < 0.6 else "") + words
        return {
            "byup": lambda: signed(1, percent(rng, 1)), "bydown": lambda: signed(-1, percent(rng, 1)),
            "degup": lambda: signed(1, self.small(True)), "degdown": lambda: signed(-1, self.small(True)),
            "bit": lambda: rng.choice(g.BITS), "the": lambda: rng.choice(["the", "the", "my"]),
            "dur": lambda: keep("duration", span(rng)), "duradj": lambda: keep("duration", span(rng, True)),
            "indur": lambda: keep("in", span(rng)), "for": lambda: keep("for", span(rng)), "at": lambda: keep("at", clock(rng)),
            "atadj": lambda: keep("at", clock(rng)), "until": lambda: keep("until", clock(rng)), "sun": lambda: keep("at", swap(self.pick(SUN))),
            "attom": lambda: values.update(day="tomorrow") or keep("at", tomorrow(rng)),
            "day": lambda: keep("day", swap(self.pick(g.DAYS))), "genre": lambda: keep("genre", swap(self.pick(g.GENRES))),
            "channel": lambda: keep("channel", (lambda n: (spoken(rng, n), n))(rng.choice([rng.randint(1, 12), rng.randint(1, 99)]))),
            "num": lambda: spoken(rng, rng.randint(1, 100)), "gib": self.gibberish,
            "dev": lambda: rng.choice(g.DEVICES[rng.choice(g.SWITCH)]), "dev1": lambda: rng.choice(g.DEVICES[rng.choice(g.SWITCH[:-1])]),
            "devs": lambda: rng.choice(["lights", "lamps", "fans", "cameras", "curtains", "windows", "speakers"]),
            "vol": lambda: rng.choice(["the {} volume", "the {}'s volume", "the volume of the {}", "the volume on the {}", "{} volume"]).format(rng.choice(g.DEVICES[values["device"]])),
        }.get(name, lambda: rng.choice(g.NONE_WORDS[name]))()

    def small(self, word=False):
        """(words, degrees) of a small change of temperature."""
        n = self.rng.choice([1, 2, 3, 4, 5, self.rng.randint(1, 10)])
        if n == 1:
            return self.rng.choice(["a degree", "one degree", "1 degree"]), 1
        return spoken(self.rng, n) + (" degrees" if word else self.rng.choice([" degrees", " degrees", "", "°"])), n

    def gibberish(self):
        return "".join(self.rng.choice("bcdfghjklmnpqrstvwxz") + self.rng.choice("aeiou") for _ in range(self.rng.randint(1, 3)))

    def fill(self, phrasing, devices):
        """Fill the objects first (values may depend on them); returns (phrasing with noun phrases, words)."""
        parts = re.split(r"(\{obj\})", phrasing)
        for i, part in enumerate(parts):
            if part == "{obj}":
                noun, words, answers = self.noun(self.rng.choice(devices))
                parts[i] = (noun, words)
                self.objects += answers
        if "{vol}" in phrasing:
            self.values["device"] = self.rng.choice(g.LOUD)
        noun = "".join(p if isinstance(p, str) else p[0] for p in parts)
        words = "".join(SLOT.sub(lambda m: self.slot(m[1]), p) if isinstance(p, str) else p[1] for p in parts)
        return noun, words


def ordered(answer):
    """The answer with its keys in the canonical order, empty ones left out; whole temperatures as integers."""
    return {k: answer[k] for k in g.KEYS if answer.get(k) is not None}


def write(answers):
    """The JSON text of one or more answers."""
    value = answers[0] if len(answers) == 1 else {"do": answers}
    return json.dumps(value, separators=(",", ":"))


def combination(answer):
    """Whether an answer combines values: three of them, or two with a number or a time among them."""
    values = [v for k, v in answer.items() if k != "action"]
    return len(values) > 2 or len(values) == 2 and any(re.search(r"\d", str(v)) for v in values)


def agrees(side, phrasing, holdable, answers):
    """Whether a draw belongs to the side: 'train' has nothing held out, 'held' has everything held out that can be."""
    template = holdable and held(phrasing, HELD_PHRASINGS, "p") and (side == "train" or phrasing not in FIXED)
    combos = [held(write([a]), HELD_ANSWERS, "a") for a in answers if combination(a)]
    return template and all(combos) if side == "held" else not template and not any(combos)


ALL = g.INTENTS
WEIGHTS = [i.weight for i in ALL]
DOABLE = [i for i in ALL if i.do]
DO_WEIGHTS = [i.weight for i in DOABLE]
TIMEABLE = [i for i in DOABLE if i.fixed["action"] in ("set", "adjust", "scene") and i.fixed.get("device") not in ("timer", "alarm")
            and i.fixed.get("state") not in ("next", "previous", "pause")]
TIME_WEIGHTS = [i.weight for i in TIMEABLE]


def single(rng):
    """One sentence with one meaning: (phrasing, holdable, words, answers, whether it is an imperative)."""
    intent = rng.choices(ALL, WEIGHTS)[0]
    imperative = intent.do and (not intent.say or rng.random() < 0.6)
    return meaning(rng, intent, rng.choice(intent.do if imperative else intent.say), bool(imperative))


def one_of(rng, intents, weights):
    """An imperative of one of these intents, as `meaning` gives it."""
    intent = rng.choices(intents, weights)[0]
    return meaning(rng, intent, rng.choice(intent.do), True)


def meaning(rng, intent, pattern, imperative):
    phrasing, chosen = expand(rng, pattern)
    draw = Draw(rng)
    draw.values.update({k: v for k, v in intent.fixed.items() if k in ("change", "device")})
    holdable = chosen or "{obj}" in phrasing
    phrasing, words = draw.fill(phrasing, intent.devices)
    objects = draw.objects or [{}]
    return phrasing, holdable, words, [ordered({**intent.fixed, **draw.values, **o}) for o in objects], imperative


def scheduled(rng):
    """A command with a time."""
    if rng.random() < 0.3:
        intent = rng.choice(TIMED)
        phrasing, _, words, answers, _ = meaning(rng, intent, rng.choice(intent.say), False)
        return phrasing, True, words, [ordered({"action": "schedule", **a}) for a in answers], phrasing.startswith(("schedule", "have", "program"))
    phrasing, _, words, answers, _ = one_of(rng, TIMEABLE, TIME_WEIGHTS)
    draw = Draw(rng)
    when, _ = expand(rng, rng.choice(WHEN))
    before, after = (SLOT.sub(lambda m: draw.slot(m[1]), part) for part in when.split("{cmd}"))
    answers = [ordered({**a, **draw.values, "action": "schedule", "name": a.get("name")}) for a in answers]
    return when.replace("{cmd}", phrasing), True, before + words + after, answers, True


def paired(rng):
    """One verb with two or three objects, each perhaps with a level or colour of its own."""
    fixed, devices, patterns = rng.choices(PAIRS, [5, 5, 1, 1, 1.5, 3, 1, .7, 1])[0]
    phrasing, _ = expand(rng, rng.choice(patterns))
    count = len(re.findall(r"\{(?:obj|door)\}", phrasing))
    while True:
        draw = Draw(rng)
        filled, words = draw.fill(phrasing, devices)
        # Anyone's guess: a last room behind a roomless first object, "the kitchen light and fan", the same thing twice.
        rooms = ["room" in o for o in draw.objects]
        if len(draw.objects) == count and len({json.dumps(o) for o in draw.objects}) == count and (rooms[0] or not any(rooms)) \
                and not (rooms[0] and BARE_LATER.search(filled)) \
                and not any("except" in o or o.get("device") == "all" for o in draw.objects):
            break
    own = draw.levels if len(draw.levels) == count else draw.levels * count or [("room", None)] * count
    answers = [ordered({**fixed, **o, **({k: v} if v is not None else {})}) for o, (k, v) in zip(draw.objects, own)]
    return filled, True, words, answers, fixed["action"] != "query"


def shared_place(rng):
    """Two devices in one place: 'turn off the lights and the fan in the kitchen'."""
    state = rng.choice(["on", "off"])
    devices = rng.sample([d for d in g.SWITCH if d not in g.NO_ROOM and d != "all"], 2)
    phrasing, _ = expand(rng, rng.choice([f"(turn|switch|put) {state} the {{x}} and [the] {{y}} {{in}}", f"(turn|switch) the {{x}} and [the] {{y}} {{in}} {state}", f"{{in}} (turn|switch) {state} the {{x}} and [the] {{y}}",
                                              f"(turn|switch) {state} both the {{x}} and the {{y}} {{in}}", f"the {{mod}} {{x}} and {{y}} {state}", f"(turn|switch) {state} the {{mod}} {{x}} and {{y}}"]))
    draw = Draw(rng)
    words = phrasing.replace("{x}", rng.choice(g.DEVICES[devices[0]])).replace("{y}", rng.choice(g.DEVICES[devices[1]]))
    words = SLOT.sub(lambda m: draw.slot(m[1]), words)
    return phrasing, True, words, [ordered({**g.doing(state), "device": d, "room": draw.values["room"]}) for d in devices], True


def unmeant(rng):
    """An order not to do something, or one that breaks off."""
    phrasing, _, words, _, _ = one_of(rng, DOABLE, DO_WEIGHTS)
    cut = [m.end() for m in re.finditer(r"\b(the|my|our|to)(?= )", words)]
    if cut and rng.random() < 0.5:
        phrasing, words = phrasing + " (cut)", words[:rng.choice(cut)]
    else:
        no = expand(rng, "(please don't|don't|do not|never|you mustn't|you shouldn't)")[0]
        phrasing, words = f"{no} {phrasing}", f"{no} {words}"
    if re.search(r"\b(keep|leave|let|forget|make sure|mute|silence|stop)\b", words):
        return unmeant(rng)
    return phrasing, True, words, [{"action": "none"}], False


def none(rng):
    if rng.random() < 0.12:
        return unmeant(rng)
    pattern = rng.choice(g.NONE)
    phrasing, chosen = expand(rng, pattern)
    phrasing, words = Draw(rng).fill(phrasing, ["light"] * 4 + g.SWITCH[:-1] + ["blinds", "window"])
    return phrasing, chosen, words, [{"action": "none"}], False


def one(rng, side, make):
    """Draw until the draw belongs to the side."""
    while True:
        drawn = make(rng)
        if agrees(side, *drawn[:2], drawn[3]) and len(drawn[3]) <= 4:
            return drawn


def several(rng, side):
    """Two or three commands joined; each belongs to the side."""
    parts = []
    while len(parts) < (2 if rng.random() < 0.85 else 3):
        make = scheduled if rng.random() < 0.12 else single
        part = one(rng, side, make)
        if len(part[3]) == 1 and (part[4] or rng.random() < 0.25) and part[3][0]["action"] != "none" and part[3] not in [p[3] for p in parts]:
            parts.append(part)
    # "at seven turn on the fan and the lights": a time in front would hold for both; such parts come last or alone.
    parts.sort(key=lambda p: p[3][0]["action"] == "schedule")
    if sum(p[3][0]["action"] == "schedule" for p in parts) > 1 or parts[-1][3][0]["action"] == "schedule" and not starts_timed(parts[-1][2]):
        return several(rng, side)
    # "dim the light and the fan to 30": a thing behind an order would be one more thing of that order.
    if any(p[4] and not q[4] and THING_FIRST.match(q[0].strip()) for p, q in zip(parts, parts[1:])):
        return several(rng, side)
    join = rng.choice(JOINS)
    phrasing, words = parts[-1][0], parts[-1][2]
    for part in reversed(parts[:-1]):
        if part is not parts[0]:
            words, phrasing = f"{part[2]} and {words}", f"{part[0]} and {phrasing}"
        else:
            words, phrasing = join.replace("{a}", part[2]).replace("{b}", words), join.replace("{a}", part[0]).replace("{b}", phrasing)
    return phrasing, True, words, [a for p in parts for a in p[3]], all(p[4] for p in parts)


def starts_timed(words):
    return bool(re.match(r"(at|in|for|until|till|after|when|tomorrow|every|on|wait)\b", words))


FIXED = {p for patterns in [g.NONE, *([*i.do, *i.say] for i in ALL)] for p in patterns if not re.search(r"[(\[]|{obj}", p)}
TYPOS = "qwertyuiop asdfghjkl zxcvbnm"
WORDS = NUMBERS | set(re.findall(r"[a-z]+", " ".join(  # every word that a command may have
    [p for i in g.INTENTS for p in [*i.do, *i.say]] + g.NONE + WHEN + JOINS + POLITE + OPENERS + CONTEXT + CLOSERS + g.BITS
    + [n[1] for n in g.NOUNS] + [g.EXCEPT, g.COLD, g.HOT, g.DARK, g.BRIGHT] + [w for table in (
        g.DEVICES, g.ROOMS, g.MODIFIERS, g.COLORS, g.GENRES, g.DAYS, g.NONE_WORDS, g.DOORS, SUN) for words in table.values() for w in words])))


def typo(rng, word):
    """One slip in a word: letters swapped, lost, doubled or hit beside."""
    i = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2:]
    if kind == 1:
        return word[:i] + word[i + 1:]
    if kind == 2:
        return word[:i] + word[i] + word[i:]
    at = TYPOS.find(word[i])
    return word[:i] + TYPOS[max(0, at - 1)].strip() + word[i + 1:]


def noise(rng, text, imperative, shouted):
    """Politeness, filler words, lost articles, contractions, typos, case (`shouted`: share of capitals) and punctuation.

    No slip makes another sentence of it: one or two words keep their article ("the lights" is no order, "lights" is), as does
    a later thing of a list ("the kitchen light and the fan"), and no typo gives a word that the grammar knows.
    """
    if imperative and rng.random() < 0.35:
        text = rng.choice(POLITE).replace("{c}", text)
    if imperative and rng.random() < 0.04:
        text = rng.choice(CONTEXT) + rng.choice([", ", ", ", ". ", " so ", ", so "]) + text
    if rng.random() < 0.1:
        text = rng.choice(OPENERS) + " " + text
    if rng.random() < 0.05:
        text += rng.choice([" ", ", "]) + rng.choice(CLOSERS)
    for short, long in (("it's", "it is"), ("i'm", "i am"), ("don't", "do not"), ("what's", "what is"), ("i'd", "i would"), ("we're", "we are"), ("isn't", "is not"), ("let's", "let us")):
        if short in text and rng.random() < 0.3:
            text = text.replace(short, long if rng.random() < 0.5 else short.replace("'", rng.choice(["", "’"])))
    if rng.random() < 0.1 and text.count(" ") > 1:
        text = re.sub(r"(?<!and )(?<!, )\b(the|my|a) ", lambda m: "" if rng.random() < 0.8 else m[0], text)
    if rng.random() < 0.01:
        text = re.sub(r"\boff\b", "of", text)
    if rng.random() < 0.14:
        words = text.split(" ")
        at = rng.randrange(len(words))
        if len(words[at]) > 3 and words[at].isalpha() and words[at] not in NUMBERS and words[at] != "down":
            slip = typo(rng, words[at])
            words[at] = words[at] if slip in WORDS else slip
        text = " ".join(words)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\bi\b", "I", text) if rng.random() < 0.5 else text
    case = rng.random()
    if case < 0.35:
        text = text[0].upper() + text[1:]
    elif case < 0.35 + shouted:
        text = text.upper()
    elif case < 0.36 + shouted:
        text = text.title()
    if rng.random() < 0.3:
        text += rng.choice([".", ".", "!", "?", "...", "!!"])
    return text


def sample(rng, side):
    """One example of the side: (text, json, phrasing). Training has more of what is hard: joined and shouted commands."""
    joined, shouted = (0.16, 0.07) if side == "train" else (0.1, 0.03)
    kind = rng.random()
    if kind < joined:
        drawn = several(rng, side)
    else:
        makes = (paired, shared_place, scheduled, none, single)
        drawn = one(rng, side, rng.choices(makes, (5, 2, 12, 12, 59))[0])
    return noise(rng, drawn[2], drawn[4], shouted), write(drawn[3]), drawn[0]


def samples(seed, side):
    """Examples without end, the same for the same seed (a number or a text)."""
    rng = random.Random(f"{side}{seed}")
    while True:
        yield sample(rng, side)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--side", choices=["train", "held"], default="train")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    phrasings = set()
    for _, (text, answer, phrasing) in zip(range(args.count), samples(args.seed, args.side)):
        phrasings.add(phrasing)
        print(f"{text}\n    {answer}")
    print(f"{len(phrasings)} distinct phrasings")


if __name__ == "__main__":
    main()
