"""The words and sentence patterns of household English that home_data.py draws from.

A pattern is text with `(a|b)` for a choice, `[a|b]` for a choice or nothing, and `{slot}`; what the choices leave is one
phrasing. `{obj}` is a noun phrase with a device, perhaps with a room (NOUNS); other slots are values. An intent is the part
of the answer that its patterns fix, the devices it may speak of, imperative patterns (`do`: they take politeness, times and
"and") and other patterns (`say`: statements, fragments, questions).
"""

from dataclasses import dataclass, field

# Answer keys in the order of writing. A key that says nothing is left out.
KEYS = ["action", "device", "name", "room", "except", "state", "level", "temperature", "color", "channel", "genre", "change",
        "duration", "at", "in", "for", "until", "day"]

DEVICES = {
    "light": "lights lights light light lighting".split(),
    "lamp": ["lamp", "lamps", "lamp", "floor lamp", "table lamp", "bedside lamp", "reading lamp"],
    "heating": ["heating", "heating", "heat", "heater", "radiator", "radiators", "thermostat", "central heating"],
    "ac": ["ac", "air conditioning", "air con", "aircon", "air conditioner", "a/c"],
    "fan": ["fan", "fan", "ceiling fan", "fans", "extractor fan"],
    "blinds": ["blinds", "blinds", "blind", "curtains", "curtain", "shades", "shutters", "drapes", "roller blind"],
    "music": ["music", "music", "stereo", "speaker", "speakers", "sound system", "tunes"],
    "radio": ["radio"],
    "tv": ["tv", "tv", "telly", "television", "tv set"],
    "plug": ["plug", "socket", "outlet", "smart plug", "power socket", "wall socket"],
    "coffee_machine": ["coffee machine", "coffee maker", "espresso machine", "coffee pot"],
    "kettle": ["kettle"],
    "oven": ["oven", "stove", "cooker"],
    "dishwasher": ["dishwasher"],
    "washing_machine": ["washing machine", "washer", "laundry machine"],
    "vacuum": ["vacuum", "robot vacuum", "hoover", "vacuum cleaner", "cleaning robot", "robot"],
    "sprinkler": ["sprinkler", "sprinklers", "irrigation", "lawn sprinkler"],
    "camera": ["camera", "cameras", "security camera", "cctv"],
    "humidifier": ["humidifier"],
    "water_heater": ["water heater", "boiler", "hot water", "immersion heater"],
    "garage_door": ["garage door"],
    "gate": ["gate", "front gate", "driveway gate"],
    "window": ["window", "windows", "skylight"],
    "security": ["security system", "burglar alarm", "house alarm", "alarm system", "intruder alarm"],
    "all": ["everything", "everything", "all devices", "all the devices", "all the appliances", "the whole lot"],
}
ROOMS = {
    "kitchen": ["kitchen"],
    "living_room": ["living room", "living room", "lounge", "sitting room", "front room", "family room"],
    "bedroom": ["bedroom", "bedroom", "main bedroom", "master bedroom"],
    "bathroom": ["bathroom", "bathroom", "bath", "shower room"],
    "hallway": ["hallway", "hall", "corridor", "entrance hall", "entryway"],
    "study": ["study", "office", "home office", "den", "library"],
    "dining_room": ["dining room"],
    "kids_room": ["kids room", "kids' room", "children's room", "kid's bedroom", "playroom"],
    "nursery": ["nursery", "baby's room"],
    "guest_room": ["guest room", "spare room", "guest bedroom", "spare bedroom"],
    "garage": ["garage"],
    "garden": ["garden", "yard", "backyard", "back garden"],
    "attic": ["attic", "loft"],
    "basement": ["basement", "cellar"],
    "toilet": ["toilet", "loo", "restroom", "wc"],
    "stairs": ["stairs", "staircase", "stairway", "landing"],
    "patio": ["patio", "terrace", "deck"],
    "balcony": ["balcony"],
    "porch": ["porch"],
    "laundry_room": ["laundry room", "utility room", "laundry"],
    "conservatory": ["conservatory", "sunroom", "winter garden"],
    "workshop": ["workshop", "shed"],
    "upstairs": ["upstairs"], "downstairs": ["downstairs"], "outside": ["outside", "outdoors"],
}
ON_ROOMS = {"stairs", "patio", "balcony", "porch"}
BARE_ROOMS = {"upstairs", "downstairs", "outside"}
MODIFIERS = {"upstairs": ["upstairs"], "downstairs": ["downstairs"], "outside": ["outside", "outdoor", "exterior"]}
# Devices that stand once in a house are spoken of without a room.
NO_ROOM = {"garage_door", "gate", "security", "water_heater", "dishwasher", "washing_machine", "kettle", "oven", "vacuum",
           "coffee_machine"}
EVERYWHERE = {"light", "lamp", "heating", "fan", "blinds", "plug", "tv", "camera", "window", "radio"}

COLORS = {
    "red": ["red", "bright red"], "green": ["green", "emerald"], "blue": ["blue", "deep blue"], "yellow": ["yellow"],
    "orange": ["orange", "amber"], "purple": ["purple", "violet"], "pink": ["pink"], "white": ["white", "plain white"],
    "warm_white": ["warm white", "soft white", "a warm white"], "cool_white": ["cool white", "cold white", "daylight"],
    "turquoise": ["turquoise", "teal"], "cyan": ["cyan"], "magenta": ["magenta"], "gold": ["gold", "golden"],
    "lavender": ["lavender", "lilac"],
}
GENRES = {
    "jazz": ["jazz"], "rock": ["rock", "rock music"], "classical": ["classical music", "classical"], "pop": ["pop", "pop music"],
    "blues": ["blues", "the blues"], "country": ["country", "country music"], "hip_hop": ["hip hop", "rap"],
    "electronic": ["electronic music", "techno", "electronic"], "metal": ["metal", "heavy metal"], "folk": ["folk", "folk music"],
    "reggae": ["reggae"], "soul": ["soul", "soul music"], "christmas": ["christmas songs", "christmas music"],
    "ambient": ["ambient music", "relaxing music", "calm music", "chill out music"],
}
DAYS = {
    "tomorrow": ["tomorrow"], "daily": ["every day", "daily", "each day", "every single day"],
    "weekdays": ["on weekdays", "every weekday", "on workdays", "from monday to friday"],
    "weekend": ["on weekends", "at the weekend", "on the weekend", "every weekend"],
    **{d: [f"on {d}", f"next {d}", f"this {d}"] for d in
       "monday tuesday wednesday thursday friday saturday sunday".split()},
}
# Noun phrases: (weight, pattern, what kind of place they name: none, room, all, except).
NOUNS = [
    (5, "(the|the|my|our|) {dev}", "none"),
    (.3, "(the|that|my) (damn|bloody|stupid|annoying|silly|lovely|big|little|old|other) {dev}", "none"),
    (7, "(the|the|my|our|) {mod} {dev}", "room"),
    (5, "(the|the|my|) {dev} {in}", "room"),
    (1, "(the|) {dev} (over|out|up|down|back) {in}", "room"),
    (1, "all [the|of the] {dev} {in}", "room"),
    (1, "(every|each) {dev1} {in}", "room"),
    (1, "all [the|of the] {mod} {dev}", "room"),
    (1.2, "(all|all the|all of the|all our|all my) {devs}", "all"),
    (.5, "every (single|) {dev1}", "all"),
    (.8, "the {devs} (everywhere|in every room|throughout the house|in the whole house|in all [the] rooms|all over the house"
         "|around the house|in the entire house|in the house)", "all"),
    (.3, "[all] the {devs} in the (house|flat|apartment|home|place)", "all"),
    (1.6, "(all the|all|all of the|every one of the|the) {devs} {exc} {ex}", "except"),
    (.4, "every {dev1} {exc} [the one] {exin}", "except"),
    (.5, "(all the|all|the) {devs} (everywhere|in the house|in every room) {exc} {exin}", "except"),
]
EXCEPT = "(except|except|except for|but|but not|apart from|other than|excluding|not|besides|save for|with the exception of|bar)"

SWITCH = [d for d in DEVICES if d not in ("blinds", "garage_door", "gate", "window", "security")]
OPENABLE = ["blinds", "blinds", "blinds", "garage_door", "gate", "window"]
LOUD = ["music", "music", "tv", "radio"]
LEVELLED = ["light"] * 5 + ["lamp", "blinds", "fan"] + LOUD


@dataclass
class Intent:
    """One meaning: `weight` of being drawn, the fixed part of its answer, its devices, its patterns (see above)."""
    weight: float
    fixed: dict
    devices: list = field(default_factory=list)
    do: list = field(default_factory=list)
    say: list = field(default_factory=list)


def doing(state, **more):
    return {"action": "set", "state": state, **more}


