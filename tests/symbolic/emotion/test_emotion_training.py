"""An actor and a critic learn to give melodies an emotion: towards its pitch and density, and no further than asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from d2m.cli.main import main
from d2m.datasets.melodies import PARTS
from d2m.errors import D2MError
from d2m.symbolic import emotion
from d2m.symbolic.emotion.actor_critic import Actor, ActorCritic, ActorCriticConfig, EmotionModel, fingerprint
from d2m.symbolic.emotion.ascent import descend
from d2m.symbolic.emotion.effect import measure
from d2m.symbolic.emotion.emotions import attributes, load_emotions
from d2m.symbolic.emotion.losses import drift
from d2m.symbolic.emotion.musicvae import HierarchicalMusicVae, MusicVae, MusicVaeConfig
from d2m.symbolic.melody import CLASSES, FIRST_KEY, HIGHEST, LOWEST, from_notes
from d2m.training.emotion import EmotionTask, EmotionTraining, joined
from d2m.training.export import export, read_checkpoint
from d2m.training.loop import LoopConfig, train

pytestmark = pytest.mark.slow

SMALL = MusicVaeConfig(6, 8, 1, True, 8, 12, 1)
TABLE = load_emotions()


class PlainDecoder(nn.Module):
    """Writes by rule: the first value of a vector is the pitch, the second how many of the 16 steps are struck."""

    #: Steps of a bar, those that a melody strikes first coming first.
    ORDER = (0, 8, 4, 12, 6, 14, 2, 10, 7, 3, 11, 15, 1, 5, 9, 13)

    def write(self, z, choose, forms=None):
        keys = torch.arange(LOWEST, HIGHEST + 1)
        pitch = TABLE.pitch_mean + TABLE.pitch_deviation * z[:, :1]
        wanted = TABLE.density_mean + TABLE.density_deviation * z[:, 1:2]
        strike = torch.stack([wanted[:, 0] - self.ORDER.index(step) - 0.5 for step in range(16)], dim=1)
        which = -0.5 * (keys - pitch).square()
        rows = []
        for step in range(16):
            struck = strike[:, step, None] + which
            rows.append(torch.cat([torch.zeros(len(z), 1), torch.full((len(z), 1), -9.0), struck], dim=1))
        logits = torch.stack(rows, dim=1).repeat(1, 16, 1)
        return logits, choose(logits.flatten(0, 1)).reshape(logits.shape)


class PlainVae(nn.Module):
    """A MusicVAE whose answers are known: what it decodes to, it encodes to."""

    config = MusicVaeConfig(6, 1, 1, True, 1, 1, 1)

    def __init__(self):
        super().__init__()
        self.mu, self.decoder = nn.Linear(1, 6), PlainDecoder()

    def encode(self, melodies):
        values = torch.from_numpy(TABLE.scaled(attributes(melodies.numpy())).astype(np.float32))
        mu = functional.pad(values, (0, 4))
        return mu, torch.full_like(mu, 0.1)


def melodies(count, seed=0):
    """Melodies of one key each, pitch and density like those of real ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        key = round(float(np.clip(rng.normal(TABLE.pitch_mean, TABLE.pitch_deviation), 50, 95)))
        number = int(np.clip(round(rng.normal(TABLE.density_mean, TABLE.density_deviation)), 1, 12))
        starts = sorted(PlainDecoder.ORDER[:number])
        rows.append(from_notes(np.array([(16 * bar + at, 256, key) for bar in range(16) for at in starts])))
    return np.stack(rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("melodies")
    for seed, part in enumerate(PARTS):
        rows = melodies(64, seed)
        index = np.arange(len(rows), dtype=np.int32)
        np.savez(folder / f"{part}.npz", melodies=rows, songs=index, bars=index * 0, names=[f"{i}" for i in index])
    return folder


def plain():
    torch.manual_seed(1)
    return MusicVae(PlainVae())


def small():
    torch.manual_seed(1)
    return MusicVae(HierarchicalMusicVae(SMALL))


def task(data, vae, **changes):
    settings = EmotionTraining(data, **{"batch": 16, "learning_rate": 3e-3, "evaluate_on": 36, **changes})
    torch.manual_seed(0)
    return EmotionTask(settings, vae, units=48)


def loop(folder, steps, evaluate_every=10**6):
    return LoopConfig(folder, steps, 0.0, 2, evaluate_every, 3, accelerator="cpu", precision="32-true")


def test_the_plain_vae_is_what_it_says():
    vae, rows = plain(), melodies(8, 5)
    np.testing.assert_array_equal(vae.reconstruct(rows), rows)


@pytest.mark.parametrize(
    "weights",
    [{"heard": 1.0, "judged": 0.0, "lessons": 0}, {"heard": 0.0, "judged": 1.0, "lessons": 1}],
    ids=["through the decoder", "by the critic"],
)
def test_an_actor_moves_pitch_and_density_towards_the_emotion(data, tmp_path, weights):
    trained = task(data, plain(), near=0.1, real=0.1, harmony=0.0, **weights)
    train(trained, loop(tmp_path / "run", 100))
    figures = measure(trained.model(), trained.valid, np.random.default_rng(0))
    for start in ("from", "new"):
        for axis in ("pitch", "density"):
            assert figures[f"{start} 1: {axis} error"] < 0.5 * figures[f"{start} 0: {axis} error"]
            assert figures[f"{start} 1: {axis} order"] > 0.8
        assert figures[f"{start} 1: in region"] > figures[f"{start} 0: in region"] + 0.3
    errors = [figures[f"from {strength:g}: pitch error"] for strength in (0, 0.25, 0.5, 0.75, 1)]
    assert errors == sorted(errors, reverse=True)
    moved = [figures[f"from {strength:g}: moved"] for strength in (0, 0.25, 0.5, 0.75, 1)]
    assert moved == sorted(moved)
    assert moved[0] == 0
    assert figures["from 0: tune"] == figures["from 0: rhythm"] == 1.0
    # New vectors lie where melodies' do, which have little but noise in four of the six values.
    drawn = trained.model().draw(500, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.std(axis=0), [1, 1, 0.1, 0.1, 0.1, 0.1], rtol=0.4)


def test_who_must_stay_near_moves_less(data, tmp_path):
    ways = []
    for near in (0.0, 5.0):
        trained = task(data, plain(), near=near, real=0.0, judged=0.0, lessons=0)
        train(trained, loop(tmp_path / f"{near}", 20))
        z, _ = trained.vae.encode(trained.valid)
        ways.append(np.square(trained.model().move(z, "gloomy") - z).mean())
    assert ways[1] < 0.5 * ways[0]


def test_looking_where_it_leads_an_actor_that_falls_short_gets_there():
    class Half(nn.Module):
        """Goes half the way to the targets, and lower than asked."""

        def forward(self, z, targets, strength=1.0):
            moved = z.clone()
            moved[:, :2] += strength * (0.5 * (targets - z[:, :2]) - 0.2)
            return moved

    vae = plain()
    network = ActorCritic(ActorCriticConfig(6, 8, vae=fingerprint(vae.network)))
    network.actor = Half()
    model, z = EmotionModel(vae, network), np.zeros((9, 6), np.float32)
    targets = TABLE.targets()
    errors = [TABLE.errors(attributes(vae.decode(model.aim(z, targets, 1.0, n))), targets).mean() for n in (0, 1, 3, 6)]
    assert errors[0] == errors[1]
    assert errors[2] < 0.6 * errors[0]
    assert errors[3] < errors[2]
    np.testing.assert_array_equal(model.aim(z, targets, 0.0), z)


def test_descending_the_gradient_alone_gets_there_too(data):
    vae, start = plain(), np.zeros((9, 6), np.float32)
    targets = TABLE.targets()
    found = attributes(vae.decode(descend(vae, start, targets, TABLE, steps=60)))
    before = TABLE.errors(attributes(vae.decode(start)), targets)
    assert TABLE.errors(found, targets).mean() < 0.5 * before.mean()
    assert not vae.network.training


def test_an_untrained_actor_and_strength_0_leave_vectors_alone():
    config = ActorCriticConfig(6, 16)
    z, targets = torch.randn(5, 6), torch.randn(5, 2)
    actor = Actor(config)
    torch.testing.assert_close(actor(z, targets), z)
    nn.init.normal_(actor.net[-1].weight)
    assert (actor(z, targets) != z).any()
    assert torch.equal(actor(z, targets, 0.0), z)
    # Out where no melody is, strength 0 still changes nothing.
    assert torch.equal(actor(9 * z, targets, 0.0), 9 * z)


def test_vectors_stay_in_the_latent_space():
    config = ActorCriticConfig(6, 16, reach=50.0)
    actor = Actor(config)
    nn.init.normal_(actor.net[-1].weight, std=3.0)
    z = torch.randn(64, 6) * torch.tensor([0.3, 3.0]).repeat_interleave(32)[:, None]
    moved = actor(z, torch.randn(64, 2))
    most = z.norm(dim=1).clamp_min(1.1 * 6**0.5)
    assert (moved.norm(dim=1) <= most * 1.0001).all()
    assert (moved.norm(dim=1) > 0.9 * most).any()


def test_dimensions_of_which_the_encoder_is_sure_weigh_more():
    sigma, start = torch.tensor([0.1, 1.0]), torch.zeros(2, 2)
    sure, unsure = drift(torch.eye(2), start, sigma)
    assert sure.item() == pytest.approx(100 * unsure.item(), rel=1e-4)
    assert drift(start, start, sigma).tolist() == [0.0, 0.0]


def test_musicvae_is_left_as_it_was_and_gradients_reach_the_actor_through_it(data, tmp_path):
    vae = small()
    before = {name: tensor.clone() for name, tensor in vae.network.state_dict().items()}
    # A decoder that has learnt nothing holds on forever; this one strikes keys here and there.
    vae.network.decoder.output.bias.data[FIRST_KEY + 30 : FIRST_KEY + 50] = 0.5
    before["decoder.output.bias"] = vae.network.decoder.output.bias.clone()
    trained = task(data, vae, judged=0.0, real=0.0, near=0.0, learning_rate=1e-3)
    train(trained, loop(tmp_path / "run", 2))
    assert all(torch.equal(before[name], tensor) for name, tensor in vae.network.state_dict().items())
    assert trained.network.actor.net[-1].weight.abs().max() > 0


def test_a_run_goes_on_exactly_where_it_stopped(data, tmp_path):
    for folder, stops in (("whole", (6,)), ("parts", (3, 6))):
        for steps in stops:
            trained = task(data, small())
            train(trained, loop(tmp_path / folder, steps, evaluate_every=6))
    states = [read_checkpoint(tmp_path / folder / "last.ckpt") for folder in ("whole", "parts")]
    for name in ("actor", "critic"):
        for key, tensor in states[0]["modules"][name].items():
            assert torch.equal(tensor, states[1]["modules"][name][key]), key
    logs = []
    for folder in ("whole", "parts"):
        rows = [json.loads(line) for line in (tmp_path / folder / "log.jsonl").read_text().splitlines()]
        logs.append([{**row, "seconds_per_step": 0} for row in rows if row["step"] != 3])
    assert logs[0] == logs[1]
    assert "from 0.5: tune" in logs[0][-1]
    assert states[0]["task"]["config"]["vae"] == fingerprint(small().network)


def test_a_run_goes_on_with_its_own_musicvae_alone(data, tmp_path):
    train(task(data, small()), loop(tmp_path / "run", 1))
    torch.manual_seed(2)
    other = MusicVae(HierarchicalMusicVae(SMALL))
    with pytest.raises(D2MError, match="config.vae"):
        train(task(data, other), loop(tmp_path / "run", 2))


def test_an_actor_is_used_with_its_own_musicvae_alone():
    vae = small()
    network = ActorCritic(ActorCriticConfig(6, 8, vae=fingerprint(vae.network)))
    model = EmotionModel(vae, network)
    with pytest.raises(D2MError, match="another MusicVAE"):
        EmotionModel(vae, ActorCritic(ActorCriticConfig(6, 8, vae=1)))
    vae.network.half().float()
    assert EmotionModel(vae, network)
    with pytest.raises(D2MError, match="did you mean 'gloomy'"):
        model.compose("glomy", 1)
    with pytest.raises(D2MError, match="strength 7 is not between"):
        model.recolour(melodies(1), "맑음", strength=7)
    with pytest.raises(D2MError, match="latent vectors are"):
        model.move(np.zeros((2, 5)), "clear")
    composed = model.compose("우울함", 3, seed=4)
    assert composed.shape == (3, 256)
    assert composed.max() < CLASSES
    np.testing.assert_array_equal(composed, model.compose("melancholic", 3, seed=4))
    assert model.compose("melancholic", 0).shape == (0, 256)


def test_the_command_says_what_is_missing(data, tmp_path, capsys):
    run = ["--run", str(tmp_path / "run"), "--data", str(data)]
    assert main(["train", "emotion", *run, "--vae", str(tmp_path / "none.safetensors")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1


def test_the_command_trains(data, tmp_path):
    from d2m import weights

    network = small().network
    path = tmp_path / "melody.safetensors"
    weights.save_state(path, network.state_dict(), "musicvae", network.settings())
    call = ["train", "emotion", "--data", str(data), "--vae", str(path), "--run", str(tmp_path / "run"), "--units", "8"]
    call += ["--no-tensorboard", "--samples-every", "0"]
    assert main([*call, "--batch", "4", "--steps", "2", "--evaluate-every", "2", "--accelerator", "cpu"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert any("from 0.25: tune" in str(row) for row in rows)
    scores = EmotionTask.score(None, rows[-1])
    assert scores is None or scores > 0
    assert_exported(tmp_path / "run" / "last.ckpt", path, tmp_path / "emotion.safetensors")


def assert_exported(checkpoint, vae, out):
    """What a run made is used from a file as it was in the run."""
    state = joined(read_checkpoint(checkpoint))
    card = {"architecture": "x", "data": "x", "licence": "MIT", "command": "x", "seed": 0, "scores": {}}
    export(state, "emotion", out, "emotion", state["task"]["config"], card)
    model = emotion.load_emotion(out, emotion.load(vae))
    z = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    actor = Actor(ActorCriticConfig(**state["task"]["config"]))
    actor.load_state_dict(state["modules"]["actor"])
    target = TABLE.find("clear")
    wanted = torch.tensor(TABLE.scaled([target.pitch, target.density]), dtype=torch.float32).expand(3, -1)
    expected = actor(torch.from_numpy(z), wanted, 0.5).detach().numpy()
    np.testing.assert_allclose(model.move(z, "맑음", 0.5), expected, atol=2e-3)
    with pytest.raises(D2MError, match="an actor and critic of emotions"):
        emotion.load(out)
