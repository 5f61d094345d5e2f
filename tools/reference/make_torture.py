"""Write tests/fixtures/text/torture.txt: valid UTF-8 that tokenizers get wrong.

A tokenizer under test must encode it as the tokenizers library does and decode it back to the same bytes where its
decoder allows that. Sections start with a line "# name"; some of what follows is invisible, so read it here.

example: python tools/reference/make_torture.py
"""

import argparse
import unicodedata
from pathlib import Path

from common import FIXTURES

SCRIPTS = """\
English: The quick brown fox jumps over the lazy dog.
Français : « Où est l'élève naïf ? » — à Noël, çà et là ; œuf, Ÿ.
Deutsch: Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. STRASSE/Straße/ẞ
Español: ¿Qué pasó? ¡El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia, ñandú!
Polski: Zażółć gęślą jaźń. Čeština: Příliš žluťoučký kůň úpěl ďábelské ódy.
Türkçe: İstanbul'da ılık IŞIK, i̇ ve ı. Íslenska: Þjóðin, æði. Magyar: árvíztűrő tükörfúrógép.
Tiếng Việt: Tôi đã uống nước mía ở chợ Bến Thành; ệ ộ ữ ẵ.
Ελληνικά: Ξεσκεπάζω την ψυχοφθόρα σας βδελυγμία. ΣΊΣΥΦΟΣ σίσυφος ᾳ ᾧ
Русский: Съешь же ещё этих мягких французских булок, да выпей чаю. Українська: їжак, ґанок, п'ять.
Հայերեն: Բոլոր մարդիկ ծնվում են ազատ։ ქართული: ყველა ადამიანი იბადება თავისუფალი.
עברית: כל בני האדם נולדו בני חורין, שָׁלוֹם עוֹלָם.
العربية: يولد جميع الناس أحرارًا، ﷽ ـــــ لا إله. فارسی: می‌خواهم کتاب‌ها را. اردو: انسان
हिन्दी: सभी मनुष्यों को गौरव और अधिकार — क्ष त्र ज्ञ श्री। বাংলা: সমস্ত মানুষ স্বাধীনভাবে। ਪੰਜਾਬੀ: ਮਨੁੱਖ
தமிழ்: மனிதப் பிறவியினர் சகலரும்; తెలుగు: ప్రతిపత్తిస్వత్వముల; ಕನ್ನಡ: ಎಲ್ಲಾ; മലയാളം: മനുഷ്യരെല്ലാം; සිංහල: සියලු
ภาษาไทย: มนุษย์ทั้งหลายเกิดมามีอิสระ ກິນເຂົ້າ မြန်မာဘာသာ ភាសាខ្មែរ བོད་སྐད་
中文：人人生而自由，在尊严和权利上一律平等。繁體：龍龜鬱。罕用：𠀀𠮷𪚥
日本語：すべての人間は、生まれながらにして自由であり、ﾊﾝｶｸｶﾅ、ヴァイオリン、が(か\u3099)。
한국어: 모든 인간은 태어날 때부터 자유로우며, \u1112\u1161\u11ab\u1100\u1173\u11af 값이 뷁.
አማርኛ: የሰው ልጅ ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ᚠᚢᚦᚨᚱᚲ ᠮᠣᠩᠭᠣᠯ ⵜⵉⴼⵉⵏⴰⵖ 𐌰𐌱𐌲 𒀀𒁀 𓀀𓂀 𐍈 𞤀𞤣𞤤𞤢𞤥
Mixed: abcабвαβγ漢字كلمة中a文b1 helloмир你好world
"""

EMOJI = [
    "😀😁😂🤣 🙂text🙃 a😀b",
    "👨\u200d👩\u200d👧\u200d👦 👩🏽\u200d🚀 🏳\ufe0f\u200d🌈 🏴\u200d☠\ufe0f ❤\ufe0f\u200d🔥 🧑🏿\u200d🤝\u200d🧑🏻",
    "👍 👍🏻 👍🏼 👍🏽 👍🏾 👍🏿 ☝🏿 🇩🇪🇫🇷🇯🇵🇺 🇦",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f 1\ufe0f\u20e3 #\ufe0f\u20e3 *\u20e3 ☺ ☺\ufe0e ☺\ufe0f",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, ½ ⅓ x² x₂ ∑∏∫√∞≠≤≥ ℏ Ω Å K ﬁ ﬂ ﬃ ① ㊙ ㎏ Ⅷ ™ © ® № ‰ € £ ¥ ₹ ₿",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒻𝑜𝓃𝓉 𝟘𝟙𝟚 ｆｕｌｌｗｉｄｔｈ　ＡＢＣ１２３ ┌─┐│█▓▒░└─┘ ♔♕ ♩♪ 🀄 🂡",
]

