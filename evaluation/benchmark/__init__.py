"""The benchmark: dances of a test split, music from every system and baseline, every metric, one report.

* :func:`~d2m.evaluation.benchmark.run.benchmark` measures systems on AIST++, TikTok or a studio;
* :func:`~d2m.evaluation.benchmark.ablation.ablation` trains the variants of D2M-GAN's tables 3 to 6 and measures them.

Whole sequences get music, as people would hear it; what is scored are segments of a few seconds, as papers do. Beside
the systems stand baselines that know nothing of music: whatever metric they do well in says little by itself.
"""
