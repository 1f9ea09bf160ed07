"""Styles of middle hip-hop, LA-style hip-hop and krump."""

from __future__ import annotations

from d2m.symbolic.composer.style import Groove, Layer, Song, Style

MIDDLE = Style(
    kits=(0, 8),
    bass_programs=(32, 33, 35),
    tonics=(0, 2, 5, 9, 7, 10, 3),
    songs=(
        Song("minor", "1:m9 | 4:m9 | 1:m9 | b6:maj7 5:7#9", "b6:maj9 | b7:9sus | 1:m9 | 1:m9",
             "4:m9 | 4:m9 | b6:maj9 | 5:7#9", "1:m9", "5:7#9"),
        Song("dorian", "1:m9 | 4:13 | 1:m9 | 4:13", "b3:maj9 | 2:m7 | 1:m9 | 4:9",
             "b6:maj9 | b6:maj9 | 2:m7b5 | 5:7#9", "1:m9", "4:13"),
        Song("major", "2:m9 | 5:13 | 1:maj9 | 6:m9", "4:maj9 | 3:m7 | 2:m9 | 1:maj9",
             "4:maj9 | 4:m6 | 3:m7 | 6:7#9", "1:maj9", "5:9sus"),
        Song("minor", "b6:maj9 5:7#9 | 1:m9 | b6:maj9 5:7#9 | 1:m9 b3:9",
         "4:m9 b7:13 | b3:maj9 b6:maj9 | 4:m9 5:7#9 | 1:m9",
             "b6:maj9 | b7:9sus | b6:maj9 | 5:7#9", "1:m9", "5:7#9"),
    ),
    swing=(0.57, 0.63),
    lag=(6.0, 14.0),
    looseness=5.0,
    fills=("snare", "syncopated", "mixed"),
    bass_gate=0.92,
    grooves=(
        Groove(
            kick="x... ...x ..x. .... | x... ...x ..x. .x..",
            snare=".... X... .... X..g",
            hats="x.x. x.x. x.x. x.x.",
            bass=("R--- ..R- ..5- .... | R--- ..R- ..7- 5.a-", "R--. ..3. 5--. ..R. | R--. ..5. 7--. 5.a."),
            extras={54: ".... x... .... x...", 70: "xoxo xoxo xoxo xoxo"},
        ),
        Groove(
            kick="x.x. .... ..x. .x.. | x.x. .... .xx. ....",
            snare=".... X..g .g.. X...",
            hats="x.xg x.x. x.xg x.xO",
            bass=("R-R- .... ..5- .7.. | R-R- .... .35- ..a.", "R-8. .... ..R- .5.. | R-8. .... .7R- ..a."),
            extras={51: "x.x. x.x. x.x. x.x.", 54: "..x. ..x. ..x. ..x."},
        ),
        Groove(
            kick="x..x .... x.x. .... | x..x .... ..x. ..xg",
            snare=".... X... .g.. X...",
            hats="x.x. x.xx x.x. x.x.",
            bass=("R--R --.. 5-R- .... | R--R --.. ..3- 5.a-", "R-.5 --.. R-7- .... | R-.5 --.. ..7- R.a."),
            extras={70: "..x. ..x. ..x. ..x.", 54: ".... x... .... x..."},
        ),
    ),
    layers=(
        Layer(
            "piano", (4, 4, 5), "chords",
            ("x--- ---- ..x- --..", "x--x --.. ..x- ..x.", "x--- --x- ---- ..o.", "..x- --.. x-.. ..x-"),
            50, 74, 0.0, 4, 0.95, 80,
        ),
        Layer(
            "guitar", (26, 27), "arpeggio",
            ("0.1. 2--. ..3. 2.1. | 0.1. 2--. 3.2. 1---", "..0. 2.3- --.. ..2. | ..0. 2.3- --1. 0---",
             "3-2. ..1. 0--- ...."),
            52, 76, 0.35, 4, 0.8, 84,
        ),
        Layer("strings", (48, 49), "pad", (), 55, 79, 0.55, 3, 1.0, 60),
        Layer(
            "strings", (73, 66, 56), "lead",
            ("x-.x --.. ..x- x--- | x-.x --.. x--- ....", "..x- x-x. x--- ---. | .... .... ..x- x-x-"),
            60, 82, 0.7, gate=0.9, loudness=80,
        ),
        Layer(
            "piano", (11,), "answer",
            ("..x. x.x. x--- ....", "x.x- .x-- --.. ....", "...x .x.x x--- ...."),
            65, 86, 0.5, gate=0.9, loudness=84,
        ),
    ),
)  # fmt: skip

