"""Styles of break, popping and locking: three kinds of funk."""

from __future__ import annotations

from d2m.symbolic.composer.style import Groove, Layer, Song, Style

_VAMPS = (
    Song(
        scale="dorian",
        verse="1:m7 | 1:m7 4:9 | 1:m7 | 1:m7 4:13",
        chorus="4:9 | 4:9 | b3:maj7 b7:13 | 1:m9",
        bridge="b6:maj7 | 5:7#9 | b6:maj7 | 5:7#9",
        home="1:m9",
        cadence="5:7#9",
    ),
    Song(
        scale="blues",
        verse="1:7#9 | 1:7#9 | 4:9 | 1:7#9",
        chorus="4:9 b3:9 | 1:7#9 | 4:9 5:9 | 1:7#9",
        bridge="b6:9 | b6:9 | 5:9 | 5:7#9",
        home="1:7#9",
        cadence="5:7#9",
    ),
    Song(
        scale="mixolydian",
        verse="1:9 | 1:9 | 1:13 | 4:9",
        chorus="4:9 | 1:9 | b7:9 | 1:13 5:9sus",
        bridge="b7:9 | 4:9 | b7:9 | 5:9sus",
        home="1:9",
        cadence="5:9sus",
    ),
)

BREAK = Style(
    kits=(0, 8, 16),
    bass_programs=(33, 34, 36),
    tonics=(4, 9, 7, 2, 0, 5),
    songs=_VAMPS,
    swing=(0.51, 0.56),
    looseness=4.0,
    fills=("mixed", "snare", "toms", "syncopated"),
    grooves=(
        Groove(
            kick="X.o. .... X.ox .... | X.o. .... X..x ..o.",
            snare=".... X..g .g.. X..g | .... X..g .g.g X.g.",
            hats="xooo xooo xooo xooo | xooo xooo xooo xoO.",
            bass=("R... 8g.R 7..5 R.7. | R... 8g.7 5... R.7a", "R-R. 5... 7-.8 5... | R-R. 5... 3-.4 5.7a"),
            extras={54: ".... x... .... x...", 56: "x..x x..x x..x x.x."},
            timekeeper=51,
        ),
        Groove(
            kick="X..o ..o. X... .o.. | X..o ..o. X..x ....",
            snare=".g.. X..g .g.g X..g | .g.g X..g .g.. X.gg",
            hats="xooo xoog xooo xoog | xooo xoog xooo xoO.",
            bass=("Rg.R 8g.. 8g.. 7.5. | Rg.R 8g.. 5g.7 R..a", "R... R..7 8... 5.3. | R... R..7 7... 4.3a"),
            extras={56: "x... x... x... x...", 54: "..x. ..x. ..x. ..x."},
        ),
        Groove(
            kick="X... ..o. X..o .... | X... ..o. X..x .o..",
            snare=".... X... .g.. X..g | .... X..g .g.. X.gX",
            hats="xooo xooO .ooo xooo",
            bass=("Rg.R R... 5g.7 8.7. | Rg.R R... 3g.4 5..a", "R..7 R... 5..7 8... | R..7 R... 5..4 3..a"),
            extras={63: "x..x x..x x..x x.x.", 64: "...x .x.. ...x .x..", 56: "x... x... x... x..."},
        ),
    ),
    layers=(
        Layer(
            "guitar", (28, 27), "strum",
            (".... Xg.. .... Xg.x", "Xgg. xg.. Xggx .xg.", "xggx .g.. xggx .g.. | xggx .g.. Xg.x .gx."),
            52, 74, 0.2, 3, 0.6, 84,
        ),
        Layer(
            "piano", (7, 7, 16), "chords",
            ("Xg.x .g.. Xg.x .xg. | Xg.x .g.. X.o. x...", "xo.. x... xo.. x..x", "X..x .... X.gx ...."),
            50, 74, 0.4, 3, 0.7, 84,
        ),
        Layer(
            "strings", (61,), "chords",
            ("X... .... .... .... | .... .... x..x X...", "X..x .... .... .... | .... .... x..X ....",
             "X--- .... .... .... | x..x X... .... ...."),
            55, 77, 0.5, 4, 0.8, 92,
        ),
        Layer(
            "strings", (66, 61, 56), "lead",
            ("x.xx ..x. x--- .... | ..x. x.x. x--. ....", "x..x ..x- --.. x.x. | x..x ..x- ---- ...."),
            57, 79, 0.75, gate=0.85, loudness=88,
        ),
        Layer("piano", (16, 17), "pad", (), 50, 72, 0.8, 3, 0.98, 58),
    ),
)  # fmt: skip

