"""Styles of house, waacking, street jazz and ballet jazz."""

from __future__ import annotations

from d2m.symbolic.composer.style import Groove, Layer, Song, Style

HOUSE = Style(
    kits=(24, 25, 16),
    bass_programs=(38, 39, 33),
    tonics=(0, 5, 7, 9, 2, 10),
    songs=(
        Song("minor", "1:m9 | 1:m9 | b6:maj9 | b7:9sus", "4:m9 | b7:13 | b3:maj9 | b6:maj9",
             "b6:maj9 | b6:maj9 | 5:m7 | b7:9sus", "1:m9", "b7:9sus"),
        Song("dorian", "1:m9 | 4:9 | 1:m9 | 4:9", "b3:maj9 | 4:9 | 1:m9 | b7:add9",
             "b6:maj9 | b7:9sus | b6:maj9 | b7:9sus", "1:m9", "4:9"),
        Song("major", "4:maj9 | 3:m7 | 2:m9 | 6:m9", "2:m9 | 5:9sus | 1:maj9 | 6:m9",
             "4:maj9 | 4:maj9 | 5:9sus | 5:9sus", "1:maj9", "5:9sus"),
    ),
    swing=(0.5, 0.56),
    looseness=2.0,
    fills=("electro", "snare"),
    bass_gate=0.75,
    grooves=(
        Groove(
            kick="X... X... X... X...",
            snare=".... x... .... x...",
            hats="x.Og x.Og x.Og x.Og",
            bass=("R.R. R.R. R.R. R8R. | R.R. R.R. 5.5. 57a.", "R.R. R.8. R.R. R.7. | R.R. R.8. 5.7. 5.a."),
            extras={42: "Xoxo Xoxo Xoxo Xoxo", 54: "..o. x.o. ..o. x.o.", 63: "...x ..x. ...x .x.."},
            snare_key=39,
        ),
        Groove(
            kick="X... X... X... X..o",
            snare=".... x... .... x..o",
            hats="xoOg xoOg xoOg xoOg",
            bass=("R..R R.R. R.R. R.8. | R..R R.R. 5.5. 7.a.", "R.8. R.8. R.8. R.85 | R.8. R.8. 5.57 5.8a"),
            extras={70: "xoxo xoxo xoxo xoxo", 62: "..x. .x.. ..x. .x.x", 56: "x..x ..x. ..x. x..."},
            snare_key=39,
        ),
        Groove(
            kick="X... X... X... X...",
            snare=".... x... .... x...",
            hats="x.Og x.Og x.Og x.Ox",
            bass=("R-.R R.R- R.R- 5-7- | R-.R R.R- 3.3- 5-a-", "R... 8.7. R.5. 7.8. | R... 8.7. R.5. 3.a."),
            extras={82: "xoxo xoxo xoxo xoxo", 51: "x.x. x.x. x.x. x.x.", 64: "...x ..x. .... x.x."},
            snare_key=39,
        ),
    ),
    layers=(
        Layer(
            "piano", (0, 17, 16), "chords",
            ("X..x ..x. X.x. x... | X..x ..x. X.x. ..x.", "X.x. X.x. X.x. X.xx", "X..x ..x. X..x x.x.",
             "X.x- X.x. X.x- X.x."),
            52, 77, 0.1, 4, 0.75, 86,
        ),
        Layer("strings", (50, 89), "pad", (), 53, 77, 0.3, 3, 1.0, 66),
        Layer(
            "guitar", (28, 27), "arpeggio",
            ("0.0. .2.. 1.1. .3..", "0..2 0.1. 0..3 1.1.", "0..0 2.2. 1..0 1.1."),
            52, 76, 0.55, 4, 0.5, 92,
        ),
        Layer(
            "strings", (81, 65, 73), "lead",
            ("x-.x -.x- ..x- .... | x-.x -.x- x--- ----", "..x. x..x .x-- ---. | ..x. x..x .x-- ----"),
            60, 84, 0.7, gate=0.85, loudness=78,
        ),
        Layer("piano", (4, 5), "answer", ("...x ..x. x--- ....",
         "..x- .x-. x--- ...."), 64, 86, 0.6, gate=0.9, loudness=84),
    ),
)  # fmt: skip

