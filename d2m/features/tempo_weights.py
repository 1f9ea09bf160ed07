"""Weights of :mod:`d2m.features.tempo_model`, written by ``scripts/fit_tempo.py``.

Fitted to 112 real dance clips of 48 sources (landmarks, and beats of their music; they are
not part of the project) and to 120 dances of the studio. Tempo within 4 % of the music's:
0.509 of the real clips, cross-validated over sources. Licence: MIT.
"""

#: One for each of the model's figures, in their order.
WEIGHTS: tuple[float, ...] = (
    0.20536,
    0.25562,
    -0.10883,
    0.18253,
    0.04262,
    0.04218,
    0.01670,
    0.21657,
    -0.04951,
    0.47484,
    -0.01541,
    0.14869,
    -0.12964,
    -0.12115,
    -0.10885,
    -0.02111,
    0.03816,
    -0.10135,
    0.08550,
    0.11680,
    0.12828,
    0.14848,
    -0.13999,
    0.01422,
    0.15093,
    0.09718,
    -0.20256,
    0.12098,
    0.06293,
    0.01778,
    -0.16369,
    -0.12625,
    -0.04232,
    0.06527,
    -0.17639,
    0.21939,
    0.21280,
    0.09819,
    0.06505,
    0.24089,
    0.07519,
    0.00642,
    0.15199,
    -0.37292,
    -1.62918,
    0.23731,
    -0.19857,
    0.50682,
    -0.27936,
    0.42714,
    -0.47323,
    0.44231,
)
#: Constant and slope of the calibration.
CALIBRATION: tuple[float, float] = (0.4804, 0.9533)