POPPING = Style(
    kits=(24, 25, 16),
    bass_programs=(38, 39, 36),
    tonics=(4, 9, 2, 5, 0, 7),
    songs=(
        Song("dorian", "1:m9 | 4:13 | 1:m9 | 4:9", "b6:maj9 | b7:9sus | 1:m9 | 4:13",
             "b6:maj9 | 5:7#9 | b6:maj9 | b7:9sus", "1:m9", "5:7#9"),
        Song("minor", "1:m9 | 1:m9 | b7:9sus | b6:maj9", "4:m9 b7:13 | b3:maj9 b6:maj9 | 4:m9 5:7#9 | 1:m9",
             "b6:maj9 | b6:maj9 | b7:9sus | b7:9sus", "1:m9", "b7:9sus"),
        Song("dorian", "1:m7 | 1:m7 | 4:9 | 4:9 5:m7", "b3:maj7 | 4:9 | 1:m9 | b7:13",
             "2:m7 | 5:9sus | 2:m7 | b3:maj7 4:9", "1:m9", "4:13"),
    ),
    swing=(0.5, 0.54),
    looseness=2.5,
    fills=("electro", "snare", "toms"),
    bass_gate=0.7,
    grooves=(
        Groove(
            kick="x... ..x. x... .... | x... ..x. x... ..x.",
            snare=".... X... .... X...",
            hats="xgxg xgxg xgxg xgxO",
            bass=("R..R ..R. 8..7 ..5. | R..R ..R. 7.5. 3.4.", "R.8. .R.8 ..7. 8.5. | R.8. .R.8 ..5. 7.a."),
            extras={39: ".... X... .... X...", 56: "x..x ..x. ..x. x...", 54: "..x. ..x. ..x. ..x."},
        ),
        Groove(
            kick="x..x .... x..x ..x. | x..x .... x.x. ....",
            snare=".... X... .... X..o",
            hats="xooo xooo xooo xooo",
            bass=("R--. ..R. R-.7 .8.. | R--. ..R. 5-.7 .R.a", "R..8 ..R8 ..7. 5.7. | R..8 ..R8 ..4. 3.a."),
            extras={39: ".... X... .... X.x.", 63: "..x. .x.. ..x. .xx."},
        ),
        Groove(
            kick="x... x..x ..x. x... | x... x..x ..x. ..xx",
            snare=".... X... .... X...",
            hats="xooo xooo xooo xooO",
            bass=("R.R8 ..7. R.R8 ..5. | R.R8 ..7. 3.4. 5.a.", "R..8 R..8 7..8 5... | R..8 R..8 3..4 5.a."),
            extras={39: ".... X... .... X...", 54: "x.x. x.x. x.x. x.x.", 50: ".... .... .... ..x."},
        ),
    ),
    layers=(
        Layer(
            "guitar", (28, 27), "arpeggio",
            ("0.2. 1.0. ..2. 1.3. | 0.2. 1.0. 2.1. 0...", "..0. 0.2. ..0. 0.1.", "0..0 ..1. 0..0 ..2."),
            50, 74, 0.35, 4, 0.5, 92,
        ),
        Layer(
            "piano", (5, 4), "chords",
            ("x--- --x- ---- ..x.", "..x- .... ..x- ..x.", "x-.x --.. x-.x --.."),
            52, 76, 0.1, 4, 0.9, 80,
        ),
        Layer(
            "strings", (62,), "chords",
            (".... .... ..X. .... | .... ..x. X-.. ....", "X... ..x. .... .... | .... .... ..x. x.X.",
             "...x ..X. .... .... | ...x ..X. ..x. X..."),
            55, 78, 0.45, 4, 0.75, 86,
        ),
        Layer("strings", (50, 89), "pad", (), 52, 76, 0.6, 3, 1.0, 62),
        Layer(
            "strings", (81, 80), "lead",
            ("x-.x -.x- .x-- ---. | x-.x -.x- x--- ....", "..x. x.x- --.x .x.. | ..x. x.x- ---- ---."),
            60, 84, 0.7, gate=0.85, loudness=76,
        ),
    ),
)  # fmt: skip

