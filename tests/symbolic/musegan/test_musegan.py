"""MuseGAN: the three models, from scratch and with a given track, what they make, and their weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from d2m import weights
from d2m.errors import D2MError
from d2m.symbolic.musegan import COMPACT, PAPER, MuseGan, MuseGanConfig, configure, load, save
from d2m.symbolic.musegan.accompaniment import accompany_roll, generate_roll
from d2m.symbolic.musegan.critic import Critics, gradient_penalty, points_between
from d2m.symbolic.musegan.generator import Generator, parameter_count
from d2m.symbolic.musegan.latents import Latents, between, draw, grid
from d2m.symbolic.musegan.layers import BARS, PITCHES, STEPS, Grow, Shrink, prime_factors
from d2m.symbolic.pianoroll import Metre, PianoRoll
from d2m.types import TRACKS

SMALL = replace(COMPACT, temporal_width=16, width=8, encoder_width=4, critic_width=4, latent=16)
TINY_PAPER = replace(PAPER, temporal_width=16, width=8, encoder_width=4, critic_width=4, latent=16)
CASES = [(model, condition) for model in ("jamming", "composer", "hybrid") for condition in (-1, 1)]


def generator(config: MuseGanConfig, seed: int = 0) -> Generator:
    torch.manual_seed(seed)
    return Generator(config).eval().requires_grad_(False)


def loud(config: MuseGanConfig, seed: int = 0) -> MuseGan:
    """An untrained model whose last layers are strong enough to make notes."""
    made = generator(config, seed)
    for bars in made.bars:
        for layer in (bars.semitones, bars.held[-1]) if bars.held is not None else (bars.semitones,):
            layer.linear.weight.mul_(60)
    return MuseGan(made, "untrained")


def random_rolls(config: MuseGanConfig, count: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy((rng.random((count, *config.shape)) < 0.1).astype(np.float32) * 2 - 1)


@pytest.mark.parametrize(("model", "condition"), CASES)
@pytest.mark.parametrize("base", [SMALL, TINY_PAPER], ids=["compact", "paper"])
def test_every_model_makes_phrases_and_its_critics_judge_them(base, model, condition):
    config = replace(base, model=model, condition=condition)
    made, critics = generator(config), Critics(config)
    latents = draw(config, np.random.default_rng(0), 2)
    real = random_rolls(config, 2)
    given = real[..., condition] if condition >= 0 else None
    fake = made(latents, given)
    assert fake.shape == (2, *config.shape)
    assert fake.abs().max() <= 1
    judgement = critics(torch.cat([real, fake]), points_between(real, fake, torch.tensor([0.25, 0.75])))
    voices = 1 if model != "jamming" else len(config.made)
    assert judgement.scores.shape == (4, voices)
    assert judgement.slopes.shape == (2, voices)
    if given is not None:
        assert torch.equal(fake[..., condition], given)


def test_models_have_the_vectors_that_the_paper_gives_them():
    kinds = {"jamming": (False, True), "composer": (True, False), "hybrid": (True, True)}
    for model, (inter, intra) in kinds.items():
        latents = draw(replace(PAPER, model=model), np.random.default_rng(0), 3)
        assert [value is not None for value in latents] == [inter, inter, intra, intra]
        of_one_generator = [v.reshape(3, -1, v.shape[-1])[:, 0] for v in latents if v is not None]
        assert sum(v.shape[1] for v in of_one_generator) == 128
    given = draw(replace(PAPER, condition=1), np.random.default_rng(0), 3, bars=9)
    assert given.inter_time.shape == (3, 9, 32)
    assert given.intra_time.shape == (3, 5, 9, 32)


def test_the_paper_configuration_has_the_sizes_of_its_tables():
    config = MuseGanConfig()
    assert config == PAPER
    assert config.shape == (4, 96, 84, 5)
    bars = Generator(config).bars[0]
    assert [layer.outputs for layer in (bars.start, *bars.steps, bars.octaves, bars.semitones)] == [
        *(1024, 512, 256, 256, 128, 128, 64, 1)
    ]
    assert [layer.factor for layer in bars.steps] == [2, 2, 2, 2, 3]
    critic = Critics(config).critics[0]
    shapes = [(layer.kernel, layer.stride, layer.linear.out_features) for layer in critic.layers]
    assert shapes == [
        *((2, 1, 128), (3, 1, 128), (12, 12, 128), (7, 7, 128)),
        *((2, 2, 128), (2, 2, 128), (4, 2, 256), (3, 2, 512)),
    ]
    assert not any(isinstance(module, torch.nn.BatchNorm1d) for module in critic.modules())


def test_growing_is_a_transposed_convolution():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5, 6)
    for axis, kernel in ((STEPS, (3, 1)), (PITCHES, (1, 3))):
        layer = Grow(6, 2, 3, axis, last=True)
        weight = layer.linear.weight.view(*kernel, 2, 6).permute(3, 2, 0, 1)
        images = x.flatten(0, 1).permute(0, 3, 1, 2)
        expected = torch.nn.functional.conv_transpose2d(images, weight, stride=kernel).permute(0, 2, 3, 1)
        assert torch.allclose(layer(x).flatten(0, 1), expected, atol=1e-6)


@pytest.mark.parametrize(("axis", "kernel", "stride"), [(BARS, 2, 1), (STEPS, 4, 2), (STEPS, 2, 2), (PITCHES, 5, 5)])
def test_shrinking_is_a_convolution(axis, kernel, stride):
    torch.manual_seed(0)
    x = torch.randn(2, 4, 10, 5, 3)
    layer = Shrink(3, 7, kernel, stride, axis)
    window = [1, 1, 1]
    window[axis - 1] = kernel
    steps = [1, 1, 1]
    steps[axis - 1] = stride
    weight = layer.linear.weight.view(7, kernel, 3).transpose(1, 2).reshape(7, 3, *window)
    images = torch.nn.functional.conv3d(x.permute(0, 4, 1, 2, 3), weight, layer.linear.bias, stride=steps)
    expected = torch.nn.functional.leaky_relu(images, 0.2).permute(0, 2, 3, 4, 1)
    assert torch.allclose(layer(x), expected, atol=1e-5)


def test_prime_factors_multiply_to_the_number():
    assert prime_factors(48) == [2, 2, 2, 2, 3]
    assert prime_factors(1) == []


def test_slopes_are_the_norms_of_the_gradients():
    config = replace(SMALL, model="hybrid")
    torch.manual_seed(0)
    critics, points = Critics(config), random_rolls(config, 2) * 0.5
    said = critics(points, points)
    direction = torch.randn_like(points)
    direction /= direction.flatten(1).norm(dim=1).view(-1, 1, 1, 1, 1)
    exact = points.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(critics(exact).scores.sum(), exact)
    assert torch.allclose(said.slopes[:, 0], gradient.flatten(1).norm(dim=1), atol=1e-4)
    assert float(gradient_penalty(torch.tensor([[1.0], [3.0]]))) == 2.0
    gradient_penalty(said.slopes).backward()
    assert all(p.grad is not None for name, p in critics.named_parameters() if name.endswith("linear.weight"))


def test_jamming_critics_hear_one_track_each_and_the_given_one_beside_it():
    assert Critics(replace(SMALL, model="jamming")).groups == [[0], [1], [2], [3], [4]]
    assert Critics(replace(SMALL, model="jamming", condition=3)).groups == [[3, 0], [3, 1], [3, 2], [3, 4]]
    assert Critics(replace(SMALL, model="hybrid", condition=3)).groups == [[0, 1, 2, 3, 4]]


def test_tracks_of_the_jamming_model_do_not_depend_on_each_others_vectors():
    for model, independent in (("jamming", True), ("hybrid", False)):
        config = replace(SMALL, model=model)
        made = generator(config)
        rng = np.random.default_rng(0)
        a, b = draw(config, rng, 1), draw(config, rng, 1)
        mixed = a._replace(intra=a.intra.clone(), inter=b.inter)
        mixed.intra[:, 2] = b.intra[:, 2]
        same = [torch.equal(made(a)[..., t], made(mixed)[..., t]) for t in range(5)]
        assert same == ([True, True, False, True, True] if independent else [False] * 5)


def test_the_output_starts_at_the_density_of_the_data():
    made = generator(SMALL)
    mean = torch.full((16, 72, 5), 0.3)
    mean[..., 2] = 0.0
    made.start_from(mean, torch.ones(5))
    outputs = made.eval()(draw(SMALL, np.random.default_rng(0), 4))
    chances = ((outputs + 1) / 2).mean((0, 1, 2, 3))
    assert chances[0] == pytest.approx(0.3, abs=0.03)
    assert chances[2] < 0.03


@pytest.mark.slow
@pytest.mark.parametrize(("model", "condition"), CASES)
def test_tracks_rest_as_often_as_in_the_data_and_then_are_silent(model, condition):
    config = replace(SMALL, model=model, condition=condition, latent=64)
    torch.manual_seed(0)
    made = Generator(config)
    playing = torch.tensor([0.95, 0.8, 0.3, 0.6, 0.9])
    # As loud as can be, so that a bar is silent only where the track rests.
    made.start_from(playing.expand(16, 72, 5), playing)
    latents = draw(config, np.random.default_rng(0), 256)
    given = random_rolls(config, 256)[..., condition] if condition >= 0 else None
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.momentum = None
        made(latents, given)
        outputs = made.eval()(latents, given)
    sounding = (outputs > 0).any(3).any(2).float().mean((0, 1))
    for track in config.made:
        assert sounding[track] == pytest.approx(float(playing[track]), abs=0.08)
    resting = ~(outputs > 0).any(3).any(2)
    for track in config.made:
        assert (outputs[..., track].amax((2, 3))[resting[..., track]] == -1).all()


def test_what_rests_is_learnt():
    config = replace(SMALL, model="hybrid")
    made = generator(config).requires_grad_(True).train()
    made(draw(config, np.random.default_rng(0), 8)).mean().backward()
    assert all(rests.view.weight.grad.abs().sum() > 0 for rests in made.rests)


def test_weights_from_before_rests_were_known_are_loaded(tmp_path):
    config = replace(SMALL, rests=0, classes=0)
    values = {name: value for name, value in config.to_dict().items() if name not in ("rests", "classes")}
    weights.save_state(tmp_path / "old.safetensors", generator(config).state_dict(), "musegan", values)
    assert load(tmp_path / "old.safetensors").config == config


def test_critics_hear_a_pitch_class_that_sounds_once():
    config = replace(SMALL, model="hybrid")
    critics = Critics(config)
    rolls = -torch.ones(2, *config.shape)
    rolls[1, 2, 5, 30, 1] = 1
    heard = [part(rolls) for part in critics.classes]
    assert len(heard) == 1
    assert heard[0][0] != heard[0][1]
    again = rolls.clone()
    again[1, 2, 9, 42, 1] = 1
    assert torch.equal(critics.classes[0](again), heard[0])


def test_the_same_seed_makes_the_same_phrases():
    muse = loud(SMALL)
    first = muse.generate(3, seed=1)
    assert first.dtype == bool
    assert first.shape == (3, *SMALL.shape)
    assert first.any()
    assert not first.all()
    assert np.array_equal(first, muse.generate(3, seed=1))
    assert not np.array_equal(first, muse.generate(3, seed=2))
    assert np.array_equal(muse.generate(3, 1, "bernoulli"), muse.generate(3, 1, "bernoulli"))
    assert not np.array_equal(first, muse.generate(3, 1, "bernoulli"))


def test_more_phrases_than_fit_at_once_are_the_same_phrases():
    muse = loud(SMALL)
    latents = draw(SMALL, np.random.default_rng(3), 70)
    assert np.array_equal(muse.realise(latents)[66:], muse.realise(latents.rows(slice(66, None))))


def test_bernoulli_sampling_draws_notes_by_their_chances():
    muse = MuseGan(generator(SMALL))
    muse.generator.start_from(torch.full((16, 72, 5), 0.2), torch.ones(5))
    assert muse.generate(2, binarise="threshold").mean() == 0
    assert muse.generate(8, binarise="bernoulli").mean() == pytest.approx(0.2, abs=0.02)


def test_related_phrases_share_what_does_not_change_in_time():
    config = replace(SMALL, model="hybrid")
    muse = loud(config)
    made = muse.generate(2, seed=4, related=True)
    assert not np.array_equal(made[0], made[1])
    latents = draw(config, np.random.default_rng(4), 2)
    shared = Latents(latents.inter[:1], latents.inter_time[1:], latents.intra[:1], latents.intra_time[1:])
    assert np.array_equal(made[1:], muse.realise(shared))


def test_the_way_between_two_phrases_begins_and_ends_at_them():
    muse = loud(SMALL)
    way = muse.way(1, 2, 5)
    assert np.array_equal(way[0], muse.generate(1, 1)[0])
    assert np.array_equal(way[-1], muse.generate(1, 2)[0])
    a, b = (draw(SMALL, np.random.default_rng(seed), 1) for seed in (1, 2))
    lengths = [float(between(a, b, w).inter.norm()) for w in (0.0, 0.5, 1.0)]
    assert min(lengths[0], lengths[2]) * 0.9 < lengths[1] < max(lengths[0], lengths[2]) * 1.1
    assert torch.allclose(between(a, a, 0.3).inter, a.inter)


def test_the_square_changes_inter_track_vectors_down_and_intra_track_vectors_across():
    a, b = (draw(SMALL, np.random.default_rng(seed), 1) for seed in (1, 2))
    points = grid(a, b, 3)
    assert torch.equal(points[0][2].inter, points[0][0].inter)
    assert not torch.equal(points[0][2].intra, points[0][0].intra)
    assert torch.allclose(points[2][2].intra_time, b.intra_time)
    assert loud(SMALL).square(1, 2, 3).shape == (3, 3, *SMALL.shape)


def test_accompaniment_is_as_long_as_the_given_track_and_keeps_it():
    config = replace(SMALL, condition=1)
    muse = loud(config)
    rng = np.random.default_rng(0)
    for bars in (1, 3, 70):
        piano = rng.random((bars, 16, 72)) < 0.05
        made = muse.accompany(piano, seed=5, binarise="bernoulli")
        assert made.shape == (bars, 16, 72, 5)
        assert np.array_equal(made[..., 1], piano)
        assert made[..., 3].any()
    silent = muse.accompany(np.zeros((70, 16, 72), bool), seed=5)
    assert not np.array_equal(silent[..., 0], muse.accompany(piano, seed=5)[..., 0])


def piece(bars: int, pickup: int = 0, metre: tuple[int, int] = (4, 4), track: int = 1) -> PianoRoll:
    """A chord a beat at 24 steps a beat."""
    length = 24 * 4 * metre[0] // metre[1]
    steps = pickup + bars * length
    held = np.zeros((5, steps, 128), dtype=bool)
    onsets = np.zeros_like(held)
    for start in range(0, steps, 24):
        held[track, start : start + 20, [60, 64, 67]] = True
        onsets[track, start, [60, 64, 67]] = True
    lines = np.arange(pickup, steps, length)
    first = [0] if pickup else []
    metres = (Metre(0, *metre),)
    return PianoRoll(
        held, onsets, 24, np.full(steps, 97.0), np.array([*first, *lines]), metres, (0, 4, 24, 32, 48), "piece"
    )


def test_a_piece_keeps_its_track_tempo_and_bars_and_gets_a_band():
    muse = loud(replace(SMALL, condition=1))
    roll = piece(6, pickup=48)
    made = accompany_roll(muse, roll, seed=2)
    assert np.array_equal(made.held[1], roll.held[1])
    assert np.array_equal(made.onsets[1], roll.onsets[1])
    assert np.array_equal(made.tempo, roll.tempo)
    assert np.array_equal(made.downbeats, roll.downbeats)
    assert made.programs[1] == 4
    for track in (0, 2, 3, 4):
        assert made.held[track, 48:].any()
        assert not made.held[track, :48].any()


@pytest.mark.parametrize("metre", [(1, 4), (2, 4)])
def test_bars_of_fewer_quarters_are_taken_together(metre):
    muse, bars = loud(replace(SMALL, condition=1)), 24 // metre[0]
    made = accompany_roll(muse, piece(bars, metre=metre), seed=2)
    assert np.array_equal(made.held, accompany_roll(muse, piece(6), seed=2).held)
    assert len(made.downbeats) == bars


def test_bars_in_another_metre_keep_the_given_track_alone():
    muse, roll = loud(replace(SMALL, condition=1)), piece(6)
    # One bar in 2/4 between bars in 4/4, as songs have before a chorus.
    lines = np.array([0, 96, 192, 240, 336, 432])
    made = accompany_roll(muse, replace(roll, downbeats=lines), seed=2)
    for track in (0, 2, 3, 4):
        assert not made.held[track, 192:240].any()
        assert made.held[track, 240:].any()


def test_what_cannot_be_accompanied_is_named():
    muse = loud(replace(SMALL, condition=1))
    with pytest.raises(D2MError, match=r"no piano track to accompany, it plays guitar"):
        accompany_roll(muse, piece(2, track=2))
    with pytest.raises(D2MError, match="no bar in 4/4"):
        accompany_roll(muse, piece(4, metre=(3, 4)))
    with pytest.raises(D2MError, match="accompanies a piano track"):
        muse.generate()
    with pytest.raises(D2MError, match="from scratch"):
        accompany_roll(loud(SMALL), piece(2))
    with pytest.raises(D2MError, match="binarisation 'dice'"):
        loud(SMALL).generate(binarise="dice")


def test_phrases_follow_each_other_in_a_roll():
    roll = generate_roll(loud(SMALL), phrases=3, seed=1, tempo=93.0)
    assert roll.steps == 3 * 64
    assert np.all(roll.tempo == 93.0)
    assert len(roll.downbeats) == 12
    assert {TRACKS[t] for t in range(5) if roll.held[t].any()} == set(TRACKS)


def test_weights_make_the_same_music_after_a_save(tmp_path):
    for condition in (-1, 1):
        config = replace(SMALL, condition=condition)
        muse = loud(config)
        save(muse.generator, tmp_path / "m.safetensors")
        again = load(tmp_path / "m.safetensors")
        assert again.config == config
        assert again.name == "m"
        if condition < 0:
            assert np.mean(again.generate(2, 1) != muse.generate(2, 1)) < 0.01


@pytest.mark.slow
def test_other_weights_and_forged_sizes_are_refused(tmp_path):
    from d2m import weights

    with pytest.raises(D2MError, match="a MuseGAN"):
        load("studio-codec")
    state = generator(SMALL).state_dict()
    for change, message in (
        ({"width": 10**9}, "not usable"),
        ({"width": 16}, "does not fit"),
        ({"model": "quartet"}, "not usable"),
        ({"steps": "16"}, "not usable"),
        ({"condition": 1.5}, "not usable"),
        ({"condition": 5}, "not usable"),
        ({"depth": 3}, "unknown entry 'depth'"),
    ):
        weights.save_state(tmp_path / "w.safetensors", state, "musegan", SMALL.to_dict() | change)
        with pytest.raises(D2MError, match=message):
            load(tmp_path / "w.safetensors")


def test_names_of_the_command_line_lead_to_configurations():
    assert configure("hybrid") == COMPACT
    assert configure("hybrid", resolution="paper") == PAPER
    assert configure("composer", "bass").condition == 3
    for wrong in (("quartet",), ("hybrid", "flute"), ("hybrid", "none", "huge")):
        with pytest.raises(D2MError, match="choose one of"):
            configure(*wrong)


def test_the_compact_generator_is_small():
    assert parameter_count(Generator(COMPACT)) < 1.6e6