LA = Style(
    kits=(25, 25, 24),
    bass_programs=(38, 39),
    tonics=(0, 2, 4, 5, 9, 10, 11),
    songs=(
        Song("minor", "1:m | 1:m | b6:maj7 | b7:add9", "b6:add9 | b7:add9 | 1:m9 | 1:m9 5:m7",
             "4:m7 | 4:m7 | b6:maj7 | 5:7", "1:m", "b7:add9"),
        Song("minor", "1:m9 | b6:maj7 | 4:m7 | 5:m7", "b6:maj7 | 5:m7 | 4:m7 | 1:m9",
             "b6:maj7 | b6:maj7 | b7:add9 | b7:add9", "1:m9", "5:m7"),
        Song("phrygian", "1:m | 1:m | b2:maj7 | b2:maj7", "1:m | b6:maj7 | b2:maj7 | 1:m",
             "4:m7 | b3:add9 | b2:maj7 | b2:maj7", "1:m", "b2:maj7"),
        Song("dorian", "1:m9 | 1:m9 | 4:9 | b7:add9", "b3:maj7 | 4:9 | 1:m9 | b7:add9",
             "b6:maj7 | b6:maj7 | b7:9sus | b7:9sus", "1:m9", "b7:9sus"),
    ),
    swing=(0.5, 0.53),
    looseness=2.5,
    fills=("electro", "snare"),
    bass_gate=0.97,
    bass_loudness=96,
    grooves=(
        Groove(
            kick="x... ..x. x... .x.. | x... ..x. x..x ....",
            snare=".... X... .... X...",
            hats="x.x. x.x. x.x. xxx. | x.x. x.xx x.x. x.xO",
            bass=("R--- --R- R--- -R-. | R--- --R- 5--7 --a-", "R--- --R- --.. .8-- | R--- --R- 7--5 ----"),
            extras={39: ".... X... .... X...", 70: "..x. ..x. ..x. ..x.", 37: "...o .... ..o. ...."},
        ),
        Groove(
            kick="x..x ..x. .... x.x. | x..x ..x. ..x. ....",
            snare=".... X... .... X..o",
            hats="xoxo xoxo xoxo xxxx | xoxo xxxx xoxo xoxO",
            bass=("R--R --R- ---. R-7- | R--R --R- --5- ----", "R--- ---. ..8- R-.. | R--- ---. ..5- 7-a-"),
            extras={39: ".... X... .... X...", 54: "x... x... x... x...", 56: "..x. .... ..x. ...."},
        ),
        Groove(
            kick="x... x..x ..x. x... | x... x..x ..x. ..x.",
            snare=".... X... .... X...",
            hats="x.xx x.xx x.xx x.xx",
            bass=("R-.. R--R --7- R-.. | R-.. R--R --5- ..a-", "R--- R--. .8-- R--- | R--- R--. .7-- 5-a-"),
            extras={39: ".... X... .... X..x", 62: "..x. .x.. ..x. .x..", 63: "x... ...x .... x..."},
        ),
    ),
    layers=(
        Layer(
            "piano", (11, 0, 5), "arpeggio",
            ("2.1. 0.1. 3.1. 0.1.", "3--2 --1- 2--1 --0-", "0..1 ..2. 3..2 ..1.", "3.2. 3.1. 3.2. 0..."),
            60, 84, 0.0, 4, 0.9, 84,
        ),
        Layer("strings", (89, 50), "pad", (), 52, 76, 0.15, 3, 1.0, 70),
        Layer(
            "guitar", (25, 27, 24), "arpeggio",
            ("0--2 --3- --2- 1-0-", "..3. 2... ..3. 1...", "0-1- 2-3- 2-1- 0-1-"),
            52, 76, 0.45, 4, 0.9, 74,
        ),
        Layer(
            "strings", (81, 80), "lead",
            ("x--x --x- ---- .... | x--x --x- x--- ....", "x.x. x--. x.x. x--. | x.x. x--. x--- ----"),
            60, 82, 0.7, gate=0.9, loudness=74,
        ),
        Layer(
            "strings", (62, 61), "chords",
            ("X... .... .... .... | .... .... .... ..X.", "X..x ..x. .... .... | X..x ..x. .... ...."),
            53, 76, 0.8, 4, 0.7, 82,
        ),
    ),
)  # fmt: skip

