"""Benchmark: dances of a test split, music by every system and baseline, every metric, one report.

* :func:`~d2m.evaluation.benchmark.run.benchmark` measures systems on AIST++, TikTok or a studio;
* :func:`~d2m.evaluation.benchmark.ablation.ablation` trains the variants of D2M-GAN's tables 3 to 6 and measures them.

Music is generated for whole sequences; metrics are computed on segments of a few seconds, as in the papers. Control
baselines are measured beside the systems: a metric on which they score well has little meaning.
"""
