"""Priors from elsewhere: diffusers' folders, OpenAI's checkpoints, and what is refused."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import warnings

import pytest
import torch
from exact import normal
from openai_reference import answer, random_state

from gdp_lite._torchvision import repair_torchvision
from gdp_lite.cli import main
from gdp_lite.degradations import GaussianNoise
from gdp_lite.prior import Prior, load_prior
from gdp_lite.prior_files import known, listing, places
from gdp_lite.prior_files.layout import ADM, IMPROVED, Recipe, layout_of
from gdp_lite.prior_files.listing import listed
from gdp_lite.prior_files.openai import convert
from gdp_lite.prior_files.parts import schedule_from_config
from gdp_lite.prior_files.saving import save_folder
from gdp_lite.sampler import restore
from gdp_lite.schedule import linear_schedule
from gdp_lite.tiling import TiledPrior, fitted, how_seen

repair_torchvision()
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel  # noqa: E402


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GDP_LITE_CACHE", str(tmp_path / "cache"))


def faces_like(folder, side=32, flat=False, weights="safetensors", **schedule):
    """A network laid out like google/ddpm-celebahq-256's, with few channels, as its pipeline."""
    torch.manual_seed(3)
    unet = UNet2DModel(
        sample_size=side,
        block_out_channels=(32, 32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
    )
    scheduler = DDPMScheduler(**schedule)
    safe = weights == "safetensors"
    unet.save_pretrained(folder if flat else folder / "unet", safe_serialization=safe)
    scheduler.save_pretrained(folder if flat else folder / "scheduler")
    return unet.eval()


SCHEDULES = (
    {},
    {"num_train_timesteps": 200, "beta_schedule": "squaredcos_cap_v2"},
    {"num_train_timesteps": 300, "beta_schedule": "scaled_linear", "beta_end": 0.01},
    {"num_train_timesteps": 250, "beta_schedule": "sigmoid"},
    {"trained_betas": [0.01, 0.02, 0.3], "num_train_timesteps": 3},
)


@pytest.mark.parametrize("told", SCHEDULES)
def test_a_schedule_is_diffusers_own(told):
    scheduler = DDPMScheduler(**told)
    ours = schedule_from_config(scheduler.config).alpha_bar[1:]
    torch.testing.assert_close(ours.float(), scheduler.alphas_cumprod, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize(("flat", "weights"), [(False, "safetensors"), (True, "bin")])
def test_a_folder_with_attention_is_the_same_network(tmp_path, flat, weights):
    unet = faces_like(tmp_path, 24, flat, weights, **SCHEDULES[1])
    prior = load_prior(tmp_path)
    assert (prior.native_size, prior.schedule.T, prior.multiple) == (24, 200, 4)
    x = normal(2, 3, 24, 24).float()
    with torch.no_grad():
        torch.testing.assert_close(prior.eps(x, 77), unet(x, 76).sample)


@pytest.mark.parametrize(
    "stored",
    [
        {"variant": "fp16"},
        {"variant": "ema", "safe_serialization": False},
        {"max_shard_size": "200KB"},
        {"variant": "fp16", "max_shard_size": "200KB"},
    ],
    ids=str,
)
def test_weights_are_found_under_each_of_diffusers_names(tmp_path, capfd, stored):
    unet = faces_like(tmp_path / "a")
    DDPMPipeline(unet, DDPMScheduler()).save_pretrained(tmp_path / "b", **stored)
    capfd.readouterr()
    prior = load_prior(tmp_path / "b")
    assert "unsafe" not in capfd.readouterr().err, "weights alone are read, and nothing is said"
    x = normal(1, 3, 32, 32).float()
    with torch.no_grad():
        torch.testing.assert_close(prior.eps(x, 77), unet.eval()(x, 76).sample)


def test_what_is_wrong_with_a_folder_is_named(tmp_path):
    faces_like(tmp_path / "good")
    for name in ("weights", "json", "scheduler", "betas"):
        shutil.copytree(tmp_path / "good", tmp_path / name)
    (tmp_path / "weights" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (tmp_path / "json" / "unet" / "config.json").write_text("{")
    shutil.rmtree(tmp_path / "scheduler" / "scheduler")
    told = tmp_path / "betas" / "scheduler" / "scheduler_config.json"
    told.write_text('{"_class_name": "ScoreSdeVeScheduler", "num_train_timesteps": 9}')
    for name, match in (
        ("weights", "holds no weights"),
        ("json", "config.json.* is not a valid JSON"),
        ("scheduler", "no file named scheduler_config.json"),
        ("betas", "ScoreSdeVeScheduler names no steps and no betas"),
    ):
        with pytest.raises(ValueError, match=match) as error:
            load_prior(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_small_picture_is_padded_to_the_native_size(tmp_path):
    unet = faces_like(tmp_path)
    sizes = []
    prior = load_prior(tmp_path)
    prior.unet.register_forward_pre_hook(lambda module, inputs: sizes.append(inputs[0].shape[-2:]))
    x = normal(1, 3, 32, 32).float()
    with torch.no_grad():
        assert prior.eps(x[..., :5, :17], 9).shape == (1, 3, 5, 17)
        torch.testing.assert_close(prior.eps(x, 9), unet(x, 8).sample)
    assert set(sizes) == {(32, 32)}


def test_restore_shows_a_large_picture_in_tiles_and_says_so(tmp_path):
    faces_like(tmp_path)
    prior, sizes = load_prior(tmp_path), []
    prior.unet.register_forward_pre_hook(lambda module, inputs: sizes.append(inputs[0].shape[-2:]))
    y = torch.full((1, 3, 40, 70), 0.4)
    with pytest.warns(UserWarning, match="the prior sees 32 x 32 pixels: .* in tiles") as said:
        restore(y, GaussianNoise(0.1), prior)
    assert "\n" not in str(said[0].message)
    assert set(sizes) == {(32, 32)}
    assert len(sizes) == 2 * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        restore(y[..., :32, :32], GaussianNoise(0.1), prior)
        restore(y, GaussianNoise(0.1), fitted(prior))  # whoever fitted it knows


def test_what_is_said_about_the_size():
    prior = Prior(torch.nn.Identity(), linear_schedule(), 8, native_size=60)
    assert fitted(prior).tile == 64  # a multiple of what the network halves
    assert how_seen(prior, 64, 64) == ""
    assert how_seen(prior, 70, 30).endswith("shown in tiles of that and padded to that")
    assert how_seen(fitted(prior), 70, 70).endswith("in tiles of that")
    free = Prior(torch.nn.Identity(), linear_schedule(), 8)
    assert fitted(free) is free
    assert how_seen(free, 3, 3000) == ""


def test_the_command_line_says_it(tmp_path, capsys):
    from PIL import Image

    faces_like(tmp_path / "faces")
    Image.new("RGB", (50, 20), (90, 110, 130)).save(tmp_path / "a.png")
    photo, out = str(tmp_path / "a.png"), str(tmp_path / "b.png")
    faces = ["--prior", str(tmp_path / "faces")]
    assert main(["restore", photo, "-o", out, "--only", "noise", "--noise", "9", *faces]) == 0
    assert "sees 32 x 32 pixels" in capsys.readouterr().err
    again = ["restore", photo, "-o", out, "--overwrite", "--task", "denoise", *faces]
    assert main(again) == 0
    assert "sees 32 x 32 pixels" in capsys.readouterr().err


def test_a_learned_variance_is_dropped_and_a_class_refused(tmp_path):
    torch.manual_seed(0)
    shape = {"block_out_channels": (32, 32), "layers_per_block": 1, "add_attention": False}
    shape |= {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}
    unet = UNet2DModel(**shape, out_channels=6)
    DDPMPipeline(unet, DDPMScheduler()).save_pretrained(tmp_path / "six")
    prior = load_prior(tmp_path / "six")
    x = normal(1, 3, 8, 8).float()
    with torch.no_grad():
        torch.testing.assert_close(prior.eps(x, 5), unet.eval()(x, 4).sample[:, :3])
    assert prior.native_size is None
    unet = UNet2DModel(**shape, num_class_embeds=10)
    DDPMPipeline(unet, DDPMScheduler()).save_pretrained(tmp_path / "classes")
    with pytest.raises(ValueError, match="asks for a class"):
        load_prior(tmp_path / "classes")


class Harm:
    """What a file must not be able to do: run code when it is read."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def test_no_code_in_a_file_is_run(tmp_path):
    faces_like(tmp_path / "a", flat=True)
    (tmp_path / "a" / "diffusion_pytorch_model.safetensors").unlink()
    for file in (tmp_path / "a" / "diffusion_pytorch_model.bin", tmp_path / "b.pt"):
        with open(file, "wb") as out:
            pickle.dump({"x": Harm(tmp_path / "harm")}, out)
        torch.save({"x": Harm(tmp_path / "harm")}, tmp_path / "c.pt")
    for place in ("a", "b.pt", "c.pt"):
        with pytest.raises(ValueError, match="no diffusion prior could be loaded") as error:
            load_prior(tmp_path / place)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "harm").exists()


def test_without_a_network_a_line_says_the_command(monkeypatch):
    monkeypatch.setattr(places, "hub_answers", lambda: False)
    for name in ("google/ddpm-celebahq-256", "someone/some-model", "256x256_diffusion_uncond"):
        with pytest.raises(ValueError, match=f"priors --fetch {name} -o FOLDER") as error:
            load_prior(name)
        assert "\n" not in str(error.value)
    for name in ("nonsense", "./nowhere/model", "/no/where", "a/b/c", "..", "x.pt"):
        with pytest.raises(ValueError, match="no diffusion prior could be loaded") as error:
            load_prior(name)
        assert "\n" not in str(error.value)


def test_a_prior_saved_as_a_folder_is_the_same(tmp_path):
    faces_like(tmp_path / "a", **SCHEDULES[1])
    prior = load_prior(tmp_path / "a")
    save_folder(prior, tmp_path / "b")
    again = load_prior(tmp_path / "b")
    assert torch.equal(again.schedule.alpha_bar, prior.schedule.alpha_bar)
    assert again.native_size == 32
    assert "/" not in (tmp_path / "b" / "unet" / "config.json").read_text()
    x = normal(1, 3, 32, 32).float()
    with torch.no_grad():
        assert torch.equal(again.eps(x, 3), prior.eps(x, 3))


def test_a_converted_prior_saved_as_a_folder_is_the_same(tmp_path):
    """With its heads and its way of telling the time, which diffusers' options do not hold."""
    torch.save(random_state(*CASES["improved"][0]), tmp_path / "model.pt")
    prior = load_prior(convert(tmp_path / "model.pt", tmp_path / "a", IMPROVED))
    save_folder(prior, tmp_path / "b")
    again = load_prior(tmp_path / "b")
    assert (again.time_scale, again.native_size) == (0.25, 32)
    x = normal(1, 3, 32, 32).float()
    with torch.no_grad():
        assert torch.equal(again.eps(x, 3000), prior.eps(x, 3000))


CASES = {
    # ADM and improved-diffusion, smaller; then every option the other way round.
    "adm": (((32, 64, 64), 2, (1, 2), True, True), Recipe(head_channels=16)),
    "improved": (((32, 64, 96), 2, (1, 2), False, True), IMPROVED),
    "plain": (((32, 32), 1, (), False, False, 3), Recipe(heads=1)),
    "new order": (((32, 64), 1, (0,), True, False), Recipe(heads=4, new_order=True)),
}


def difference(folder, state, recipe, side, count=2):
    """Between a converted network and the reference, at the first and last time."""
    prior = load_prior(folder)
    x, t = normal(count, 3, side, side).float(), torch.tensor([1, prior.schedule.T][-count:])
    told = {"heads": recipe.heads, "head_channels": recipe.head_channels}
    theirs = answer(state, x, (t - 1) * recipe.time_scale, **told, new_order=recipe.new_order)
    with torch.no_grad():
        ours = prior.eps(x, t)
    assert float(theirs.std()) > 0.1
    return prior, float((ours - theirs[:, :3]).abs().max())


@pytest.mark.parametrize("case", CASES)
def test_a_converted_network_equals_openais(tmp_path, case):
    shape, recipe = CASES[case]
    state = random_state(*shape)
    torch.save(state, tmp_path / "model.pt")
    folder = convert(tmp_path / "model.pt", tmp_path / "out", recipe)
    side = 8 * 2 ** (len(shape[0]) - 1)
    prior, apart = difference(folder, state, recipe, side)
    assert apart < 1e-4
    assert (prior.native_size, prior.schedule.T) == (side, recipe.T)
    # A pipeline for diffusers alone only where diffusers alone is right.
    assert (folder / "model_index.json").exists() == (case in ("adm", "plain"))


@pytest.mark.parametrize("T", [1000, 4000, 250])
def test_a_linear_schedule_of_openais_has_the_same_noise_for_every_T(tmp_path, T):
    """Their betas are scaled by 1000 / T, so that the last level is about the same."""
    torch.save(random_state(*CASES["plain"][0]), tmp_path / "model.pt")
    folder = convert(tmp_path / "model.pt", tmp_path / "out", Recipe(heads=1, T=T))
    ours = load_prior(folder).schedule.beta[1:]
    theirs = torch.linspace(0.1 / T, 20 / T, T, dtype=torch.float64)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize("wrong", [{"heads": 2}, {"new_order": True}, {"rescaled": False}])
def test_the_comparison_sees_a_wrong_recipe(tmp_path, wrong):
    state = random_state(*CASES["improved"][0])
    torch.save(state, tmp_path / "model.pt")
    folder = convert(tmp_path / "model.pt", tmp_path / "out", IMPROVED._replace(**wrong))
    assert difference(folder, state, IMPROVED, 32)[1] > 1e-3


def test_a_checkpoint_is_converted_once(tmp_path):
    state = random_state(*CASES["improved"][0])
    file = tmp_path / "imagenet64_uncond_100M_1500K.pt"
    torch.save(state, file)
    said = []
    prior = load_prior(file, say=said.append)
    assert (prior.schedule.T, prior.time_scale, prior.native_size) == (4000, 0.25, 64)
    again = load_prior(file, say=said.append)
    assert len(said) == 2  # that it converts, and where to
    assert len(list(known.cache().iterdir())) == 1
    by_name = load_prior(file.stem)
    x = normal(1, 3, 64, 64).float()
    with torch.no_grad():
        assert torch.equal(prior.eps(x, 9), again.eps(x, 9))
        assert torch.equal(prior.eps(x, 9), by_name.eps(x, 9))
    state["out.2.bias"] += 1
    torch.save(state, file)  # another file of that name is another prior
    with torch.no_grad():
        torch.testing.assert_close(load_prior(file).eps(x, 9), prior.eps(x, 9) + 1)
    with pytest.raises(ValueError, match="nothing is overwritten"):
        convert(file, tmp_path)


def test_what_a_file_does_not_tell_is_assumed_aloud(tmp_path):
    torch.save(random_state(*CASES["improved"][0]), tmp_path / "model.pt")
    with pytest.warns(UserWarning, match=r"assumed: 4 heads, cosine schedule, T = 4000"):
        assert load_prior(tmp_path / "model.pt").time_scale == 0.25
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_prior(tmp_path / "model.pt")  # converted already
        convert(tmp_path / "model.pt", tmp_path / "told", IMPROVED)


@pytest.mark.slow
def test_a_prior_in_the_hubs_cache_needs_no_network(tmp_path):
    """In a process of its own: the hub's client reads its settings when it is imported."""
    snapshot = tmp_path / "hub" / "models--google--ddpm-celebahq-256" / "snapshots" / (40 * "a")
    faces_like(snapshot, flat=True, weights="bin")
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text(40 * "a")
    code = (
        "from gdp_lite.prior import load_prior; from gdp_lite.prior_files.known import place_of\n"
        "name = 'google/ddpm-celebahq-256'\n"
        "print(load_prior(name).native_size, place_of(name).name)"
    )
    there = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=there, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["32", 40 * "a"], done.stderr


def test_checkpoints_of_another_kind_are_one_line(tmp_path):
    good = random_state(*CASES["adm"][0])
    classes = good | {"label_emb.weight": torch.zeros(1000, 128)}
    upsampler = good | {"input_blocks.0.0.weight": torch.zeros(32, 6, 3, 3)}
    short = {k: v for k, v in good.items() if not k.startswith("middle_block.1")}
    for state, match in (
        (classes, "class"),
        (upsampler, "6 channels"),
        (short, "middle_block.1"),
        ({"a": torch.zeros(3)}, "no checkpoint"),
        ([torch.zeros(3)], "state dictionary"),
    ):
        torch.save(state, tmp_path / "model.pt")
        with pytest.raises(ValueError, match=match) as error:
            load_prior(tmp_path / "model.pt")
        assert "\n" not in str(error.value)
    for recipe in (Recipe(), Recipe(heads=4, head_channels=16), Recipe(heads=7)):
        torch.save(good, tmp_path / "model.pt")
        with pytest.raises(ValueError, match=r"heads|divides"):
            convert(tmp_path / "model.pt", tmp_path / "out", recipe)
    (tmp_path / "model.pt").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="no diffusion prior"):
        load_prior(tmp_path / "model.pt")
    assert not (tmp_path / "out").exists()


def test_the_layout_of_the_published_files():
    """By name and shape alone; parameters as published for ADM (552,814,086 with the variance)."""
    with torch.device("meta"):
        names = random_meta((256, 256, 512, 512, 1024, 1024), 2, (3, 4, 5), True)
    assert sum(tensor.numel() for tensor in names.values()) == 552_814_086
    layout = layout_of(names)
    assert (layout.side, layout.residual, layout.scaled, layout.outputs) == (256, True, True, 6)
    assert layout.attention == (False, False, False, True, True, True)
    small = layout_of(random_meta((128, 256, 384, 512), 3, (2, 3), False))
    assert (small.side, small.blocks, small.residual) == (64, 3, False)


def random_meta(widths, blocks, attended, residual):
    """The shapes of `random_state` without its numbers."""
    from unittest.mock import patch

    def empty(*shape, generator=None):
        return torch.empty(*shape, device="meta")

    with patch.object(torch, "randn", empty):
        return random_state(widths, blocks, attended, residual, True)


def test_priors_are_listed_fetched_and_converted_from_the_shell(tmp_path, capsys, monkeypatch):
    state = random_state(*CASES["adm"][0])
    torch.save(state, tmp_path / "256x256_diffusion_uncond.pt")
    file = str(tmp_path / "256x256_diffusion_uncond.pt")
    options = ["--head-channels", "16", "--steps", "500", "--size", "48"]
    assert main(["priors", "--convert", file, *options]) == 0
    folder = capsys.readouterr().out.strip()
    prior = load_prior(folder)
    assert (prior.schedule.T, prior.native_size) == (500, 48)
    assert main(["priors"]) == 0
    told = capsys.readouterr().out
    assert "not the published file" in told
    for name in known.KNOWN:
        assert name in told
    rows = {line.split()[0]: line for line in reversed(told.splitlines())}
    assert " yes " in rows["256x256_diffusion_uncond"]
    assert " no " in rows["imagenet64_uncond_100M_1500K"]
    # The same file by its address, from a server that is a folder.
    row = known.KNOWN["imagenet64_uncond_100M_1500K"]
    torch.save(random_state(*CASES["improved"][0]), tmp_path / "theirs.pt")
    local = row._replace(url=(tmp_path / "theirs.pt").as_uri())
    monkeypatch.setitem(known.KNOWN, row.name, local)
    assert main(["priors", "--fetch", row.name, "-o", str(tmp_path / "it")]) == 0
    assert load_prior(tmp_path / "it").schedule.T == 4000
    wrong = local._replace(sha256="0" * 64)
    monkeypatch.setitem(known.KNOWN, row.name, wrong)
    capsys.readouterr()
    assert main(["priors", "--fetch", row.name]) == 2
    assert "checksum differs" in capsys.readouterr().err
    for bad in (
        ["-o", "x"],
        ["--fetch", ""],
        ["--fetch", "a/b", "--convert", "c"],
        ["--convert", "no.pt"],
    ):
        assert main(["priors", *bad]) == 2
    note = json.loads((tmp_path / "it" / "gdp_lite.json").read_text())
    assert note["heads"] == 4


def test_the_list_has_a_checksum_for_whatever_is_here(tmp_path, monkeypatch):
    """Of every known prior: published, or of the weights themselves, or said to be unknown."""

    def checksums():
        lines = listed()
        begin = lines.index("sha256") + 1
        return dict(line.split(maxsplit=1) for line in lines[begin : begin + len(known.KNOWN)])

    found = checksums()
    assert list(found) == list(known.KNOWN)
    weights = known.BUNDLED / "unet" / "diffusion_pytorch_model.safetensors"
    own = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert found["bundled"].startswith(own)
    assert "of the published file" in found["256x256_diffusion_uncond"]
    assert found["google/ddpm-celebahq-256"] == "unknown until it is fetched"
    assert found["imagenet64_uncond_100M_1500K"] == "unknown until it is fetched"
    # As the hub's client keeps them: a link to a file that is called by the hub's checksum.
    snapshot = tmp_path / "hub" / "snapshot"
    faces_like(snapshot, flat=True)
    file = snapshot / "diffusion_pytorch_model.safetensors"
    own = hashlib.sha256(file.read_bytes()).hexdigest()
    file.rename(tmp_path / "hub" / own)
    file.symlink_to(tmp_path / "hub" / own)
    monkeypatch.setattr(listing, "place_of", lambda name: snapshot if "celeba" in name else None)
    assert checksums()["google/ddpm-celebahq-256"].startswith(own)
    assert checksums()["google/ddpm-celebahq-256"].endswith("as the hub tells")
    (tmp_path / "hub" / own).write_bytes(b"cut off")
    assert "NOT what the hub tells" in checksums()["google/ddpm-celebahq-256"]


def test_a_converted_file_is_listed_with_its_checksum(tmp_path):
    file = tmp_path / "imagenet64_uncond_100M_1500K.pt"
    torch.save(random_state(*CASES["improved"][0]), file)
    folder = convert(file)
    own = hashlib.sha256(file.read_bytes()).hexdigest()
    line = f"{file.stem:30} {own}  of the file that was converted here"
    assert line in listed()
    (folder / "gdp_lite.json").write_text("{}")
    assert f"{folder}: damaged, delete it" in listed()


def memory():
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["imagenet64_uncond_100M_1500K", "256x256_diffusion_uncond"])
def test_full_size(tmp_path, name):
    """Random weights in OpenAI's two shapes; ADM on 64 x 64 pixels, the time of 256 x 256 apart."""
    adm = name.startswith("256")
    shape = ((256, 256, 512, 512, 1024, 1024), 2, (3, 4, 5), True, True)
    shape = shape if adm else ((128, 256, 384, 512), 3, (2, 3), False, True)
    if memory() < (10e9 if adm else 3e9):
        pytest.skip("not enough free memory")
    state, recipe = random_state(*shape), ADM if adm else IMPROVED
    torch.save(state, tmp_path / f"{name}.pt")
    folder = convert(tmp_path / f"{name}.pt")
    prior = load_prior(folder)
    assert (prior.native_size, prior.schedule.T) == ((256, 1000) if adm else (64, 4000))
    prior.native_size = None
    x, t = normal(1, 3, 64, 64).float(), torch.tensor([prior.schedule.T // 2])
    told = {"heads": recipe.heads, "head_channels": recipe.head_channels}
    theirs = answer(state, x, (t - 1) * recipe.time_scale, **told)[:, :3]
    with torch.no_grad():
        assert float((prior.eps(x, t) - theirs).abs().max()) < 1e-4


def test_a_tiled_prior_still_has_no_native_size():
    assert not hasattr(TiledPrior(lambda x, sigma: x), "native_size")