COMBINING = [
    "e\u0301 \u00e9 a\u0308\u0304 o\u0302\u0323 \u1ed9 \u0301alone q\u0307\u0323 q\u0323\u0307 \u00c5 A\u030a \u212b",
    "Z\u0351\u036b\u0343\u036a\u0302\u034b\u0304\u0323\u0324\u0325\u0326a\u0315\u031b\u0340\u0341\u0358l\u0321\u0322g\u0327\u0328o",
    "a" + "\u0301" * 40 + "b",
    "\u0915\u094d\u200d\u0937 \u0915\u094d\u200c\u0937 soft\u00adhyphen word\u2060joiner zero\u200bwidth \ufeffbom in the middle",
    "\u202eright to left override\u202c \u2066isolate\u2069 \u200fmark\u200e",
]

CONTRACTIONS = [
    "I'll we've you're he'd she's I'm don't can't won't isn't it's that'd y'all'd've o'clock 'tis rock 'n' roll",
    "I'LL WE'VE YOU'RE HE'D SHE'S I'M DON'T CAN'T WON'T ISN'T IT'S I'Ll i'lL You'Re 'S 'T 'RE 'VE 'M 'LL 'D",
    "I\u2019ll we\u2019ve you\u2019re he\u2019d she\u2019s I\u2019m don\u2019t \u2019s \u2019S DON\u2019T it\u02bcs it\u2018s it\u00b4s it`s",
    "'s 't 're 've 'm 'll 'd ''s '' 's' 'sa 'ssss 'lll 're're x's's 1's 'ſ 'K I'ſ",
    "(don't) [can't] {won't} \"it's\" dogs' James's '90s 5'11\" d'être l'été aujourd'hui",
]

DIGITS = [
    "0 1 12 123 1234 12345 123456 1234567 12345678901234567890 007 1,234,567.89 -1 +1 1e-5 0x1F 3.14159 1.2.3.4",
    "abc123def 4th 1st 2nd x2 v1.0.0 10% $99.99 12:34:56 2024-02-29 +49 (0)30 1234-5678 1/2 50°C",
    "\u0660\u0661\u0662\u0663\u0664\u0665 \u06f1\u06f2\u06f3 \u0967\u0968\u0969 \u09e7\u09e8\u09e9 \u0e51\u0e52\u0e53 \u17e1\u17e2 \u1811\u1812 \U0001d7d8\U0001d7d9 "
    "\uff11\uff12\uff13\uff14 \u00b2\u00b3\u00b9 \u2460\u2461 \u2160\u216b \u4e00\u4e8c\u4e09\u5341\u767e \u0be7\u0be8\u0bf0 1\u06612\u0662",
]

LOOK_ALIKES = [
    "<s> </s> <unk> <pad> <bos> <eos> <mask> [CLS] [SEP] [MASK] [UNK] [INST] [/INST] <<SYS>>",
    "<|endoftext|> <|im_start|>user <|im_end|> <|begin_of_text|> <|eot_id|> <|start_story|> <|end_story|> <|assistant|>",
    "<s></s><unk><s><s> a<s>b </s>c d</s> e <s> f <|endoftext|><|endoftext|>g<|im_start|>h<|im_end|>i",
    "< s> <S> <s > <s <|endoftext| |endoftext|> <|ENDOFTEXT|> <|end of text|> <|im_start |> <<s>> </ s>",
    "<0x41> <0x0A> <0xFF> <0xff> <0x4> <0x411> 0x41 \\x41 \\n \\u2581 &lt;s&gt; %3Cs%3E",
    "\u2581 \u2581\u2581 \u2581the \u2581\u2581the the\u2581 a\u2581b a \u2581 b _ __ _the ▁<s>▁ \u0120the \u010a \u0109 \u0100 \u0143 Ġ Ċ",
    "##ing @@ing ing@@ </w> ing</w> Ċ\u0120\u0120 \u00c3\u00a9 \u00ef\u00bf\u00bd \ufffd \ufffd\ufffd",
]

SPACES = (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0x180E, 0x200B, 0xFEFF, 0x85)