INTENTS = [
    # on and off
    Intent(7, doing("on"), SWITCH + ["light"] * 10, [
        "(turn|switch|put|flick|power|flip|click) on {obj}", "(turn|switch|put|flip|flick|get|have|power|set|leave) {obj} on",
        "(activate|enable|start|fire up|power up|start up|boot up|bring on|light up|get going) {obj}", "set {obj} to on",
        "(make sure|ensure|see to it|check) [that] {obj} (is|are) [turned|switched] on", "get {obj} (running|going|started)",
        "(give|get|bring) (me|us) {obj}", "start {obj} up", "let {obj} run", "keep {obj} on", "leave {obj} on",
        "run {obj}", "have {obj} (turned|switched) on",
        "get {obj} (warmed up|up and running|working)",
    ], [
        "{obj} on", "on with {obj}", "(i want|i need|i would like|i'd like|we need|we want) {obj} on",
        "(i want|i need|i'd like) {obj} (turned|switched) on", "{obj} (should|must|needs to|has to|ought to) be on",
        "let's (have|get|put) {obj} on", "let's (turn|switch) on {obj}", "{obj} to on", "time to (turn|switch) on {obj}",
        "(i need|we need|i could use|how about|what about) {obj} (now|right now|please)", "why (is|are) {obj} (still off|not on)",
        "i want to (use|turn on|switch on) {obj}", "it's time for {obj}", "can i (have|get) {obj} on",
        "(would you mind|do you mind|how about|what about|mind) (turning|switching|putting) (on {obj}|{obj} on)",
        "(i'd be grateful|i'd appreciate it|i'd be happy|it would be lovely|i would be glad|it would be nice) if you (turned|switched|put) (on {obj}|{obj} on)",
        "we('ll| will) need {obj} (now|tonight|today|)", "someone turned off {obj}, (turn it|put it|switch it) back on", "{obj} (is|are) off, (turn it|switch it|put them) on",
    ]),
    Intent(7, doing("off"), SWITCH + ["light"] * 10 + ["all"] * 4, [
        "(turn|switch|shut|flick|power|flip|click) off {obj}", "(turn|switch|shut|put|flip|flick|get|have|set) {obj} off",
        "(kill|cut|stop|deactivate|disable|power down|shut down|extinguish|douse|quit|turn out|put out|switch out) {obj}",
        "set {obj} to off", "(make sure|ensure|see to it|check) [that] {obj} (is|are) [turned|switched] off",
        "shut {obj} down", "turn {obj} out", "power {obj} (off|down)", "unplug {obj}", "cut the power to {obj}", "put {obj} out",
        "have {obj} (turned|switched) off", "keep {obj} off", "leave {obj} off", "stop {obj} [from] running",
    ], [
        "{obj} off", "off with {obj}", "(i want|i need|i would like|i'd like|we want) {obj} off",
        "{obj} (should|must|needs to|has to|can) be (off|turned off|switched off)", "(we|i) don't need {obj} (on|anymore|any more|now)",
        "let's (have|get|turn|switch) {obj} off", "no need for {obj} (now|anymore|any longer)", "enough of {obj}",
        "why (is|are) {obj} (still|) on", "i (don't want|no longer need) {obj} (on|anymore|)", "{obj} to off",
        "someone left {obj} on", "i (forgot to|didn't) (turn|switch) off {obj}", "(i'm|we're) (done|finished) with {obj}",
        "i (think i|) left {obj} on", "{obj} (is|are) [still] on, (turn it|switch it|shut it) off", "that's enough of {obj}",
        "nobody is using {obj}", "(we|i) won't (need|be needing) {obj} (today|tonight|now|any longer|any more|)",
        "(would you mind|do you mind|how about|what about|mind) (turning|switching|shutting) (off {obj}|{obj} off)", "there's no (need|use|reason) for {obj} (anymore|now|to be on|to run|today)",
        "(i'd be grateful|i'd appreciate it|i'd be happy|it would be lovely|i would be glad|it would be nice) if you (turned|switched|shut) (off {obj}|{obj} off)",
        "{obj} (is|are) [still] on, off (please|with it|with them|now)", "{obj} (is|are) (wasting energy|wasting power|not needed|no longer needed|on for nothing)", "(why|who) left {obj} on",
        "time to (turn|switch|shut) off {obj}", "you can (turn|switch|shut) off {obj} [now]",
        "you can (turn|switch) {obj} off [now]", "lose {obj}",
    ]),
    Intent(1.2, doing("on", device="light"), [], [
        "light up {theroom}", "illuminate {theroom}", "(put|get|give me|give us|turn on|switch on) (some|a bit of|a little) light {in}",
        "get some light (into|in) {theroom}", "make it (light|bright) {in}", "brighten {theroom} up with the lights", "hit the lights {in}",
    ], ["lights {in}", "(i need|i want|we need|i could use) [some|a bit of] light {in}", "i can't see (a thing|anything|my hand|where i'm going) {in}",
        "it's (pitch dark|pitch black|completely dark) {in}", "let there be light {in}", "there is no light {in}"]),
    Intent(.5, doing("on", device="light"), [], [
        "(put|get|give me|give us|turn on|switch on) some light [in here]", "hit the lights", "light the place up",
    ], ["let there be light", "i can't see (a thing|anything|my own hand) [in here]", "it's (pitch dark|pitch black|completely dark) [in here]",
        "(i need|we need) [some|a bit of|a little] light [in here]", "lights please", "lights"]),
    Intent(.7, doing("off", device="light"), [], ["(make it dark|go dark) {in}", "darken {theroom} completely", "make {theroom} dark"],
           ["lights out {in}", "(i want|we want) it dark {in}"]),
    Intent(.4, doing("off", device="light"), [], ["make it dark [in here]", "go dark"],
           ["lights out [everyone|now|]", "(i want|i need) it (dark|completely dark) [in here]"]),
    Intent(.5, doing("off", device="light"), [], [], ["(nobody|no one|nobody else|not a soul) is {in} [anymore|any more|now], (turn off the lights|turn the lights off|switch off the light|lights off|kill the lights) [there]",
        "(everyone|everybody) has left {theroom}, (turn off the lights|turn the lights off|lights off)"]),
    # appliances by what they do
    Intent(.5, doing("on", device="coffee_machine"), [], ["(make|brew|prepare|get) [me|us] (some|a cup of|a pot of|a|an) (coffee|espresso|cappuccino)", "(start|get) the coffee [going|started|brewing|ready]", "(put|get) (some|the) coffee on"],
           ["i (need|want|would like|could use) [a|some|a cup of|my morning] coffee", "coffee [time] please"]),
    Intent(.4, doing("on", device="kettle"), [], ["(boil|heat|heat up) (the kettle|some water|water for tea|the water)", "(make|get) [me|us] (some|a cup of|a pot of) (tea|hot water)", "(put|pop|stick) the kettle on"], ["(i want|i need|i'd like|time for) [a cup of|some] tea"]),
    Intent(.4, doing("on", device="vacuum"), [], ["(vacuum|hoover|sweep) (the floor|the house|the flat|the carpet|everywhere)", "(start|do the) (cleaning|vacuuming|hoovering)", "clean the (floor|floors|house|flat|carpet)"], ["the (floor|carpet) is (dirty|dusty|filthy|full of crumbs)"]),
    Intent(.4, doing("on", device="sprinkler"), [], ["water (the|my) (lawn|grass|plants|flowers|flower beds|roses)", "(give|get) the (lawn|grass|plants|flowers) some water"], ["the (lawn|grass|plants|flowers) (is|are) (dry|thirsty)"]),
    Intent(.3, doing("on", device="dishwasher"), [], ["(do|wash|clean) the (dishes|washing up|plates)", "start the (dishes|wash up)"], []),
    Intent(.3, doing("on", device="washing_machine"), [], ["(do|wash) the (laundry|clothes|washing)", "start the (laundry|wash|washing)"], []),
    # opening and locking
    Intent(3, doing("open"), OPENABLE, [
        "(open|open up|raise|pull up|draw back|roll up|lift) {obj}", "(pull|put|roll|lift|bring) {obj} up", "open {obj} [all the way|fully|completely|up]",
        "get {obj} open", "have {obj} (open|opened)", "set {obj} to open", "make sure {obj} (is|are) open",
    ], ["{obj} (open|up)", "(i want|i'd like|i need) {obj} (open|opened|up)", "let's (open|have open) {obj}", "{obj} should be open"]),
    Intent(3, doing("closed"), OPENABLE, [
        "(close|shut|lower|pull down|draw|roll down|drop) {obj}", "(pull|put|roll|let|bring) {obj} (down|shut|closed)", "close {obj} [all the way|fully|completely|up]",
        "get {obj} (shut|closed)", "have {obj} closed", "set {obj} to closed", "make sure {obj} (is|are) (closed|shut)",
    ], ["{obj} (closed|shut|down)", "(i want|i'd like|i need) {obj} (closed|shut|down)", "let's close {obj}", "{obj} should be (closed|shut)", "i left {obj} open"]),
    Intent(.8, doing("open", device="blinds"), [], [
        "let (some|a bit of|a little|more|the) (sun|sunlight|sunshine|daylight|natural light) (in|into) {theroom}", "let the (sun|light|daylight|morning) in {in}"],
           []),
    Intent(.4, doing("open", device="blinds"), [], ["let (some|a bit of|a little|more|the) (sun|sunlight|sunshine|daylight|natural light) in"],
           ["i want to see (outside|the view|the garden|the sunrise)", "i'd like to look out of the window", "show me the view"]),
    Intent(.5, doing("closed", device="blinds"), [], ["(block out|keep out|shut out|block) the (sun|sunlight|light|daylight) [in here]", "(block out|keep out|shut out) the (sun|daylight) {in}"],
           ["the sun is (in my eyes|blinding me|dazzling me|too strong|glaring on the screen)", "(the neighbours|people|they) can see (in|us|me)",
            "i (want|need) some privacy", "there's (a|too much) glare on (the|my) (screen|tv|monitor)"]),
    Intent(1.3, doing("on", device="security"), [], ["arm (the|our|my|) {security}", "(turn|switch|put) on the {security}", "set the {security}", "(turn|switch|put) the {security} on",
                                                     "activate the {security}"], ["the {security} on", "i want the {security} armed"]),
    Intent(1.3, doing("off", device="security"), [], ["disarm (the|our|my|) {security}", "(turn|switch) off the {security}", "(turn|switch) the {security} off",
                                                      "deactivate the {security}"], ["the {security} off", "i want the {security} off"]),
    Intent(2, doing("locked", device="lock"), [], [
        "lock {door}", "lock up {door}", "(bolt|secure|latch|dead bolt) {door}", "(make sure|check) {door} is locked", "lock {door} up", "get {door} locked",
        "keep {door} locked", "put the lock on {door}", "engage the lock on {door}", "close and lock {door}"],
           ["{door} locked", "{door} (should|must|needs to) be locked", "i want {door} locked", "i forgot to lock {door}", "did not lock {door}, please do it", "{door} lock"]),
    Intent(2, doing("unlocked", device="lock"), [], [
        "unlock {door}", "unbolt {door}", "release the lock on {door}", "get {door} unlocked", "undo the lock on {door}", "take the lock off {door}",
        "let (me|him|her|them|the guests|mum) in (through|at|by) {door}", "open the lock on {door}", "disengage the lock on {door}"],
           ["{door} unlocked", "{door} should be unlocked", "i want {door} unlocked", "someone is at {door}, let (them|him|her) in", "{door} unlock"]),
    Intent(.5, doing("locked", device="lock", room="all"), [], ["lock (all the doors|every door|all doors|the doors|up the house|the house|up|all the locks)", "(bolt|secure) (all the doors|every door|the doors|the house)"],
           ["(all the doors|all doors|every door) locked"]),
    Intent(.4, doing("unlocked", device="lock", room="all"), [], ["unlock (all the doors|every door|all doors|the doors|the house|all the locks)"], ["(all the doors|all doors) unlocked"]),
    # levels and temperatures
    Intent(8, {"action": "set"}, LEVELLED, [
        "(set|put|turn|bring|get|take|adjust|change) {obj} to {level}", "(dim|lower|turn down|bring down|take down|drop) {obj} [down] to {level}",
        "(turn|take|bring|put) {obj} down to {level}", "(raise|turn up|brighten|bring up|increase|boost) {obj} [up] to {level}", "(turn|bring|put|crank) {obj} up to {level}",
        "(reduce|cut|decrease) {obj} to {level}", "(make|have|run|keep|leave|want) {obj} at {level}", "set {obj} at {level}", "dim {obj} {level}", "set {obj} {level}", "turn {obj} to {level}",
        "(make|give) {obj} {level}",
    ], ["{obj} (to|at|on) {level}", "{obj} {level}", "{level} for {obj}", "(i want|i'd like|i need) {obj} (at|to be at|set to|on) {level}", "{level} on {obj}",
        "{obj} should be (at|on) {level}", "let's (have|go for) {level} on {obj}", "{obj} down to {level}", "{obj} up to {level}"]),
    Intent(2.2, {"action": "set"}, ["light", "light", "lamp"], [
        "(set|turn|change|adjust|put) the (brightness|light level|dimmer) (of|on|for) {obj} to {level}", "(set|turn|put|take|lower|raise) {obj} [to] {level} brightness", "(dim|fade) {obj} (down|) to {level} [brightness]",
    ], ["brightness {level} for {obj}", "{obj} {level} brightness", "{obj} at {level} brightness"]),
    Intent(2, {"action": "set"}, LOUD, [
        "(set|turn|change|put|adjust|bring) the volume (of|on|for) {obj} to {level}", "(set|turn|put|change) {vol} to {level}", "(turn|bring|take) {vol} (up|down) to {level}",
        "turn (up|down) the volume (of|on) {obj} to {level}"],
           ["{vol} {level}", "{vol} (at|to) {level}", "{obj} volume {level}", "volume {level} on {obj}"]),
    Intent(1, {"action": "set", "device": "music"}, [], ["(set|turn|put|change) [the] volume to {level}", "(turn|bring) the volume (up|down) to {level}"], ["volume {level}", "volume (at|to) {level}"]),
    Intent(1.4, {"action": "set", "level": 100}, LEVELLED, [
        "(turn|put|bring|set|crank) {obj} (all the way up|to the max|to maximum|to full|up full|to the maximum|up to full|fully up|to full power|as high as it goes)", "(max out|maximise|max) {obj}",
        "(give me|i want) {obj} (at|on) full (power|blast|)", "(run|have) {obj} (flat out|at full power|at maximum)"],
           ["{obj} (full|to full|to max|on full|at maximum|all the way up|full blast|on maximum|at full power)"]),
    Intent(.8, {"action": "set", "level": 100}, ["light", "lamp"], ["(set|turn|bring) {obj} to full brightness", "make {obj} as bright as (possible|it gets|they get|you can)", "make {obj} (fully|maximally) bright"],
           ["{obj} (at|to) full brightness", "full brightness for {obj}"]),
    Intent(1, {"action": "set", "level": 50}, LEVELLED, ["(turn|put|set|dim|open|close|bring) {obj} (half way|halfway|to half|to one half|half)", "(dim|set|run) {obj} at half [power]", "(turn|set) {obj} to half (power|strength)"],
           ["{obj} (half way|halfway|to half|at half|half)"]),
    Intent(4.5, {"action": "set"}, ["heating"] * 4 + ["ac"], [
        "(set|turn|put|bring|adjust|change|get) {obj} to {temp}", "(turn|put|bring) {obj} (up|down) to {temp}", "(turn up|turn down|raise|lower|drop|reduce|increase) {obj} to {temp}", "set {obj} at {temp}",
        "(keep|hold|run|have|leave) {obj} at {temp}", "set {obj} {temp}"],
           ["{obj} (to|at|on) {temp}", "{obj} {temp}", "(i want|i'd like) {obj} (at|on|set to) {temp}", "{temp} on {obj}", "{obj} should be (at|on) {temp}"]),
    Intent(3, {"action": "set", "device": "heating"}, [], [
        "(heat|warm|heat up|warm up|cool|cool down) {theroom} to {temp}", "(make|keep|get) {theroom} {temp}", "(make|keep|have|get) it {temp} {in}", "(keep|hold) {theroom} at {temp}", "(set|bring|get) {theroom} to {temp}",
        "set the temperature (of|in|for) {theroom} to {temp}", "(set|put) {themod} temperature to {temp}", "(get|warm|heat|cool) {theroom} (up|down) to {temp}"],
           ["(i want|i'd like) it [to be] {temp} {in}", "{temp} {in}", "{theroom} at {temp}", "{theroom} should be {temp}", "(i want|i'd like) {theroom} (at|to be) {temp}"]),
    Intent(1.3, {"action": "set", "device": "heating"}, [], [
        "(set|put|bring|change|turn) the temperature to {temp}", "(set|turn|put|raise|lower) the temperature (up|down|) to {temp}", "(make|keep|have) it {temp} [in here]", "(heat|warm) the (house|place|flat) [up] to {temp}", "keep the house at {temp}"],
           ["temperature {temp}", "{temp} please", "(i want|i'd like) it [to be] {temp} [in here]", "temperature to {temp}", "let's go for {temp}", "it should be {temp} in here"]),
    # colours
    Intent(4, {"action": "set"}, ["light", "light", "light", "lamp"], [
        "(turn|make|set|change|switch|colour|color|paint) {obj} {color}", "(set|change|switch|turn) {obj} to {color}", "(change|set|switch) the (colour|color) of {obj} to {color}", "(give|show) me {color} {in} on {obj}",
        "(make|have) {obj} (go|glow|shine) {color}", "(have|get) {obj} in {color}", "(change|set) {obj} (colour|color) to {color}", "use {color} for {obj}"],
           ["{obj} {color}", "{color} for {obj}", "(i want|i'd like|i fancy) {obj} (in|) {color}", "{obj} (to|in) {color}", "{obj} should be {color}", "let's (make|have) {obj} {color}", "i want {obj} to be {color}"]),
    Intent(1.6, {"action": "set", "device": "light"}, [], ["(give me|put on|turn on|switch on) {color} (light|lights|lighting) {in}", "(make|turn|paint|light) {theroom} [up] {color}", "light {theroom} (in|up in) {color}", "bathe {theroom} in {color}"],
           ["{color} (light|lights|lighting) {in}", "(i want|i'd like) {color} (light|lights|lighting) {in}"]),
    # relative changes: music and the like say "louder", lights "brighter"
    Intent(2.6, {"action": "adjust", "change": "up"}, ["light"] * 3 + ["lamp"], [
        "brighten [up] {obj} [{bit}]", "brighten {obj} up [{bit}]", "(make|get) {obj} [{bit}] brighter", "(turn|bring|push) {obj} up [{bit}]", "(turn up|raise|increase|bring up|boost) {obj} [{bit}]", "(increase|raise|up) the brightness of {obj} [{bit}]",
        "(give|get) me more light from {obj}"],
           ["{obj} [{bit}] brighter", "{obj} (is|are) too (dim|dark|weak)", "{obj} up [{bit}]", "{obj} (isn't|aren't) bright enough", "(i want|i need) {obj} [{bit}] brighter", "{obj} (could be|should be|need to be) [{bit}] brighter"]),
    Intent(2.6, {"action": "adjust", "change": "down"}, ["light"] * 3 + ["lamp"], [
        "dim {obj} [{bit}]", "dim down {obj} [{bit}]", "(make|get) {obj} [{bit}] (dimmer|darker|less bright|softer)", "(turn|bring|take) {obj} down [{bit}]", "(turn down|lower|reduce|decrease|soften) {obj} [{bit}]", "(decrease|lower|reduce) the brightness of {obj} [{bit}]"],
           ["{obj} [{bit}] (dimmer|darker)", "{obj} (is|are) (too|way too|much too|a bit too) (bright|harsh|strong)", "{obj} down [{bit}]", "(i want|i need) {obj} [{bit}] (dimmer|darker|softer)", "{obj} (could be|should be|need to be) [{bit}] (dimmer|darker)"]),
    Intent(3, {"action": "adjust", "change": "up"}, LEVELLED + ["heating"] * 3 + ["ac"], [
        "(turn|bring|put|push|crank) {obj} up {by}", "(increase|raise|turn up|boost|bring up) {obj} by {byn}", "(raise|increase|turn up) {obj} {byn}"],
           ["{byn} more on {obj}", "{obj} up {by}", "{obj} {byn} (higher|more|up)", "{byn} more for {obj}", "plus {byn} on {obj}"]),
    Intent(3, {"action": "adjust", "change": "down"}, LEVELLED + ["heating"] * 3 + ["ac"], [
        "(turn|bring|take|put) {obj} down {by}", "(decrease|reduce|lower|turn down|drop|cut) {obj} by {byn}", "(lower|decrease|turn down|drop) {obj} {byn}"],
           ["{obj} down {by}", "{obj} {byn} (lower|less|down)", "{byn} less for {obj}", "minus {byn} on {obj}"]),
    Intent(1, {"action": "adjust", "change": "up"}, ["light", "lamp"], ["(brighten|brighten up) {obj} by {byn}", "(make|get) {obj} {byn} brighter"], ["{obj} {byn} brighter"]),
    Intent(1, {"action": "adjust", "change": "down"}, ["light", "lamp"], ["dim {obj} by {byn}", "(make|get) {obj} {byn} (dimmer|darker)"], ["{obj} {byn} (dimmer|darker)"]),
    Intent(2, {"action": "adjust", "change": "up"}, LOUD, ["(turn|crank|pump) up {obj} [{bit}]", "(make|get) {obj} [{bit}] louder", "(turn|crank) {obj} up [{bit}]", "(turn up|raise|increase) the volume (of|on) {obj} [{bit}]", "(turn|bring) {vol} up [{bit}]", "play {obj} [{bit}] louder"],
           ["{obj} [{bit}] louder", "{obj} (is|are) (too|way too|a bit too) (quiet|low|soft)", "i can't hear {obj}", "{obj} (isn't|aren't) loud enough", "i can (barely|hardly) hear {obj}", "more volume on {obj}"]),
    Intent(2, {"action": "adjust", "change": "down"}, LOUD, ["turn down {obj} [{bit}]", "(make|get) {obj} [{bit}] (quieter|less loud|softer)", "(turn|bring) {obj} down [{bit}]", "(turn down|lower|reduce) the volume (of|on) {obj} [{bit}]", "(turn|bring) {vol} down [{bit}]", "play {obj} [{bit}] (quieter|softer|more quietly)"],
           ["{obj} [{bit}] (quieter|softer)", "{obj} (is|are) (too|way too|much too|a bit too) loud", "less volume on {obj}", "keep {obj} down"]),
    Intent(.8, {"action": "adjust", "change": "up", "device": "music"}, [], ["(turn|crank|pump) it up [{bit}]", "(turn up|raise|increase|up) the volume [{bit}]", "(make|turn) it [{bit}] louder", "turn the (volume|sound) up [{bit}]"], ["louder [please]", "volume up [{bit}]", "it's too quiet [in here]", "i can't hear (it|anything|the song)", "{bit} louder", "more volume"]),
    Intent(.8, {"action": "adjust", "change": "down", "device": "music"}, [], ["(turn down|lower|reduce|decrease) the volume [{bit}]", "(make|turn) it [{bit}] (quieter|softer)", "turn the (volume|sound|noise) down [{bit}]"],
           ["quieter [please]", "volume down [{bit}]", "it's (too|way too|so) loud [in here]", "{bit} (quieter|softer)", "less volume", "i can't hear myself think", "not so loud"]),
    Intent(2, {"action": "adjust", "device": "music"}, [], ["(turn up|raise|increase|boost) the volume by {byup}", "(turn down|lower|reduce|drop) the volume by {bydown}", "turn the volume up [by] {byup}", "turn the volume down [by] {bydown}"], ["volume up [by] {byup}", "volume down [by] {bydown}"]),
    Intent(2, {"action": "adjust", "change": "up", "device": "heating"}, [], ["(make|get) it [{bit}] (warmer|hotter|cosier|less cold) {in}", "(warm|heat) up {theroom} [{bit}]", "(warm|heat) {theroom} up [{bit}]", "(turn up|raise|increase|bring up) the temperature {in} [{bit}]", "(raise|increase|turn up) {themod} temperature [{bit}]", "make {theroom} [{bit}] (warmer|hotter|cosier|less chilly)"],
           ["it's ({cold}) {in}", "{theroom} is ({cold})", "(i want|i'd like) it [{bit}] warmer {in}", "{bit} warmer {in}", "{theroom} could be [{bit}] warmer", "{theroom} needs to be [{bit}] warmer", "i'm (freezing|cold|shivering) {in}", "it isn't warm enough {in}"]),
    Intent(2, {"action": "adjust", "change": "down", "device": "heating"}, [], ["(make|get) it [{bit}] (cooler|colder|less hot|less warm) {in}", "(cool|cool down) {theroom} [{bit}]", "cool {theroom} (down|off) [{bit}]", "(turn down|lower|reduce|bring down) the temperature {in} [{bit}]", "(lower|reduce|turn down) {themod} temperature [{bit}]", "make {theroom} [{bit}] (cooler|colder|less warm)"],
           ["it's ({hot}) {in}", "{theroom} is ({hot})", "(i want|i'd like) it [{bit}] (cooler|colder) {in}", "{bit} (cooler|colder) {in}", "{theroom} could be [{bit}] cooler", "{theroom} needs to be [{bit}] cooler", "i'm (sweating|boiling|roasting|melting) {in}"]),
    Intent(.9, {"action": "adjust", "change": "up", "device": "heating"}, [], ["(make|get) it [{bit}] (warmer|hotter|less cold) [in here]", "warm it up [{bit}] [in here]", "(warm|heat) (the place|the house|things) up [{bit}]", "(turn up|raise|increase) the temperature [{bit}]", "turn the temperature up [{bit}]"],
           ["more (heat|heating|warmth)", "it's ({cold}) [in here]", "(i'm|we're) (freezing|cold|shivering|so cold|chilly|a bit cold|turning to ice)", "i feel (cold|chilly)", "warmer [please]", "{bit} warmer", "my (feet|hands|toes) are (freezing|cold)", "(i want|i'd like) it [{bit}] warmer", "brr", "it isn't warm enough [in here]", "it could be [{bit}] warmer [in here]"]),
    Intent(.9, {"action": "adjust", "change": "down", "device": "heating"}, [], ["(make|get) it [{bit}] (cooler|colder|less hot) [in here]", "cool it down [{bit}] [in here]", "cool (the place|the house|things) down [{bit}]", "(turn down|lower|reduce) the temperature [{bit}]", "turn the temperature down [{bit}]"],
           ["less (heat|heating|warmth)", "it's ({hot}) [in here]", "(i'm|we're) (sweating|boiling|roasting|melting|too hot|too warm|so hot|overheating)", "i feel (hot|too warm)", "cooler [please]", "{bit} (cooler|colder)", "(i want|i'd like) it [{bit}] cooler", "it feels like (an oven|a sauna) in here", "it could be [{bit}] cooler [in here]"]),
    Intent(1.8, {"action": "adjust", "device": "heating"}, [], [
        "(make|get) it {degup} (warmer|hotter) {in}", "(make|get) it {degdown} (cooler|colder) {in}", "(raise|increase|turn up) the temperature {in} by {degup}", "(lower|reduce|drop|turn down) the temperature {in} by {degdown}", "(warm|heat) {theroom} up by {degup}", "cool {theroom} down by {degdown}", "make {theroom} {degup} (warmer|hotter)", "make {theroom} {degdown} (cooler|colder)"], ["{degup} warmer {in}", "{degdown} cooler {in}"]),
    Intent(.8, {"action": "adjust", "device": "heating"}, [], ["(make|get) it {degup} (warmer|hotter)", "(make|get) it {degdown} (cooler|colder)", "(raise|increase|turn up) the temperature [by] {degup}", "(lower|reduce|drop|turn down) the temperature [by] {degdown}"], ["{degup} (warmer|hotter)", "{degdown} (cooler|colder)"]),
    Intent(1.4, {"action": "adjust", "change": "up", "device": "light"}, [], ["(make|get) it [{bit}] (brighter|lighter) {in}", "brighten {theroom} [up] [{bit}]", "brighten [up] {theroom}", "(give us|give me|get|put) [{bit}] more light {in}", "make {theroom} [{bit}] (brighter|lighter)"],
           ["it's ({dark}) {in}", "{theroom} is ({dark})", "[{bit}] more light {in}", "(i need|we need|i want) [{bit}] more light {in}", "{theroom} could be [{bit}] brighter", "it could be [{bit}] brighter {in}", "it isn't bright enough {in}"]),
    Intent(1.4, {"action": "adjust", "change": "down", "device": "light"}, [], ["(make|get) it [{bit}] (darker|dimmer|less bright) {in}", "darken {theroom} [{bit}]", "make {theroom} [{bit}] (darker|dimmer|less bright)", "dim {theroom} [{bit}]"],
           ["it's ({bright}) {in}", "{theroom} is ({bright})", "[{bit}] less light {in}", "(i want|i need) [{bit}] less light {in}", "{theroom} could be [{bit}] darker", "it could be [{bit}] darker {in}"]),
    Intent(.7, {"action": "adjust", "change": "up", "device": "light"}, [], ["(make|get) it [{bit}] (brighter|lighter) [in here]", "(give me|give us|get) [{bit}] more light", "brighten (the place|things|it) up [{bit}]"],
           ["it's ({dark}) [in here]", "brighter [please]", "{bit} brighter", "[{bit}] more light", "(i need|we need) [{bit}] more light [to read|to work|in here]", "i can (hardly|barely) see [in here|my book]", "it isn't bright enough [in here]"]),
    Intent(.7, {"action": "adjust", "change": "down", "device": "light"}, [], ["(make|get) it [{bit}] (darker|dimmer|less bright) [in here]", "dim it [down] [{bit}]", "dim"],
           ["it's ({bright}) [in here]", "(darker|dimmer) [please]", "{bit} (darker|dimmer)", "[{bit}] less light", "(i want|we need) [{bit}] less light", "the light hurts my eyes", "my eyes hurt from the light"]),
    Intent(1, {"action": "adjust", "change": "up"}, ["fan"], ["(make|turn|run) {obj} (go|run|spin|) [{bit}] faster", "speed up {obj} [{bit}]", "speed {obj} up [{bit}]", "(turn up|increase) {obj} [{bit}]", "(turn|put) {obj} up [{bit}]"], ["{obj} [{bit}] faster", "{obj} (is|are) too (slow|weak)"]),
    Intent(1, {"action": "adjust", "change": "down"}, ["fan"], ["(make|turn|run) {obj} (go|run|spin|) [{bit}] slower", "slow down {obj} [{bit}]", "slow {obj} down [{bit}]", "(turn down|reduce) {obj} [{bit}]", "(turn|put) {obj} down [{bit}]"], ["{obj} [{bit}] slower", "{obj} (is|are) too (fast|strong|windy)"]),
    Intent(1.4, {"action": "adjust", "change": "up"}, ["heating", "heating", "ac"], ["(turn up|crank up|raise|increase|boost|bump up) {obj} [{bit}]", "(turn|crank|bump|bring|put) {obj} up [{bit}]"], ["{obj} up [{bit}]", "{obj} [{bit}] higher"]),
    Intent(1.4, {"action": "adjust", "change": "down"}, ["heating", "heating", "ac"], ["(turn down|lower|reduce|decrease) {obj} [{bit}]", "(turn|bring|put) {obj} down [{bit}]"], ["{obj} down [{bit}]", "{obj} [{bit}] lower"]),
    Intent(.9, {"action": "adjust", "change": "up"}, ["blinds"], ["(open|raise|lift|pull up) {obj} {bit}", "(open|lift|pull|bring) {obj} up {bit}"], ["{obj} up {bit}"]),
    Intent(.9, {"action": "adjust", "change": "down"}, ["blinds"], ["(close|lower|drop|pull down) {obj} {bit}", "(pull|bring|let) {obj} down {bit}"], ["{obj} down {bit}"]),
    Intent(.7, doing("on", device="fan"), [], ["get some (air|fresh air) (moving|going) {in}", "get a breeze going {in}"], ["it's (stuffy|so stuffy|too stuffy|a bit stuffy|very stuffy) {in}", "(i need|we need) [some] (air|fresh air|a breeze) {in}", "{theroom} is (stuffy|airless)"]),
    Intent(.3, doing("on", device="fan"), [], ["get some (air|fresh air) (moving|going) [in here]", "get a breeze going"], ["it's (stuffy|so stuffy|too stuffy|very stuffy) [in here]", "(i need|we need) [some] (air|fresh air|a breeze)", "i can't breathe in here"]),
    # toggles
    Intent(2.2, {"action": "toggle"}, SWITCH + ["light"] * 8, ["toggle {obj}", "(flip|invert|reverse) [the state of] {obj}", "flip the switch (for|of|on) {obj}", "(change|swap|switch) the state of {obj}", "press the switch (of|for) {obj}", "switch {obj} to the (other|opposite) state", "flip {obj} over"], ["{obj} toggle", "toggle switch for {obj}"]),
    # music and television
    Intent(2.6, {"action": "set", "device": "music"}, [], ["(play|put on|start|stream|throw on) [some|a bit of|a little] {genre}", "(play|put on|start) [some] {genre} {in}", "(play|put on) [some|me some|us some] {genre} (on the stereo|on the speakers|for me|)", "let me hear [some] {genre}"],
           ["(i want|i'd like|i feel like|i'm in the mood for|i fancy|how about|let's have) [to hear|listening to|] [some|a bit of] {genre}", "[some] {genre} {in}", "let's (listen to|hear|play) [some] {genre} [{in}]", "[some] {genre} please"]),
    Intent(1.1, doing("on", device="music"), [], ["(play|put on|start|give me) (some|a little|a bit of) (music|tunes|songs)", "(resume|unpause|continue|restart) (the music|the song|playback|playing)", "play (something|a song|anything|my playlist|my favourite songs)", "(play|put on|start) the music [again]", "play [some] music {in}", "carry on playing"],
           ["(i want|i'd like|i feel like|let's have|how about) [to hear] some (music|tunes)", "it's too quiet, play something", "music please", "music", "(i want|i'd like|let's have) some (music|tunes) {in}"]),
    Intent(.8, doing("off", device="music"), [], ["(stop|end|kill|cut) (the music|playing|playback|the song|the tunes)", "stop playing [music] {in}", "be quiet", "stop that (noise|racket|song)"], ["(silence|quiet) [please]", "no more (music|songs)", "stop", "enough music", "music off {in}"]),
    Intent(.8, doing("pause"), ["music", "tv"], ["pause {obj}", "(put|set) {obj} on pause", "(hold|freeze) {obj} [for a moment|for a second]"], ["{obj} (on|) pause"]),
    Intent(.3, doing("pause", device="music"), [], ["pause (the song|playback|this song|that|it|)", "hold the music"], ["pause"]),
    Intent(.7, doing("next", device="music"), [], ["(skip|skip to|play|jump to|go to) the next (song|track|one|tune)", "skip (this|that|it|this song|this track|the song|ahead|forward)", "(change|switch) the (song|track)", "next (song|track|tune|one)", "play (something else|another song|a different song|another one)"],
           ["i don't like this (song|track|one|tune)", "i hate this song", "not this (song|one) again", "next"]),
    Intent(.7, doing("previous", device="music"), [], ["(play|go back to|return to|jump back to) the (previous|last) (song|track|one|tune)", "(go back|skip back) [a song|one song|a track|one track]", "previous (song|track|tune|one)", "play (that|the last one|that song|the last song) again"], ["what was that, play it again", "previous"]),
    Intent(1.6, {"action": "set", "device": "tv"}, [], ["(switch|change|put|turn|set) {tv} to channel {channel}", "(put on|go to|switch to|change to|show me|turn to|watch|tune to) channel {channel}", "put channel {channel} on", "(put on|show) channel {channel} {in}", "(switch|change|set) the channel to {channel} [{in}]", "turn {tv} (over|) to channel {channel}"],
           ["channel {channel}", "channel {channel} (please|{in})", "{tv} channel {channel}", "i want (to watch|) channel {channel}"]),
    Intent(1, doing("mute"), LOUD, ["mute {obj}", "(silence|hush) {obj}", "(turn|switch) off the sound (of|on) {obj}", "put {obj} on mute"], ["{obj} (mute|on mute)"]),
    Intent(.8, doing("unmute"), LOUD, ["unmute {obj}", "(turn|switch) (on the sound|the sound back on) (of|on|for) {obj}", "take {obj} off mute"], ["{obj} unmute"]),
    # timers and alarms
    Intent(5, {"action": "set", "device": "timer"}, [], [
        "(set|start|create|make|begin|run|put on|add) a timer for {dur}", "(set|start|create|begin|make) a {duradj} timer", "(set|start) [the] timer (for|to|of) {dur}", "time {dur} [for me]", "count down [from] {dur}", "(give me|start) a (countdown|timer) of {dur}", "(let me know|tell me|beep|ping me|alert me|ring|buzz me|remind me|notify me) (in|after) {dur}",
        "(tell|warn|alert) me when {dur} (are up|have passed|is up|has passed|are over)", "start counting [down] {dur}", "set {dur} on the timer", "start a countdown for {dur}"],
           ["timer [for] {dur}", "{duradj} timer", "{dur} timer", "(i need|i want|i'd like) a timer for {dur}", "(i need|i want) a {duradj} timer", "timer, {dur}", "countdown {dur}", "{dur} on the timer"]),
    Intent(.6, doing("off", device="timer"), [], ["(cancel|stop|delete|clear|kill|turn off|remove|end|reset|scrap|abort) (the|my|that|) timer", "turn the timer off", "(stop|cancel) the countdown", "get rid of (the|my) timer"], ["i don't need the timer (anymore|any more|now)", "forget (about|) the timer", "timer off", "no timer", "never mind the timer"]),
    Intent(.5, {"action": "query", "device": "timer"}, [], ["check the timer", "(tell me|show me) (how long is left|the time left|the remaining time) on the timer"],
           ["how (much time|long) is (left|remaining) [on the timer]", "how (many minutes|much time|long) (are|is|do i have) left [on the timer]", "when (does|will) [the|my] timer (end|go off|finish|ring)", "is [the|my] timer (still running|done|finished|running)", "time left on the timer", "how much longer on the timer", "what's left on the timer"]),
    Intent(4.5, {"action": "set", "device": "alarm"}, [], [
        "(set|make|create|put|add) an alarm (for|at) {at}", "(wake|get) me up at {at}", "wake me [up] at {at}", "(set|put) [the|my] (alarm|alarm clock) (for|to|at) {at}", "get me (up|out of bed) at {at}", "(wake|get) me up {attom}", "wake me [up] {attom}", "(set|make) an alarm {attom}", "set [the|my] alarm {attom}", "make sure i'm (awake|up|out of bed) (at|by) {at}", "set a {atadj} alarm", "ring the alarm at {at}"],
           ["alarm (at|for) {at}", "alarm {attom}", "(i need|i have|i've got) to (get up|be up|wake up) {attom}", "alarm {at}", "(i need|i have|i want) to (get up|be up|wake up|be awake) at {at}", "{atadj} alarm", "(i need|i want) an alarm (for|at) {at}", "wake up call at {at}", "i (must|have to|should) be up by {at}", "don't let me sleep past {at}"]),
    Intent(3, {"action": "set", "device": "alarm"}, [], [
        "(set|make|create) an alarm (for|at) {at} {day}", "(set|make|put) an alarm {day} (for|at) {at}", "wake me [up] at {at} {day}", "wake me [up] {day} at {at}", "{day} wake me [up] at {at}", "get me up at {at} {day}", "(set|put) my alarm (for|to) {at} {day}"],
           ["alarm {day} at {at}", "alarm at {at} {day}", "(i need|i have|i want) to (get up|be up|wake up) at {at} {day}", "{day} i (need|have) to be up at {at}"]),
    Intent(1, {"action": "set", "device": "alarm"}, [], ["(wake|get) me up in {indur}", "wake me in {indur}", "set an alarm in {indur}", "(set|make) an alarm for {indur} from now", "wake me [up] {indur} from now"], ["alarm in {indur}", "let me (sleep|nap) for {indur}"]),
    Intent(.6, doing("off", device="alarm"), [], ["(cancel|stop|delete|clear|turn off|remove|switch off|silence|scrap|shut off|disable) (the|my|that|) (alarm|alarm clock|wake up call)", "(turn|switch|shut) (the|my) (alarm|alarm clock) off"], ["i don't need (the|my|an) alarm (anymore|any more|)", "no alarm (tomorrow|today|)", "alarm off", "i'm (up|awake) already", "i'm awake"]),
    Intent(.4, {"action": "query", "device": "alarm"}, [], ["(check|show me|tell me about|list|read out) (my|the) alarms", "(tell me|check) when my alarm is"], ["(what|which) alarms (do i have|are set)", "when (does|will) my alarm (ring|go off)", "(what time|when) is my [next] alarm [set for]", "do i have an alarm [set]", "is (my|the|an) alarm set", "(when|what time) do i have to get up", "what time are you waking me"]),
    Intent(.5, {"action": "query", "device": "clock"}, [], ["tell me the time", "(give me|check) the time"], ["what time is it [now]", "what's the time", "what is the time [now|right now]", "do you know what time it is", "do you have the time", "how late is it", "time please", "time"]),
    # scenes
    *[Intent(.75, {"action": "scene", "name": name}, [], [f"({verbs}) {{the}} ({names}) (scene|mode|setting)" for verbs in ["activate|start|run|set|switch to|go to|launch|use|turn on|apply|do|enter|go into|load|put on|begin|engage|trigger|enable|change to"]] + do
             + [f"set the (house|home|place|lights) to ({names}) [mode]", f"(get|make) (the house|everything|the place) ready for ({nouns})", f"prepare [the house|everything|] for ({nouns})", f"set (the mood|the scene|things up|everything up|up) for ({nouns})"],
             [f"({names}) (scene|mode|time)", f"(scene|mode) ({names})", f"(it's|it is) time for ({nouns})", f"{{the}} ({names}) (scene|mode) please"] + say)
      for name, names, nouns, do, say in [
          ("movie", "movie|film|cinema|movie night|theater", "a movie|a film|movie night|the movie|watching a film|a film night|cinema",
           [], ["(we're|i'm) (going to|about to|gonna) watch (a movie|a film|a movie tonight|netflix|some films)", "let's watch (a movie|a film|something|a thriller)", "(the movie|the film|movie night) is (starting|about to start)", "movie night", "(i want|i'd like|we want) to watch (a movie|a film)", "lights, camera, action", "popcorn is ready, (let's start|start the movie)", "film night"]),
          ("good_night", "good night|night|bedtime|sleep|goodnight|nighttime", "bed|the night|sleep|bedtime",
           [], ["good night [house|everyone]", "goodnight", "(i'm|i am|we're) (going to|off to|heading to|ready for|about to go to) (bed|sleep)", "time (to sleep|for bed|to go to bed)", "(i'm|we're) (turning in|hitting the hay|hitting the sack|calling it a night|off to the land of nod|going to sleep now)", "(let's|i'll) call it a night", "i want to sleep [now]", "sleep well", "night night", "i'm (tired|exhausted|sleepy), (good night|going to bed|off to bed)", "(it's|it is) (bedtime|time to sleep|time for bed)", "sweet dreams", "see you in the morning", "i'm ready to sleep"]),
          ("morning", "morning|good morning|wake up|sunrise|breakfast", "the morning|the day|breakfast|a new day",
           [], ["good morning [house|everyone]", "(i'm|we're) getting up", "(i|i've|we) (just woke up|just got up|woken up|got up)", "time to get up", "rise and shine", "morning", "(i'm|we're) (starting|ready for) the day", "start my day", "wakey wakey", "it's time to (get up|wake up|start the day)"]),
          ("dinner", "dinner|supper|meal|dining", "dinner|supper|the meal|eating|our dinner guests|lunch",
           [], ["dinner is (ready|served|on the table)", "(we're|i'm) (about to|going to|gonna) (eat|have dinner|have supper|sit down to eat)", "let's (eat|have dinner)", "time to eat", "(it's|it is) (dinner|supper) time", "food is (ready|on the table)", "dinner time", "supper's ready"]),
          ("party", "party|disco|celebration", "a party|the party|a celebration|dancing|my birthday party|our guests",
           [], ["let's (party|dance|celebrate|get the party started)", "(it's|it is) party time", "(the guests|my friends|people) are (coming|here|arriving), let's party", "party time", "(we're|i'm) having a party", "get the party (started|going)", "time to (party|celebrate|dance)"]),
          ("reading", "reading|book|read", "reading|a book|reading a book|my book|a good read",
           [], ["(i'm|i am|we're) (going to|gonna|about to) read [a book|my book|for a while|something]", "(i want|i'd like) to read [a book|something|my novel]", "let me read", "i'm reading [a book]", "time to read", "i feel like reading", "i'll read [a bit|a book|for a while]"]),
          ("away", "away|leaving|holiday|vacation|absence|goodbye", "our absence|my absence|a holiday|our vacation|when we are out|our trip",
           [], ["(i'm|i am|we're) (leaving|going out|off|heading out|off to work|going to work|out of here|leaving the house|away for the weekend|going on holiday|leaving home|stepping out|going away|on my way out)", "good bye", "goodbye [house]", "bye [bye]", "see you (later|tonight|tomorrow|soon)", "nobody is (home|at home|in the house)", "(everyone|everybody) is (out|leaving|gone)", "i'm about to leave", "(we|i) won't be (home|in) (today|tonight|for a while)"]),
          ("home", "home|welcome|arrival|welcome home|coming home", "my arrival|coming home|our arrival|when we get home|my return",
           [], ["(i'm|i am|we're) (home|back|back home|home again|here|home from work|finally home|back from work)", "honey i'm home", "(i|we) (just got home|just arrived|just came home|got back|just came in|have arrived)", "(i've|we've) (arrived|come home|got home)", "hello i'm (home|back)", "home sweet home", "(i'm|we're) (walking|coming) in (now|the door)"]),
          ("relax", "relax|relaxing|chill|calm|spa|cosy|cozy|relaxation", "relaxing|a relaxed evening|chilling out|a quiet evening|unwinding|a cosy evening",
           [], ["(i want|i need|i'd like|we want) to (relax|chill|unwind|chill out|wind down)", "let's (relax|chill|unwind)", "time to (relax|chill|unwind)", "make it (cosy|cozy|snug) [in here]", "(it's been|it was|what) a (long|hard|stressful|rough) day", "help me (relax|unwind|calm down)", "i'm (so stressed|stressed|stressed out)"]),
          ("focus", "focus|work|working|study|concentration|office|homework", "work|working|studying|my meeting|concentrating|homework|my exam",
           [], ["(i need|i want|i have|i've got) to (work|concentrate|focus|study|do my homework)", "(i'm|i am|we're) (starting work|going to work on something|about to study|studying|working from home|doing homework|working)", "time to (work|focus|study|concentrate)", "let's get (to work|some work done)", "i have (work|homework) to do", "help me (focus|concentrate)"]),
          ("romantic", "romantic|romance|date night|candlelight|date|love", "a date|romance|a romantic dinner|date night|a romantic evening|my date",
           [], ["set (a|the) romantic mood", "make it romantic [in here]", "(it's|it is) date night", "(i have|i've got) a date [tonight|coming over]", "let's get romantic", "(my date|my girlfriend|my boyfriend|my wife|my husband) is coming over tonight", "(put me|get us) in a romantic mood"]),
      ]],
    # questions about the house
    Intent(3.4, {"action": "query"}, SWITCH + ["light"] * 8, ["(check|see|tell me|find out|look|let me know) (if|whether) {obj} (is|are) [still] (on|off|running|turned on|switched off|switched on)", "(check|give me the status of|report on|tell me about) {obj}", "tell me the (status|state) of {obj}", "check on {obj}"],
           ["(is|are) {obj} [still|currently] (on|off|running|turned on|turned off|switched on|switched off)", "did i (leave|turn|switch) {obj} (on|off)", "did (i|we|anyone|someone) (turn off|switch off|turn on|switch on) {obj}", "what's the (status|state) of {obj}", "what is the (status|state) of {obj}", "status of {obj}", "{obj} status", "have i (left|turned|switched) {obj} (on|off)", "is it true that {obj} (is|are) on", "how (is|are) {obj} (set|doing)", "what (is|are) {obj} set to", "do you know if {obj} (is|are) (on|off)", "i wonder if {obj} (is|are) [still] (on|off)", "what's {obj} doing"]),
    Intent(1, {"action": "query"}, LEVELLED, ["tell me (how high|how far up) {obj} (is|are)", "tell me the (level|setting) of {obj}"], ["how (bright|high|low|loud|strong|dim) (is|are) {obj}", "what level (is|are) {obj} (at|on|set to)", "what percentage (is|are) {obj} at", "what's the (level|setting|brightness) of {obj}", "what (colour|color) (is|are) {obj}", "how loud is {obj}"]),
    Intent(1.5, {"action": "query"}, OPENABLE, ["(check|see|tell me) (if|whether) {obj} (is|are) (open|closed|shut|down|up)"], ["(is|are) {obj} [still] (open|closed|shut|up|down)", "did (i|we|anyone) (close|shut|open|leave open) {obj}", "have i (closed|shut|opened) {obj}", "did i leave {obj} open", "{obj} open or closed", "how far open (is|are) {obj}"]),
    Intent(1.5, {"action": "query", "device": "lock"}, [], ["(check|see|tell me) (if|whether) {door} is (locked|unlocked|open|bolted)", "check (the lock on|) {door}"], ["is {door} [still] (locked|unlocked|bolted|open|secure|closed)", "did (i|we|anyone|you) (lock|unlock|leave unlocked) {door}", "have (i|we) locked {door}", "{door} locked or not", "is {door} locked or unlocked", "what's the (status|state) of {door}", "what about {door}, is it locked"]),
    Intent(.3, {"action": "query", "device": "lock", "room": "all"}, [], ["check (that|if|whether) (all the doors|the doors|all doors) are locked"], ["are (all the doors|the doors|all doors) [still] locked", "is (every door|the house) locked", "did i lock (all the doors|every door)"]),
    Intent(.6, {"action": "query", "device": "security"}, [], ["check (if|whether) the {security} is (on|armed|off)"], ["is the {security} (on|armed|off|set|active)", "did i (arm|set|turn on) the {security}", "what's the status of the {security}", "have i (set|armed) the {security}"]),
    Intent(1.8, {"action": "query", "device": "temperature"}, [], ["(tell me|give me|check|show me) the temperature (in|of) {theroom}", "tell me how (warm|cold|hot) (it is {in}|{theroom} is)", "(check|tell me) {themod} temperature"], ["what's the temperature {in}", "what is the temperature {in}", "how (warm|cold|hot|cool) is it {in}", "how (warm|cold|hot) is {theroom}", "how many degrees is it {in}", "what's {themod} temperature", "temperature {in}", "what temperature (is it {in}|is {theroom})", "is it (warm|cold|hot) {in}", "how many degrees (are there|do we have) {in}"]),
    Intent(.5, {"action": "query", "device": "temperature"}, [], ["(tell me|give me|check|show me) the temperature", "tell me how (warm|cold|hot) it is [in here]"], ["what's the temperature [in here|inside|now]", "what is the temperature [in here|inside|now]", "how (warm|cold|hot|cool) is it [in here|inside]", "how many degrees is it [in here]", "what temperature is it [in here]", "is it (warm|cold|hot) in here", "temperature"]),
    Intent(1, {"action": "query", "device": "humidity"}, [], ["(tell me|give me|check) the humidity {in}", "tell me how humid it is {in}"], ["what's the humidity {in}", "how (humid|damp|dry) is it {in}", "how (humid|damp|dry) is {theroom}", "what is the (humidity|moisture) {in}", "humidity {in}", "is the air (dry|humid) {in}"]),
    Intent(.3, {"action": "query", "device": "humidity"}, [], ["(tell me|give me|check) the humidity"], ["what's the humidity [in here]", "how (humid|damp|dry) is it [in here]", "what is the humidity", "humidity"]),
    Intent(.5, {"action": "query", "device": "music"}, [], ["tell me (what's playing|the name of this song)"], ["what's (playing|this song|this track|on the stereo)", "what (song|track) is (this|playing|that)", "who (sings|is singing|plays) this", "what is playing [right now]", "which song is this", "what am i listening to"]),
    Intent(.4, {"action": "query", "device": "tv"}, [], ["tell me what's on (tv|the telly)"], ["what's on (tv|television|the telly|the tv) [tonight|now]", "what channel is (this|on)", "what are we watching", "what is on tv"]),
]

