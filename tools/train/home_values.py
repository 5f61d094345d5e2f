"""Levels, temperatures, durations and times of day, drawn as (words, value): half of the numbers in digits."""

import re

UNITS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
         "eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBERS = {*UNITS, *TENS, "hundred", "half", "quarter"}


def number(n):
    """A number from 0 to 120 in words."""
    if n < 20:
        return UNITS[n]
    if n < 100:
        return TENS[n // 10 - 2] + (("-" if n % 3 == 0 else " ") + UNITS[n % 10] if n % 10 else "")
    return ("a hundred" if n % 2 else "one hundred") + (f" and {number(n - 100)}" if n > 100 else "")


def spoken(rng, n):
    return str(n) if rng.random() < 0.5 else number(n)


def percent(rng, low=0):
    """(words, level)"""
    if low == 0 and rng.random() < 0.06:
        return rng.choice([("half", 50), ("a quarter", 25), ("three quarters", 75), ("a third", 33), ("maximum", 100), ("full", 100)])
    about = rng.choice(["about ", "around ", "roughly ", "exactly "]) if rng.random() < 0.04 else ""
    n = rng.choice([10 * rng.randint(1 if low else 0, 10), 5 * rng.randint(1, 20), rng.randint(max(1, low), 100)])
    return about + spoken(rng, n) + rng.choice([" percent", " percent", "%", "", " per cent", " %"]), n


def degrees(rng):
    """(words, temperature)"""
    n = rng.choice([rng.randint(16, 26), rng.randint(5, 30)])
    unit = rng.choice([" degrees", " degrees", "", "°", " degrees celsius", " c", "°c", " deg"])
    if rng.random() < 0.12:
        return rng.choice([f"{n}.5", f"{number(n)} and a half", f"{number(n)} point five", f"{n} and a half"]) + unit, n + 0.5
    return spoken(rng, n) + unit, n


def span(rng, adjective=False):
    """(words, duration): 45s, 10m, 2h, 1h30m, 2m30s; minutes stay as they are said."""
    kind = rng.random()
    s = "" if adjective else "s"
    if kind < 0.5:
        n = rng.choice([rng.randint(1, 12), 5 * rng.randint(1, 12), rng.randint(1, 60), rng.choice([45, 90, 75, 120])])
        unit = rng.choice(["minute", "minute", "minute", "min"])
        word = rng.choice(["a ", "one ", "1 "]) + unit if n == 1 else spoken(rng, n) + rng.choice([" ", "-" if adjective else " "]) + unit + s
        return word, f"{n}m"
    if kind < 0.62:
        n = rng.choice([10, 15, 20, 30, 45, 90, rng.randint(5, 60)])
        return spoken(rng, n) + " " + rng.choice(["second", "sec"]) + s, f"{n}s"
    if kind < 0.78:
        n = rng.choice([1, 2, 3, rng.randint(1, 12)])
        return (rng.choice(["an hour", "one hour", "1 hour"]) if n == 1 else spoken(rng, n) + " hour" + s), f"{n}h"
    if kind < 0.86:
        return rng.choice([("half an hour", "30m"), ("half an hour", "30m"), ("a quarter of an hour", "15m"), ("three quarters of an hour", "45m"), ("a half hour", "30m")])
    n = rng.randint(1, 6)
    if kind < 0.93:
        if n == 1:
            return rng.choice(["an hour and a half", "one and a half hours", "1.5 hours", "one hour and thirty minutes"]), "1h30m"
        return rng.choice([f"{number(n)} and a half hours", f"{n} and a half hours", f"{n}.5 hours", f"{number(n)} hours and a half"]), f"{n}h30m"
    if kind < 0.97:
        m = rng.choice([5 * rng.randint(1, 11), rng.randint(1, 59)])
        hours = rng.choice(["an hour", "one hour", "1 hour"]) if n == 1 else spoken(rng, n) + " hours"
        return f"{hours} {rng.choice(['and ', ''])}{spoken(rng, m)} minute{'s' if m > 1 else ''}", f"{n}h{m}m"
    return rng.choice([f"{number(n)} and a half minutes" if n > 1 else "a minute and a half", f"{n} minute{'s' if n > 1 else ''} and 30 seconds", f"{n} minute{'s' if n > 1 else ''} thirty seconds"]), f"{n}m30s"


TAILS = [("", ""), ("", ""), ("am", "am"), ("am", " am"), ("am", " a.m."), ("am", " in the morning"), ("pm", "pm"), ("pm", " pm"), ("pm", " p.m."),
         ("pm", " in the evening"), ("pm", " in the afternoon"), ("pm", " tonight"), ("pm", " at night"), ("am", " o'clock in the morning"), ("pm", " this evening")]
TOMORROW = [("am", " tomorrow morning"), ("am", " tomorrow morning"), ("pm", " tomorrow evening"), ("pm", " tomorrow afternoon"), ("pm", " tomorrow night")]


def tomorrow(rng):
    """(words, time): 'at seven tomorrow morning' or 'tomorrow morning at seven'"""
    words, value = clock(rng, TOMORROW)
    time, part = words.split(" tomorrow ")
    return rng.choice([f"at {time} tomorrow {part}", f"tomorrow {part} at {time}"]), value


def clock(rng, tails=TAILS):
    """(words, time as HH:MM): without am, pm or a part of the day the hour stays as it is said."""
    if tails is TAILS and rng.random() < 0.05:
        return rng.choice([("noon", "12:00"), ("midnight", "00:00"), ("midday", "12:00")])
    if tails is TAILS and rng.random() < 0.16:
        h, m = rng.randint(0, 23), rng.choice([0, 15, 30, 45, rng.randint(0, 59)])
        return (f"{h:02}:{m:02}" if rng.random() < 0.6 else f"{h}:{m:02}"), f"{h:02}:{m:02}"
    h = rng.randint(1, 12)
    m = rng.choice([0, 0, 0, 30, 30, 15, 45, 5 * rng.randint(1, 11), rng.randint(1, 59)])
    half, tail = rng.choice(tails)
    if "evening" in tail or "night" in tail:
        h = rng.randint(5, 11)
    elif "afternoon" in tail:
        h = rng.choice([12, 1, 2, 3, 4, 5, 6])
    elif "morning" in tail:
        h = rng.randint(1, 11)
    oclock = "o'clock" in tail
    if oclock:
        m = 0
    hour24 = h % 12 + (12 if half == "pm" else 0) if half else h
    value = f"{hour24:02}:{m:02}"
    name, nxt = number(h), number(h % 12 + 1)
    words = [f"{h}:{m:02}", f"{h}.{m:02}"] if m else [str(h), name, f"{h}:00"]
    if m == 0 and not tail:
        words += [f"{name} o'clock", f"{h} o'clock"]
    if oclock:
        words = [name, str(h)]
    if m:
        words.append(f"{name} {number(m)}" if m > 9 else f"{name} oh {number(m)}")
    if "m" not in re.sub("tomorrow|morning", "", tail):
        words += {30: [f"half past {name}", f"half past {h}", f"half {name}"][:2], 15: [f"quarter past {name}", f"a quarter past {name}"], 45: [f"quarter to {nxt}", f"a quarter to {nxt}"]}.get(m, []) * 2
        if m % 5 == 0 and 0 < m < 30 and m != 15:
            words.append(f"{number(m)} past {name}")
        if m % 5 == 0 and m > 30 and m != 45:
            words.append(f"{number(60 - m)} to {nxt}")
    return rng.choice(words) + tail, value
