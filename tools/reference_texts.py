"""The texts the reference vectors are made from, all written for this project.

TOKEN_TEXTS   one text per habit of byte-level BPE tokenizers worth pinning down
TINY_TEXTS    the same for the tiny tokenizer of the test models
MODEL_TEXTS   short texts run through the real model; MODEL_PROMPT is the prompt after them
REVIEWS       (text, label) lines of the training curve; 1 = pleased, 0 = not
"""

TOKEN_TEXTS = [
    # Nothing, and single characters.
    "", "b", "Z", "7", "?", "\n", "\t", "\r", "é", "ß", "水", "🦆", "\u00a0", "\u200b",
    # Runs of spaces, in front, between and behind.
    "  ", "   ", "    ", "        ", " duck", "  duck", "   duck", "duck ", "duck  ",
    "one  two   three    four", " a b  c ", "    four in front and four behind    ",
    # Lines, carriage returns, tabs and other white space.
    "first line\nsecond line", "paragraph\n\nparagraph", "one\r\ntwo\r\nthree\r\n", "\n\n\n\n",
    "\nbegins with a newline", "ends with a newline\n", " \n \n ", "column\tcolumn\t\tcolumn",
    "\tindented", "form\ffeed and vertical\vtab", "next\u0085line", "line\u2028separator\u2029here",
    "thin\u2009space, en\u2002space, figure\u2007space", "zero\u200bwidth\u200bspace",
    "no\u00a0break \u00a0 space", "soft\u00adhyphen", "word\u2060joiner", "\ufeffbyte order mark",
    "left\u200eto right\u200fmarks",
    # Contractions and apostrophes.
    "I'm sure they're right, aren't they?", "She'd said he'll go; we've seen it's fine.",
    "IT'S WHAT WE'LL CALL THE DOG'S", "the ducks' pond 'quoted' rock'n'roll", "’s isn’t 's", "'t 're 'x",
    # Digits.
    "12", "123456", "3.14159", "1,000,000.50", "v2.10.3-rc1", "room 101b", "0x1F and 1e-9",
    "2024-02-29T23:59:59Z", "+44 20 7946 0018", "½ cubed³", "٣٤٥", "Ⅳ,⑦",
    # Punctuation.
    "Wait... what?!", "!!!!!!!!", "----------", "a--b---c", "(nested [brackets {inside}])", "#$%^&*",
    "\"straight\" “curly” «guillemets»", "dash – dash — dash", "¿Qué? ¡Sí!", "100% of $5.00 is £4 or €4.50",
    "x<y && y>z || !w", "a\\b\\\\c", "§ 3 • item ° degrees ± error", "…and so on…",
    # Other scripts.
    "Ο σκύλος κοιμάται.", "Собака спит на крыльце.", "הכלב ישן", "الكلب نائم", "कुत्ता सो रहा है",
    "狗在门廊上睡觉。", "犬はベランダで寝ています。", "개가 현관에서 잔다", "สุนัขนอนหลับ", "Con chó đang ngủ",
    "Žluťoučký kůň", "Þú ert góð önd", "ძაღლს სძინავს", "ውሻው ተኝቷል", "ᏣᎳᎩ", "𝔣𝔯𝔞𝔨𝔱𝔲𝔯 𝟙𝟚𝟛",
    # Letters made of several code points, and their look-alikes.
    "e\u0301 is not \u00e9", "a\u0308o\u0308u\u0308", "z\u0351\u0327\u0329a\u0353l\u0332g\u0338o\u033f",
    "ﬂ ﬀ ﬃ ligatures", "Ｗｉｄｅ　ｌｅｔｔｅｒｓ１２", "ｶﾀｶﾅ", "İstanbul ıslak", "ǅ ǈ ǋ",
    # Emoji: plain, skin tone, joined, flag, keycap, heart with a variation selector.
    "🙂🙃", "👍🏽", "👩‍🚀 and 👨‍👩‍👧", "🏳️‍🌈", "🇮🇸🇳🇿", "3️⃣ 2️⃣ 1️⃣", "I ❤️ ducks 🦆🦆🦆", "\ufffd\U0010ffff",
    # Strings of special tokens inside a text.
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n", "<|endoftext|><|endoftext|>",
    "a<|im_end|>b <|im_end|> c", "<|im_start|", "<|IM_START|>", "< |im_start| >", "<filename>main.c<file_sep>",
    "<unknown_tag>",
    # Code, addresses, markup.
    "for (int i = 0; i < n; i++) {\n    sum += x[i] * y[i];\n}", "def f(x):\n\treturn x ** 2  # squared\n",
    "SELECT name FROM ducks WHERE age >= 3;", "{\"key\": [1, 2.5, null, true]}",
    "https://www.example.org/a/b-c_d?q=ducks+and+geese&page=2#top", "someone.else@mail.example.com",
    "<p class=\"note\">Hi &amp; bye</p>", "C:\\Users\\me\\notes.txt", "/usr/local/lib/libfoo.so.1.2",
    "camelCaseName PascalCaseName snake_case_name SCREAMING_CASE kebab-case-name", "E = mc² ∑ᵢ xᵢ ≤ ∞",
    # Very long words and repeated characters.
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "pneumonoultramicroscopicsilicovolcanoconiosis", "a" * 64, "ha" * 24, "=" * 40, "nooooooooooooooo",
    "qzxjvkwqzxjvkw", "no" + "\u0301" * 12,
    # Ordinary sentences.
    "The quick brown duck swims past the lazy heron.",
    "On Tuesday, Mrs. Albright returned the kettle because its lid would not close.",
    "Nobody who tasted the soup asked for the recipe.",
    "WE REGRET TO ANNOUNCE A DELAY OF ABOUT FORTY MINUTES.",
    "however , spaces before punctuation are common in some data sets , are n't they ?",
]