LOCKING = Style(
    kits=(0, 8),
    bass_programs=(33, 36, 34),
    tonics=(4, 9, 2, 7, 0, 10),
    songs=(
        *_VAMPS[:1],
        _VAMPS[2],
        Song("mixolydian", "1:13 | 1:9 4:9 | 1:13 | 1:9 5:9sus", "4:9 | 4:13 | 1:9 | b3:9 2:9",
             "b6:9 | b7:9 | b6:9 | b7:9 5:9sus", "1:13", "b7:9"),
    ),
    swing=(0.5, 0.55),
    looseness=5.0,
    fills=("mixed", "toms", "snare", "syncopated"),
    grooves=(
        Groove(
            kick="X... ...x X..x .... | X... ..o. X..x ...o",
            snare=".... X..g .g.g X..g",
            hats="xooo xoog xooo xoog | xooo xoog xooo xoO.",
            bass=("R..R 5... 8..7 5... | R..R 5... 5..6 7.8a", "Rg.R 5... 8g.6 5... | Rg.R 5... 8..5 3.2a"),
            extras={54: "x... X..x x... X..x", 64: "x..x x... x..x x...", 63: "...x .x.. ...x .x.."},
        ),
        Groove(
            kick="X..o ..x. X... ..o. | X..o ..x. X..x ....",
            snare=".... X... .g.. X..g",
            hats="xooo xooo xooo xooO",
            bass=("R..R 6... 8..6 5... | R..R 6... 5..3 2..a", "R-.R 5g.. 8..6 5g.. | R-.R 5g.. 8..7 6.5a"),
            extras={54: ".... x... .... x...", 56: "x... x.x. x... x.x."},
        ),
        Groove(
            kick="X.o. .... X.o. ..o. | X.o. .... X..x ..o.",
            snare=".... X.g. .g.. X.gg",
            hats="xogo xogo xogo xogo",
            bass=("Rg.R f... Rg.R 6... | Rg.R f... 3..4 5..a", "R.8. 7g.. R.8. 6g.. | R.8. 7g.. 5..4 3.2a"),
            extras={39: ".... x... .... x...", 54: "x..o X..o x..o X..o"},
            timekeeper=51,
        ),
    ),
    layers=(
        Layer(
            "guitar", (27, 28), "strum",
            ("Xggg xggg Xggx xggg | Xggg xggg Xggx .gx.", "Xggx .ggg Xggx .gog", "xg.. Xg.. xg.. Xgx."),
            52, 76, 0.1, 3, 0.55, 84,
        ),
        Layer(
            "piano", (7, 17, 4), "chords",
            ("x.o. xg.. x.o. xg..", "Xg.. x..x Xg.x ....", "X--. .... X-.x ...."),
            50, 74, 0.35, 4, 0.7, 80,
        ),
        Layer(
            "strings", (61,), "chords",
            ("X..x X... .... .... | .... .... x..x X...", ".... ...x X... .... | x..x X... .... ....",
             "X-.. .... .... ...x | X-.. x..x X--- ...."),
            55, 79, 0.4, 4, 0.75, 94,
        ),
        Layer(
            "strings", (56, 65, 66), "lead",
            ("x.x. x..x ..x- --.. | x.x. x..x x--- ....", "..xx .x.x x--- .... | ..xx .x.x ..x- --.."),
            58, 81, 0.65, gate=0.8, loudness=86,
        ),
        Layer("strings", (48, 50), "pad", (), 55, 79, 0.85, 3, 1.0, 58),
    ),
)  # fmt: skip