WAACK = Style(
    kits=(0, 8, 16),
    bass_programs=(33, 34, 36),
    tonics=(9, 2, 4, 7, 0, 5),
    songs=(
        Song("minor", "1:m7 | 1:m7 | 4:m7 | b7:9", "b6:maj7 | b7:9 | 1:m7 | 5:7",
             "4:m7 | b7:9 | b3:maj7 | 5:7", "1:m9", "5:7"),
        Song("minor", "1:m7 | 4:m7 | b7:9 | b3:maj7", "b6:maj7 | 2:m7b5 5:7 | 1:m7 | 1:m7",
             "4:m7 | 1:m7 | 4:m7 | 5:7", "1:m9", "5:7"),
        Song("dorian", "1:m9 | 4:9 | 1:m9 | 4:9", "b6:maj9 | b7:9sus | 1:m9 | 1:m9",
             "b3:maj7 | 4:9 | b6:maj7 | 5:7", "1:m9", "5:7"),
        Song("major", "1:maj7 | 6:m7 | 2:m7 | 5:9sus", "4:maj7 | 3:m7 | 2:m7 | 5:9sus",
             "6:m7 | 3:m7 | 4:maj7 | 5:9sus", "1:maj9", "5:9sus"),
    ),
    looseness=4.0,
    fills=("snare", "toms", "mixed"),
    bass_gate=0.75,
    grooves=(
        Groove(
            kick="X... X... X... X...",
            snare=".... X... .... X...",
            hats="xgOg xgOg xgOg xgOg",
            bass=("R.8. R.8. R.8. R.8. | R.8. R.8. R.8. 5.a.", "R.8R .8R. R.8. 5.8. | R.8R .8R. 5.8. 7.a."),
            extras={54: "xoXo xoXo xoXo xoXo", 63: "..x. ..xx ..x. ..xx", 64: "x... .x.. x... .x.."},
        ),
        Groove(
            kick="X... X... X... X...",
            snare=".... X... .... X..g",
            hats="xoOo xoOo xoOo xoOo",
            bass=("R.88 R.88 R.88 R.88 | R.88 R.88 5.88 7.8a", "R..R 8.R. 5..5 8.7. | R..R 8.R. 5.6. 7.a."),
            extras={39: ".... X... .... X...", 54: "..x. ..x. ..x. ..x.", 56: "x... x... x... x..."},
        ),
        Groove(
            kick="X... X... X... X.o.",
            snare=".... X..g .... X..g",
            hats="xoOo xoOo xoOo xoOo",
            bass=("R.8. .R8. R.8. .57. | R.8. .R8. 3.4. 5.a.", "R.R8 R.R8 R.R8 7.5. | R.R8 R.R8 5.58 7.a."),
            extras={54: "x.X. x.X. x.X. x.X.", 63: "x..x .x.. x..x .x.."},
        ),
    ),
    layers=(
        Layer(
            "guitar", (27, 28), "strum",
            ("xgxx gxgx xgxx gxgx", "..xg ..xg ..xg .gxg", "xggx ggxg xggx gxgx"),
            54, 77, 0.15, 3, 0.5, 88,
        ),
        Layer(
            "piano", (0, 4), "chords",
            ("x... ..x. x..x ..x.", "..x. ..x. ..x. ..x.", "x--. ..x- --.. x.x."),
            52, 76, 0.1, 4, 0.8, 82,
        ),
        Layer("strings", (48,), "runs", ("x--- ---- ---- ----", "x--- --x- ---- x.x."), 62, 88, 0.25, 2, 0.95, 86),
        Layer("strings", (50, 49), "pad", (), 53, 76, 0.5, 3, 1.0, 62),
        Layer(
            "strings", (61,), "chords",
            ("X... .... .... .... | .... .... ..x. x.X.", ".... ..x. X... .... | .... ..x. X-.. ....",
             "x.x. ..X- .... .... | .... .... X-.. ..x."),
            55, 79, 0.55, 4, 0.75, 90,
        ),
        Layer(
            "strings", (56, 65, 73), "lead",
            ("x-x. x--- ..x. x-x. | x-x. x--- ---- ....", "..x. x.x. x--x ---. | ..x. x.x. x--- ----"),
            60, 84, 0.75, gate=0.9, loudness=82,
        ),
    ),
)  # fmt: skip