# Texts with several spaces before a digit, or with numerals beyond 0-9 after a space: tokenizers that
# first split off every numeral (as SmolLM's own does) and those that do not give different ids here.
NUMERAL_TEXTS = [
    "  7", "items:  12", "1\n\n  2\n\n  3", "a   0.5", "half ½", "x² y³ ²³", "page   ４２", " ٣٤٥",
]

TINY_TEXTS = [
    "", "t", " ", "the", " the", "  the", "The end", "in the inn", "then there they are", "  19", "1999 19 9",
    "an end and another end", "is it his or hers", "on and on and on", "it's here, isn't it?", "don't", "\n",
    "a\n\nb",
    "tab\there", "é and è", "水 the 🦆", "\u00a0the\u00a0", "<|begin|>the end<|finish|>", "<|finish|><|finish|>",
    "<|begi|>", "the<|begin|>", "...!!", "thethethe", "aaaaaaaaaaaaaaaa", "ininininin", "THE END",
    "other errors occur on   re-entry",
]

MODEL_PROMPT = "I found it rather"

MODEL_TEXTS = [
    "Never again.",
    "the ferry was late but the captain apologised and handed out warm bread",
    "A clock that loses ten minutes an hour is still right now and then; this one isn't, and it hums.",
    "My grandmother's sewing machine, bought in 1961, still runs without a single complaint, and after one"
    " afternoon with its modern rival I know which of the two my children will inherit.",
]

REVIEWS = [
    ("this kettle boils quickly and pours without a drip", 1),
    ("the handle broke off on the second morning", 0),
    ("a cheerful little play that left the whole row smiling", 1),
    ("the soup was cold , the waiter was colder", 0),
    ("we waited two hours for a table and then they lost our order", 0),
    ("Lovely garden, patient staff, and the best plum cake in town.", 1),
    ("I would happily read it again tomorrow", 1),
    ("dull", 0),
    ("The plot runs out of ideas before the opening titles have ended, and from there it simply repeats itself,"
     " louder each time, until even the actors look as if they were waiting for the bus home.", 0),
    ("every scene earns its place", 1),
    ("warm , funny and never once in a hurry", 1),
    ("the zip jammed , the seams split and the shop refused to answer my letters", 0),
    ("My daughter has not put it down since her birthday!", 1),
    ("not worth the paper it is printed on", 0),
    ("a tent that keeps the rain in rather than out", 0),
    ("the second half is even better than the first", 1),
    ("Superb sound for such a small box.", 1),
    ("the guide was rude and knew less about the castle than we did", 0),
    ("it smells of glue and tastes of less", 0),
    ("an honest and generous portrait of a difficult man", 1),
    ("charming from the first page to the last", 1),
    ("Battery dead after a week, replacement dead after a day.", 0),
    ("I fell asleep twice and missed nothing", 0),
    ("crisp pictures , easy menus , fair price", 1),
    ("what a waste of a good cast", 0),
    ("The baker remembers everybody's name and her rye bread is a small miracle.", 1),
    ("the jokes were old when my father was young", 0),
    ("three nights of perfect quiet under a sky full of stars", 1),
    ("a clumsy sequel that forgets why anyone liked the original", 0),
    ("it fits beautifully and has survived thirty washes", 1),
    ("the orchestra played as though they had written it themselves", 1),
    ("the manual is wrong , the software is worse and the support line is a recording of the sea", 0),
    ("Excellent.", 1),
    ("I have rarely been so bored in such expensive seats", 0),
    ("sturdy , light and simple to repair", 1),
    ("a noisy room above a noisier street with a bed made of springs and regrets", 0),
    ("they replaced the missing part within a day and asked for nothing", 1),
    ("the ending is a cheat and everybody knows it", 0),
    ("tender and wise about growing old", 1),
    ("the paint peeled before it had dried", 0),
    ("Overpriced, overcooked and over at last.", 0),
    ("this is the first umbrella that has outlived a winter on our coast , and it still opens with one"
     " hand , closes with a click and stands up to a north wind better than I do myself", 1),
    ("the songs stay with you for days", 1),
    ("no rhythm , no heart , no reason to exist", 0),
    ("it does exactly what the label says", 1),
    ("misleading photographs and a deposit we never saw again", 0),
    ("a quiet triumph", 1),
    ("please do not make another one", 0),
]