CODE = """\
fn main() {\n    let x: &'static str = "a\\tb";\n\tprintln!("{x:?}"); // ok?\n}\n
def f(x, *a, **k):\n\treturn {"k": [1, 2, {'y': None}]}  # TODO\n
<div class="a">&amp;</div><!-- --> https://example.org/a?b=c&d=%20#e user@example.org C:\\dir\\file.txt ../../x
if(a!=b&&c||!d){e+=f>>>2;g=h?i:j;}//...///***===---___~~~```$$$^^^@@@!!!???...,,,;;;:::
SELECT * FROM t WHERE a='b''c' AND d LIKE '%e%';  \\alpha_{i}^{2} $x$ \\\\ \\" \\'
camelCase PascalCase snake_case SCREAMING_CASE kebab-case iPhone15Pro XMLHttpRequest HTTPServer2
"""


def torture():
    """The whole text."""
    out = ["  leading spaces at the very start\n"]

    def section(name, *lines):
        out.append(f"# {name}\n" + "".join(line + "\n" for line in lines))

    section("scripts", SCRIPTS)
    section("emoji and symbols", *EMOJI)
    section("combining and invisible", *COMBINING)
    section("contractions", *CONTRACTIONS)
    section("digits", *DIGITS)
    section("special look-alikes", *LOOK_ALIKES)
    section("code", CODE)
    section("spaces, each between letters, doubled, before and after a word",
            *(f"a{chr(c)}b{chr(c) * 2}c {chr(c)}d{chr(c)} e" for c in SPACES))
    section("runs of spaces", *(f"x{' ' * n}y" for n in (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 100, 257)),
            *(" " * n + "indented" + " " * n for n in (1, 2, 3, 4, 8, 16)), " ", "  ", "   ")
    section("tabs", "\t", "\t\t", "a\tb\t\tc \t d\t \te", "\tindented", "\t\t  \tmixed", "trailing\t", " \t \t ")
    section("line ends", "CRLF\r\nagain\r\n\r\nblank\r\n", "CR\ralone\r\rtwo\r", "LF CR\n\rturned \r\n \r\n mixed \n \r ",
            "vertical\vtab form\ffeed next\u0085line line\u2028separator paragraph\u2029separator", "space before \nLF  \n  both",
            *(f"n{chr(10) * n}n" for n in (2, 3, 4, 5, 8, 16, 33)), "mix\n \n  \n\t\n \t \n\n end")
    section("controls", "".join(f"{chr(c)}" for c in range(0x20) if c not in (0x0A, 0x0D)), "".join(map(chr, range(0x7F, 0xA1))),
            "a\0b\0\0c \0", "\x1b[31mred\x1b[0m", "bell\x07 back\x08space del\x7f")
    section("one letter", *(c * n for c in "aZ" for n in (2, 3, 5, 17, 100)), "a" * 1500, "ab" * 150, "é" * 60, "中" * 60,
            "😀" * 30, "." * 120, "-" * 90, "=" * 90, "!?" * 40, "'" * 20, "0" * 70, "a " * 60, " a" * 60, "▁" * 25, "ſ" * 9)
    section("edges of UTF-8", "\x7f\x80 \u07ff\u0800 \uffff\U00010000 \U0010ffff \ud7ff\ue000 \ufdd0 \ufffe \U0001fffe \uf8ff \U000f0000",
            "\u0378 \u2fe0 \U0001f9ff\U0001fbff \U000e0001 \U00030000 \U0003134a")
    section("case", "ǅ ǆ Ǆ ß ẞ SS ı I i İ ſ K k Å å Σ σ ς ŉ ﬃ ᾳ ᾼ Ꮳ ꮳ ⓐ Ⓐ ª º ʰ ⁿ Ⅷ ⅷ")
    section("marks", "…‥․ – — ― ‐ ‑ − ‘’ “” „‟ «» ‹› ¡¿ ‽ † ‡ • ‣ ′ ″ ‴ ⁂ § ¶ 、。「」『』【】〜・；：！？ ،؛؟ ।॥ ။ ፡። ՜՞",
            "(a)(b)[c]{d}<e>\"f\"'g'`h`/i/\\j\\|k| , . ; : ! ? a,b.c;d:e!f?g ...a .b. \"'a'\" ?! !? -- --- a--b a - b")
    out.append("the end, with trailing spaces and no line end   ")
    return "".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FIXTURES / "text" / "torture.txt")
    args = parser.parse_args()
    text = torture()
    data = text.encode()
    args.out.write_bytes(data)
    scripts = {unicodedata.name(c, "?").split()[0] for c in text}
    print(f"{args.out.name}: {len(data):,} bytes, {len(text):,} characters, {len(set(text)):,} different, {len(scripts)} name groups")


if __name__ == "__main__":
    main()