STREET_JAZZ = Style(
    kits=(8, 0, 16),
    bass_programs=(33, 38, 35),
    tonics=(0, 2, 5, 7, 9, 10, 3),
    songs=(
        Song("major", "4:maj9 | 3:m7 | 2:m9 | 1:maj9", "4:maj9 5:9sus | 3:m7 6:m9 | 2:m9 5:9sus | 1:maj9",
             "6:m9 | 2:m9 | 4:maj9 | 5:9sus", "1:maj9", "5:9sus"),
        Song("minor", "1:m9 | b6:maj9 | b3:maj9 | b7:add9", "b6:maj9 | b7:add9 | 1:m9 | b3:maj9",
             "4:m9 | 5:m7 | b6:maj9 | b7:9sus", "1:m9", "b7:9sus"),
        Song("major", "1:add9 | 5:add9 | 6:m7 | 4:maj9", "4:maj9 | 5:add9 | 3:m7 6:m7 | 2:m9 5:9sus",
             "6:m7 | 4:maj9 | 2:m9 | 5:9sus", "1:add9", "5:9sus"),
        Song("dorian", "1:m9 | 4:13 | 1:m9 | 4:13", "b6:maj9 | b7:13 | 1:m9 | 2:m7b5 5:7#9",
             "b3:maj9 | 4:9 | b6:maj9 | 5:7#9", "1:m9", "5:7#9"),
    ),
    swing=(0.51, 0.57),
    lag=(2.0, 7.0),
    looseness=5.0,
    bass_gate=0.9,
    grooves=(
        Groove(
            kick="x... ..x. x... ..x. | x... ..x. x.x. ....",
            snare=".... X... .... X..g",
            hats="x.x. x.x. x.x. x.xO",
            bass=("R--. ..R- 5--. ..R- | R--. ..R- 3-5. 8.a-", "R--- ..R- R-.5 ..7- | R--- ..R- 5-3- 2-a-"),
            extras={54: ".... x... .... x...", 70: "xoxo xoxo xoxo xoxo", 39: ".... x... .... x..."},
            timekeeper=51,
        ),
        Groove(
            kick="x..x .... ..x. .... | x..x ..x. ..x. ....",
            snare=".... X..g .g.. X...",
            hats="xoxo xoxo xoxo xoxo",
            bass=("R--R --.. ..R- 5-.. | R--R --5- ..R- ..a-", "R--5 --8- ..5- R-.. | R--5 --8- ..7- 5.a."),
            extras={39: ".... x... .... x...", 54: "..x. ..x. ..x. ..x."},
        ),
        Groove(
            kick="x... x..x .... x... | x... x..x ..x. x...",
            snare=".... X... .... X...",
            hats="x.xx x.x. x.xx x.x.",
            bass=("R-.. R--R --.. 5-8- | R-.. R--R --5- R-a-", "R--- R--5 --7- 8-.. | R--- R--5 --3- 2-a-"),
            extras={37: "..o. .... ...o ....", 70: "..x. ..x. ..x. ..x.", 54: "xoxo xoxo xoxo xoxo"},
        ),
    ),
    layers=(
        Layer(
            "piano", (4, 5, 0), "chords",
            ("x--- --x- ---- x-x-", "x--x --x- ---- ----", "x-.x --.. x-.x --x-", "..x- --x- ..x- x-.."),
            50, 76, 0.0, 4, 0.95, 82,
        ),
        Layer("strings", (48, 50, 89), "pad", (), 55, 79, 0.3, 3, 1.0, 66),
        Layer(
            "guitar", (27, 26, 25), "arpeggio",
            ("0.2. 3.2. 1.2. 3.1.", "..3. 2.1- ..3. 2.0-", "0--1 --2- 3--2 --1-"),
            52, 78, 0.4, 4, 0.85, 84,
        ),
        Layer(
            "strings", (65, 66, 73), "lead",
            ("x--x --x- x--- ..x. | x--x --x- x--- ----", "..x. x-x- --x. x--- | ..x. x-x- x--- ---."),
            60, 84, 0.6, gate=0.95, loudness=84,
        ),
        Layer("piano", (11,), "answer", ("..x. x-x. x--- ....",
         "x-.x --x. x--- ...."), 67, 88, 0.55, gate=0.9, loudness=84),
        Layer("strings", (61,), "chords", (".... .... ..x. X-.. | .... .... .... ....",
         "X--. .... .... .... | .... ..x. X--. ...."),
              55, 79, 0.85, 4, 0.8, 82),
    ),
)  # fmt: skip

