"""Measure the alignment of music with the dancer.

    python scripts/measure_in_time.py --clips FOLDER            # real videos: beat-align score less chance
    python scripts/measure_in_time.py --clips FOLDER --engine symbolic --arranger musegan
    python scripts/measure_in_time.py --studio 40 --seconds 12  # synthetic dances, where the true beats are known

Real videos: motion beats by every judge of d2m.evaluation.alignment (local minima of mean joint speed, in space and in
the picture, and of the optical flow where the dancer is), music beats tracked in the generated sound by librosa; AIST++
beat-align score (sigma 0.05 s) less that of the same music shifted, both directions, mean over clips with a bootstrap
interval. The same for the beat grid itself and, where the video has a sound of its own, for that. The beat grid is
found from landmarks in the picture and in space: only the flow judges are independent of it.

Studio dances: landmarks with the pose estimator's errors -> beat grid, F-measure at 70 ms against the true beats
(mir_eval, the first 0.5 s left out as too short for any estimate); music made for them -> beats tracked in the
sound, F-measure against the true beats, and against the grid that the music was made on.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from recordings import table

from d2m import engines
from d2m.evaluation.alignment import bootstrap, excess, judged_beats
from d2m.evaluation.beats import beat_f_measure, track_beats
from d2m.types import GENRES, BeatGrid


def clips(folder: Path, engine, seeds: int) -> dict[str, dict[str, list[float]]]:
    """Return the excess per clip (mean over seeds), by source of beats and judge."""
    from d2m.features import analyse
    from d2m.features.flow import dancer_speed
    from d2m.media import open_video, read_audio

    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in (".mp4", ".mov", ".mkv", ".webm")):
        video = open_video(path)
        seen = analyse(video, beats="dance")
        if seen.dance.motion is None:
            print(f"{path.name}: no dancer found; left out")
            continue
        duration, motion = video.duration, seen.dance.motion
        flow = dancer_speed(video, motion.joints, motion.fps)
        judges = judged_beats(motion.joints, seen.world, motion.fps, flow)
        tracked = [
            track_beats(music.waveform, music.sample_rate)[1]
            for music in (engine.compose(seen.dance, seed=seed) for seed in range(seeds))
        ]
        sources = {"beat grid": [seen.dance.grid.beats], "generated music": tracked}
        if video.has_audio:
            sources["the clip's own sound"] = [track_beats(read_audio(path, 22050), 22050)[1]]
        for source, beats in sources.items():
            for judge, motion_beats in judges.items():
                scores = [excess(motion_beats, b, duration) for b in beats]
                found[source][judge].append(float(np.mean([s.excess for s in scores])))
                found[source][f"{judge} (music to motion)"].append(
                    float(np.mean([s.excess_music_to_motion for s in scores]))
                )
        line = ", ".join(f"{source} {values['space'][-1]:+.2f}" for source, values in found.items() if values["space"])
        print(
            f"{path.name}: {seen.dance.grid.tempo:.0f} bpm, confidence {seen.dance.grid.confidence:.2f}; {line}",
            flush=True,
        )
    return found


def studio(count: int, seconds: float, seed: int, engine, keep: Path | None) -> dict[str, list[float]]:
    """Return F-measures per studio dance of the test split (songs and dancers that nothing was trained on)."""
    from d2m.datasets.studio.camera import wild_camera
    from d2m.datasets.studio.choreographer import DancerStyle, choreograph
    from d2m.datasets.studio.landmarks import landmark_motion
    from d2m.datasets.studio.music import compose_song
    from d2m.features.beat_source import dance_rhythm
    from d2m.features.genre import choose_genre
    from d2m.media.write import write_wav
    from d2m.types import Dance

    found: dict[str, list[float]] = defaultdict(list)
    for index in range(count):
        rng = np.random.default_rng([seed, 1, index])
        genre = list(GENRES)[index % len(GENRES)]
        score, _ = compose_song(genre, seconds, rng)
        dancer = DancerStyle.random(np.random.default_rng([seed, 1, int(rng.integers(40))]))
        motion = landmark_motion(choreograph(score, genre, seconds, rng, dancer=dancer), wild_camera(rng), rng)
        rhythm = dance_rhythm(motion, seconds)
        true = _heard(score.grid, seconds)
        found["beat grid"].append(beat_f_measure(true, _heard(rhythm.grid, seconds)))
        known = dance_rhythm(motion, seconds, genre)
        found["beat grid, genre given"].append(beat_f_measure(true, _heard(known.grid, seconds)))
        chosen = choose_genre(rhythm.grid, rhythm.energy, motion)
        music = engine.compose(Dance(seconds, motion, rhythm.grid, rhythm.energy, rhythm.accents, chosen), seed=index)
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            write_wav(keep / f"{index:03d}-{genre}.wav", music.waveform, music.sample_rate)
        heard = track_beats(music.waveform, music.sample_rate)[1]
        found["generated music"].append(beat_f_measure(true, heard[heard >= 0.5]))
        found["generated music against its grid"].append(
            beat_f_measure(_heard(rhythm.grid, seconds), heard[heard >= 0.5])
        )
        exact = Dance(seconds, motion, score.grid, *_values(score.grid), genre)
        music = engine.compose(exact, seed=index)
        heard = track_beats(music.waveform, music.sample_rate)[1]
        found["generated music on the true grid"].append(beat_f_measure(true, heard[heard >= 0.5]))
    return found


def _heard(grid: BeatGrid, seconds: float) -> np.ndarray:
    return grid.beats[(grid.beats >= 0.5) & (grid.beats < seconds)]


def _values(grid: BeatGrid) -> tuple[np.ndarray, np.ndarray]:
    return np.full(len(grid.beats), 0.6, np.float32), np.full(len(grid.beats), 0.5, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, help="folder of real dance videos")
    parser.add_argument("--seeds", type=int, default=3, help="pieces of music per clip")
    parser.add_argument("--studio", type=int, default=0, help="number of studio dances")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the music made for studio dances in this folder")
    parser.add_argument("--engine", default="vq", help="vq or symbolic")
    parser.add_argument("--arranger", help="composer (default) or musegan")
    parser.add_argument("--weights", help="generator weights")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    engine = engines.load(options.engine, weights=options.weights, arranger=options.arranger)
    rng, results = np.random.default_rng(0), {}
    if options.clips:
        found = clips(options.clips, engine, options.seeds)
        rows = [["beats of", "judge of motion beats", "excess", "95 % interval"]]
        for source, judges in found.items():
            for judge, values in judges.items():
                mean, low, high = bootstrap(np.array(values), rng)
                rows.append([source, judge, f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}"])
                results[f"{source}; {judge}"] = values
        print(table(rows))
    if options.studio:
        found = studio(options.studio, options.seconds, options.seed, engine, options.keep)
        rows = [["studio dances", "F-measure at 70 ms", "median"]]
        for name, values in found.items():
            rows.append([name, f"{np.mean(values):.3f}", f"{np.median(values):.3f}"])
            results[name] = values
        print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