# Nonsense, talk, questions about the world, orders not to: the answer is {"action":"none"}.
NONE = [
    # small talk
    "hello [there|again]", "hi [there|]", "hey [you|there]", "how are you [today|doing|doing today|]", "how's it going", "thank you [very much|so much|for your help|]", "thanks [a lot|a bunch|mate|]", "you're (great|funny|smart|stupid|the best|useless|a star)", "what's your name", "who are you", "who made you", "are you (a robot|human|real|alive|there|listening|happy|an ai|a person|clever)", "tell me (a joke|a story|something funny|about yourself|a secret|a riddle|a fairy tale)", "sing [me] a song about {thing}", "do you (like|love|hate|know|eat|want|understand) (me|{thing}|{person}|music|{food})", "i (like|love|hate|miss|adore|can't stand) {thing}", "i (love|hate|miss) (you|{person}|{place}|{food}|{animal})", "nice to meet you", "what can you do", "never mind", "forget it", "okay", "yes", "no", "maybe", "not really", "i don't know", "that's (nice|great|fine|funny|awful|not what i meant|all|true|a shame)", "what's new", "what's up", "you know what", "nothing", "ok then", "sorry", "i'm sorry", "excuse me", "well well well", "oh [my|dear|no|well]", "wow", "haha", "(happy birthday|merry christmas|congratulations|well done|good job|good luck)", "how old are you", "where (are you from|do you live|do you come from)", "can you (hear|help|understand|see) me", "i'm (bored|happy|sad|hungry|fine|busy|angry|lost|in love|thirsty|sick|pregnant|joking|vegetarian|confused)", "i have a (headache|cold|cat|question|problem|brother|dream|new job|meeting with {person})", "let me think [about it]", "give me a (moment|second|hug|break)", "talk to me", "you (are|were) (right|wrong|funny)", "what do you think [about {thing}]", "guess what", "i was just (joking|talking to {person}|thinking)",
    # the world
    "what's the capital of {place}", "what is the (population|capital|currency|flag) of {place}", "who (is|was|are) (the president of {place}|{person}|the king of {place}|the author of {thing})", "how (far|big|old|deep|tall|heavy) is (the moon|the sun|{place}|mount everest|the eiffel tower|the ocean|a {animal})", "how (many|much) {things} (are there|live|fit|grow) in {place}", "what's the weather (like|) [today|tomorrow|in {place}]", "will it (rain|snow|be sunny|be windy) (today|tomorrow|this weekend|tonight|in {place})", "is it (raining|snowing|sunny|windy|going to rain) [today|in {place}|outside today]", "when (was|did) (the war|{person} born|{person} die|{person} married|the second world war end|{place} founded)", "why is (the sky blue|grass green|the sea salty|{thing} so expensive|{person} famous)", "what's {num} (plus|times|minus|divided by) {num}", "how do (i|you) (make|cook|bake|prepare) {food}", "what (should|can|could) i (cook|eat|make) (tonight|for dinner|for lunch)", "who (won|wins|lost|played) (the match|the game|the election|the world cup|the final) [yesterday|last night|]", "who invented (the {things}|{thing}|the light bulb|the television|the radio|the telephone)", "how (does|do) (a {thing}|{thing}|an engine|a light bulb|a thermostat|a fan|televisions|locks) work", "what does {thing} mean", "how do you (spell|say|pronounce) {thing} [in french|in spanish|]", "translate {thing} (into|to) (french|german|spanish|italian)", "(call|text|phone|ring|email|message) {person}", "send (a message|an email|a text|flowers) to {person}", "(order|buy|get me|bring me|fetch me) [a|some] {food}", "add {food} to (the|my) shopping list", "(book|reserve) a (table|flight|taxi|hotel) (for two|to {place}|in {place}|)", "what's (the news|in the news|the score|the date today|the exchange rate|happening in {place})", "what day is it [today]", "what's the date", "what time is it in {place}", "what's the time in {place}", "remind me (to call {person}|to buy {food}|about {thing}|to feed the {animal})", "where (is|are) (my keys|{person}|my phone|{place}|the {animal}|my glasses|my shoes)", "how (long|far) (is it|does it take|is the drive) to {place}", "what's on my calendar [today|tomorrow]", "(do|are) {animals} (dream|sleep|fly|swim|dangerous|clever|edible)", "is {food} (healthy|good for you|poisonous|expensive)", "which is (bigger|older|better|cheaper), {place} or {place}", "(can|could) {animals} (swim|fly|see colours|see in the dark|smell fear)", "what (colour|color) is (a {animal}|the sky|blood|the sun|an orange|{food})", "how many (legs|teeth|eyes) does a {animal} have", "do you have any (plans|hobbies|friends|children)", "search for {thing}", "google {thing}", "who (wrote|painted|directed|composed) {thing}", "open {thing} on my phone", "play chess with me", "read me (the news|a book|a poem|my emails|my messages)", "what's the (speed of light|meaning of life|square root of {num}|boiling point of water|best {food} recipe)",
    # stories that mention the house
    "my (sister|brother|friend|neighbour|boss|mother|father|wife) (bought|has|sold|wants|broke|loves) (a|the|my|her) [new|old|big] {dev1}", "i (bought|sold|broke|saw|like|found|painted|dreamt of) (a|the|my|your) [new|old|beautiful] {dev1} [yesterday|last week|in {place}|]", "the {dev1} (was|is) (expensive|broken|beautiful|made in {place}|a present|older than me|ugly|from {person})", "(we|they|i) (painted|renovated|cleaned|tidied|decorated) {theroom} [yesterday|last year|last week|]", "{theroom} (is|was|looks) (lovely|untidy|a mess|my favourite room|very big|being painted|full of boxes|too small for us|dirty)", "(who|what) is (in|behind|under) {theroom}", "how much does a {dev1} cost", "which {dev1} should i buy", "i (slept|ate|worked|sat|stayed) {in} (yesterday|all day|last night)", "there (is|was) (a {animal}|{person}|a spider|someone|water|a funny smell) {in}", "{person} (is|was|sleeps|lives|plays) {in}", "the {animal} (sleeps|is|was sick|hides) {in}", "the {dev} in {place} (is|are|was) (beautiful|terrible|famous)", "i need a new {dev1}", "do you like (the|my|our) [new] {dev1}", "how (do i|can i|does one) (clean|repair|install|fix|build) (a|the|my) {dev1}", "the light at the end of the tunnel", "{person} told me about (the|his|her|a) {dev1}", "there are (three|two|four|many) {devs} {in}", "what a (nice|lovely|terrible|strange) {dev1}", "a {dev1} costs {num} euros", "{food} is {in}", "the party last night was {adj}", "the movie (was|is) {adj}", "dinner was {adj}", "i had (a good|a bad|no) sleep", "last night i (read|watched|heard) {thing}", "the {animal} likes (the music|the sofa|{food}|{person})", "my {animal} is {adj}", "(jazz|rock|pop|folk) (was invented|is popular|comes from|started) in {place}", "that (song|film|book|lamp|light) (is|was) {adj}", "she has the (voice|face|eyes) of an angel", "time flies", "light travels faster than sound", "he turned {num} last week", "i (turned|turn) {num} (yesterday|tomorrow|in june)", "my favourite (colour|room|song|film|number) is {thing}", "we set off at dawn", "she locked herself out last week",
    # not to do
    "(don't|do not|please don't|never) (turn|switch) (on|off) {obj}", "(don't|do not|please don't) (turn|switch) {obj} (on|off)", "(don't|do not|never) (touch|change|move|open|close|use|start|stop|dim) {obj}", "leave {obj} (alone|as it is|as they are|the way it is|untouched)", "(don't|do not) do anything [with {obj}]", "(don't|do not) (lock|unlock|open) {door}", "(don't|do not) (set|start|make) (an alarm|a timer)", "(don't|do not) play any music", "(don't|do not) (change|touch) (a thing|anything|the temperature|the volume)", "{obj} (is|are) fine (as it is|like that|the way they are|now|)", "(don't|do not) (wake me|make it warmer|make it darker)",
    # pieces
    "(the|my|a|some) {dev}", "{theroom}", "(turn|switch|put|set|make|change|move|bring)", "(turn|switch|put|set|make) (the|my|it|them|that|this|a)", "(turn|switch|put|set) the {mod}", "the {mod} {dev}", "(turn|switch|put) {theroom}", "(to|at|for|by) {num} (percent|degrees|minutes|)", "{in}", "could you", "please", "(can|would|will) you [please]", "i (want|need|would like) (to|the|a|it|)", "and then", "(what|when|where|why|how|who|if|because)", "is the", "(set|change) the {mod} {dev} to", "set (a|the) (timer|alarm|level|temperature) (for|to)", "at {num}", "um", "hmm", "er well you know", "{gib} {gib}", "{gib}", "{gib} {gib} {gib}", "{gib} the {gib}", "{thing} {adj} {animal} {place}", "{num} {num}", "{adj} {thing} the {dev}", "the {animal} {adj} of", "turn the {animal} (on|off|up|down)", "(set|paint|open|close|lock|start) the {animal}", "switch (on|off) (the {animal}|{person}|{place}|the moon|the sun)", "dim {person}", "put the {food} {in}", "(cook|bake|wash|paint|sell|feed|walk) (the {animal}|{food}|{theroom}|the car|the baby)",
    "what's the (tallest|biggest|oldest|longest|highest|deepest|most beautiful|richest) (building|river|city|mountain|lake|bridge|country|tree|street|museum|volcano) in {place}", "(who|which) was the first (man|woman|person|king|animal|car|president) (in {place}|in space|of {place}|to climb mount everest|to fly)",
    "how many (calories|vitamins|grams|carbs) (are in|does) {food} [have]", "i (had|ate|cooked|made|ordered|want|burnt) {food} (for lunch|for dinner|for breakfast|yesterday|again)", "{theroom} (smells|stinks) (of {food}|awful|funny|nice|like a {animal})", "the {animal} is (sitting|lying|sleeping|running around|hiding|jumping) {in}",
    "(i saw|i met|i found|i heard) ({person}|the {animal}) {in}", "(calculate|how much is|what is) {num} (plus|times|minus|divided by) {num}", "how (are|were|is) (things|your day|your family|your weekend|life|the wife|business)", "(tell|read) me (a|another) (bedtime|funny|short|scary) (story|tale)", "what('s| is) (politics|{thing}|a {animal}) [about|good for]",
    "(order|get) (a|some) (large|small|hot|fresh) {food}", "(thanks|thank you|great), (that's all|that will be all|that was it|nothing else|i'm good)", "that('s| will be) (all|it|everything) [for now|thanks]", "you('re| are) (a|such a) (very|really|) (clever|good|bad|silly|strange) (machine|computer|assistant|house|boy|robot)",
    "how do (i|you) (fix|repair|clean|install|descale|replace) (a|the|my) (broken|old|new|leaking|dirty|) {dev1}", "(my|our) (brother|sister|neighbour|son|daughter|uncle|friend) (painted|cleaned|repaired|flooded|redecorated|likes) (his|her|their) {mod}", "what (are|do) {things} [mean|made of|eat|cost]", "(is|are) there (life on mars|{animals} in {place}|any {food} left|a {animal} {in})",
    "{person} (called|said hello|is ill|is coming tomorrow|works in {place}|has a {animal}|was {adj})", "we (went|are flying|drove|moved) to {place} (last year|next week|yesterday|in may)", "(blah|la|bla|yada) (blah|la|bla) (blah|la|bla)", "(yes|no|ok|sure) (please|thanks|sir|of course|that's right|i think so)", "(who|what) (lives|sleeps|is standing) {in}", "the (lights|lamps|music|curtains|tv) (was|were) (lovely|awful|too expensive|{adj}) (at the concert|at the hotel|in {place}|at {person}'s house)", "pay (my|the) (bills|rent)", "transfer {num} euros to {person}", "(post|share) this on facebook", "(how|what) about {thing}", "the (price|colour|history|sound) of {thing}", "i (think|believe|hope|wish) {person} is {adj}", "{person} and {person} are (married|friends|in {place})", "where can i buy (a {dev1}|{food}|{things})", "(why|when) did you (buy|sell|break) the {dev1}", "does {person} like {food}", "do you want (some|) {food}", "(take|make) a (photo|note|list|picture|selfie)",
]
NONE_WORDS = {
    "thing": ["football", "love", "money", "the lord of the rings", "poetry", "winter", "happiness", "mathematics", "gravity", "democracy", "a bicycle", "the ocean", "philosophy", "history", "hamlet", "the news", "my car", "golf", "art", "school", "the internet", "seven", "friendship", "photosynthesis", "autumn leaves", "computers", "blue cheese", "the mona lisa", "yoga", "tennis", "a black hole", "inflation"],
    "things": ["people", "stars", "trees", "bottles", "languages", "wheels", "cats", "books", "islands", "planets", "telephones", "cars", "windmills", "rivers"],
    "place": ["france", "london", "tokyo", "paris", "new york", "germany", "the netherlands", "africa", "italy", "japan", "brazil", "berlin", "australia", "mexico", "rome", "canada", "the city", "china", "sweden", "egypt", "chicago", "madrid", "the village", "peru", "scotland"],
    "person": ["my mum", "john", "anna", "peter", "my boss", "einstein", "shakespeare", "the doctor", "grandma", "mozart", "the queen", "uncle bob", "my teacher", "sarah", "napoleon", "dad", "the plumber", "julia", "my aunt", "tom", "emma", "the postman", "darwin", "mary"],
    "animal": ["cat", "dog", "elephant", "horse", "goldfish", "spider", "rabbit", "lion", "penguin", "hamster", "parrot", "mouse", "cow", "giraffe"],
    "animals": ["cats", "dogs", "fish", "horses", "birds", "penguins", "spiders", "bees", "sheep", "whales", "elephants"],
    "food": ["pizza", "milk", "bread", "pasta", "eggs", "apple pie", "chocolate", "rice", "soup", "a sandwich", "tomatoes", "coffee beans", "butter", "pancakes", "cheese", "bananas", "curry", "beer"],
    "adj": ["great", "boring", "wonderful", "terrible", "too long", "strange", "amazing", "very old", "delicious", "not my taste", "really good", "so so", "awful", "funny", "nice", "green", "purple"],
}
DOORS = {
    "front_door": ["the front door", "the front door", "the main door", "the entrance", "the house door", "the entry door"],
    "back_door": ["the back door", "the back door", "the rear door"],
    "garage": ["the garage", "the door to the garage", "the door of the garage"],
    "patio": ["the patio door", "the terrace door", "the door to the patio"],
    "basement": ["the basement door", "the cellar door", "the door to the basement"],
    "balcony": ["the balcony door", "the door to the balcony"], "study": ["the office door", "the study door"],
    "bathroom": ["the bathroom door"], "bedroom": ["the bedroom door", "the door to the bedroom"],
    "workshop": ["the shed", "the shed door", "the workshop"], None: ["the door", "the door", "the lock", "my door"],
}
BITS = ["a bit", "a little", "a little bit", "slightly", "a tad", "a touch", "some more", "a lot", "much", "a notch", "somewhat"]
COLD = "too cold|freezing|so cold|really cold|cold|chilly|a bit chilly|a little cold|quite cold|icy|way too cold|not warm enough|rather cold|awfully cold|like a fridge"
HOT = "too hot|boiling|so hot|really hot|hot|too warm|a bit warm|a little hot|roasting|sweltering|way too hot|not cool enough|quite hot|unbearably hot|like an oven|awfully warm"
DARK = "too dark|so dark|dark|a bit dark|really dark|too dim|a little dark|rather dark|gloomy|a bit gloomy|not bright enough|very dark|getting dark|quite dim"
BRIGHT = "too bright|so bright|a bit bright|really bright|way too bright|a little bright|very bright|blinding|much too bright|a bit too bright|dazzling|not dark enough"