_RIDE = "x.x. x.x. x.x. x.x."
BALLET_JAZZ = Style(
    kits=(40, 0),
    bass_programs=(32, 35),
    tonics=(0, 2, 5, 7, 10, 3),
    songs=(
        Song("major", "1:maj9 | 6:m9 | 2:m9 | 5:13", "4:maj9 | 4:m6 | 3:m7 6:7#9 | 2:m9 5:9sus",
             "6:m9 | 3:m7 | 4:maj9 | 5:9sus", "1:maj9", "5:9sus"),
        Song("minor", "1:m9 | 4:m9 | 2:m7b5 5:7b9 | 1:m9", "b6:maj9 | b3:maj9 | 4:m9 b7:13 | b3:maj9 5:7b9",
             "4:m9 | b7:13 | b6:maj9 | 5:7b9", "1:m9", "5:7b9"),
        Song("major", "1:add9 | 5:add9 | 6:m9 | 4:maj9", "4:maj9 | 5:9sus | 3:m7 | 6:m9",
             "2:m9 | 3:m7 | 4:maj9 | 5:9sus", "1:add9", "5:9sus"),
    ),
    shuffle=(0.5, 0.64),
    lag=(2.0, 8.0),
    looseness=6.0,
    fills=("brush", "mixed"),
    bass_gate=0.95,
    bass_loudness=98,
    grooves=(
        Groove(
            kick="x... o... x... o...",
            snare=".... x... .... x..g",
            hats="x... x.x. x... x.x.",
            bass=("R--- 5--- R--- 3--- | R--- 5--- 7--- a---", "R--- 3--- 5--- 6--- | R--- 5--- 3--- a---"),
            extras={44: ".... x... .... x...", 59: "x... .... .... ...."},
            timekeeper=51,
        ),
        Groove(
            kick="x... ..x. x... ....",
            snare=".... x... .... x...",
            hats=_RIDE,
            bass=("R--- ..R- 5--- ..3- | R--- ..5- R--- ..a-", "R--- --5- 8--- --5- | R--- --3- 5--- --a-"),
            extras={44: ".... x... .... x...", 54: ".... o... .... o..."},
            timekeeper=51,
        ),
        Groove(
            kick="x... .... x... ..x.",
            snare=".... x... .g.. x...",
            hats=_RIDE,
            bass=("R--- ---- 5--- ---- | R--- ---- 3--- 5-a-", "R--- --R- 5--- R-3- | R--- --5- 8--- 5-a-"),
            extras={44: ".... x... .... x...", 70: "..o. ..o. ..o. ..o."},
        ),
    ),
    layers=(
        Layer(
            "piano", (0,), "chords",
            ("x--- x--- x--- x---", "x--- --x- x--- --x-", "x--- x-x- x--- x-x-"),
            48, 72, 0.0, 4, 0.97, 74,
        ),
        Layer(
            "piano", (0,), "lead",
            ("x--- --x- x-x- x--- | x--- --x- x--- ----", "..x- x-x- x--- x--- | ..x- x-x- x--- ---."),
            67, 91, 0.1, gate=0.98, loudness=104,
        ),
        Layer("strings", (48, 49), "pad", (), 55, 81, 0.3, 3, 1.0, 72),
        Layer(
            "guitar", (24, 26), "arpeggio",
            ("0-1- 2-3- 2-1- 2-1-", "0--- 2-3- 1--- 2-3-", "0-2- 1-3- 2-3- 1-2-"),
            52, 76, 0.4, 4, 0.97, 78,
        ),
        Layer(
            "strings", (48, 73, 65), "answer",
            ("x--- ---- x--- x---", "..x- x-x- x--- ----", "x--- x-x- x--- ----"),
            64, 88, 0.45, gate=1.0, loudness=82,
        ),
    ),
)  # fmt: skip