KRUMP = Style(
    kits=(16, 24, 25),
    bass_programs=(38, 39, 34),
    tonics=(0, 2, 4, 5, 11, 9),
    songs=(
        Song("harmonic minor", "1:m | 1:m | b6:maj | 5:7", "1:m b6:maj | 4:m 5:7 | 1:m b6:maj | b2:maj 5:7",
             "b6:maj | b6:maj | b2:maj | 5:7", "1:m", "5:7"),
        Song("phrygian", "1:m | b2:maj | 1:m | b7:m b2:maj", "1:m | 1:m | b6:maj | b2:maj",
             "4:m | b3:maj | b2:maj | b2:maj", "1:m", "b2:maj"),
        Song("minor", "1:m | 1:m | b6:maj | b7:maj", "1:m b7:maj | b6:maj | 4:m | 5:7",
             "4:m | b6:maj | 4:m | 5:7", "1:m", "5:7"),
    ),
    looseness=3.5,
    fills=("toms", "snare", "electro"),
    bass_gate=0.9,
    bass_loudness=98,
    grooves=(
        Groove(
            kick="X..x ..x. X..x .... | X..x ..x. X.x. ..xx",
            snare=".... X... .... X...",
            hats="x... x... x... x.x.",
            bass=("R--R --R- R--R ..8. | R--R --R- R-b- 5-a-", "R--- R--R --R- R... | R--- R--R b--- 5-a-"),
            extras={39: ".... X... .... X...", 43: "x... ..x. .... x.x.", 41: "x... .... x... ...."},
            snare_key=40,
        ),
        Groove(
            kick="X... x..x X... x.x. | X... x..x X.x. x...",
            snare=".... X... .... X..o",
            hats="xooo xooo xooo xooo",
            bass=("R-.. R--R R-.. R-8- | R-.. R--R b-.. 5-a-", "R-R. ..R- R-R. ..5- | R-R. ..R- b-5. ..a-"),
            extras={39: ".... X... .... X...", 45: "..x. ..x. ..x. ..x.", 41: "x..x ..x. x..x ..x."},
            snare_key=40,
        ),
        Groove(
            kick="X.x. ..x. X... ..x. | X.x. ..x. X..x ..x.",
            snare=".... X... .... X...",
            hats="x... x... x... x.x.",
            bass=("R-R- ..R- R--. ..R- | R-R- ..R- b--. 5-a-", "R--- --R- R--- 8--- | R--- --R- b--- 5-a-"),
            extras={39: ".... X... .... X.xx", 43: "x..x ..x. x..x ..x.", 57: "x... .... .... ...."},
            snare_key=40,
        ),
        Groove(
            kick="X..x X... ..o. X... | X..x X... .... X.x.",
            snare=".... .... X... .... | .... .... X... ..g.",
            hats="xooo xooo xooo xooo",
            bass=("R--- R--- --.. R-8- | R--- R--- b-.. 5-a-", "R--- R-.. R--- 5-.. | R--- R-.. b--- 5-a-"),
            extras={39: ".... x... .... x...", 43: "x... x... x... x...", 45: ".... ..x. .... x.x."},
            snare_key=40,
        ),
    ),
    layers=(
        Layer(
            "strings", (48,), "chords",
            ("Xoo. xoo. Xoo. xoo.", "X..x x... X..x x...", "Xooo xooo Xooo x..."),
            48, 72, 0.0, 3, 0.7, 88,
        ),
        Layer(
            "strings", (61, 62), "chords",
            ("X-.. .... ..x. .... | X-.. ..x. X--- ....", "X..X ..X- .... .... | X..X ..X- ---- ....",
             "X--- --.. X--- --.."),
            50, 74, 0.4, 4, 0.85, 88,
        ),
        Layer("guitar", (29,), "strum", ("X--- --x- X--- --x-", "x.xx x.x. x.xx x.x.", "X--- .... x--x --x-"),
              40, 60, 0.5, 2, 0.9, 82),
        Layer("piano", (0,), "arpeggio", ("0... 2.1. 0... 2.3.", "2..1 0... 2..1 0...", "3... 1.2. 3... 1.0."),
              55, 79, 0.25, 4, 0.8, 88),
        Layer("strings", (81, 80), "lead", ("x..x ..x. x--- .... | x..x ..x. x.x. x---",
         "x--- x.x. x--- --.. | x--- x.x. x..x ..x-"),
              55, 79, 0.75, gate=0.85, loudness=76),
    ),
)  # fmt: skip
