"""The five architectures: their exact size, what they may look at, that they can learn."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lvmtui.models import MODELS
from lvmtui.system.errors import UserError
from trainers.fast import faster
from trainers.models import build, unit
from trainers.models.amn import AMN
from trainers.models.graphmert_lvm import GraphMERTConfig, GraphMERTLVM, Layer, decay_mask
from trainers.models.gru import Block
from trainers.models.transformer import Transformer, sinusoids

DIM = 16

PARAMETERS = {
    ("amn", 768, "full"): 1_510_912,
    ("lstm", 768, "full"): 5_120_768,
    ("gru", 768, "full"): 7_095_552,
    ("transformer", 768, "full"): 17_867_520,
    ("graphmert_lvm", 768, "full"): 67_352_833,
    ("amn", 384, "full"): 822_400,
    ("lstm", 384, "full"): 4_137_344,
    ("gru", 384, "full"): 6_701_952,
    ("transformer", 384, "full"): 17_473_920,
    ("graphmert_lvm", 384, "full"): 26_315_905,
    ("amn", 384, "small"): 592_384,
    ("lstm", 384, "small"): 814_464,
    ("gru", 384, "small"): 816_192,
    ("transformer", 384, "small"): 644_736,
    ("graphmert_lvm", 384, "small"): 1_877_889,
}

every_model = pytest.mark.parametrize("name", MODELS)


def contexts(batch: int = 4, dim: int = DIM, seed: int = 0) -> Tensor:
    return unit(torch.randn(batch, 5, dim, generator=torch.Generator().manual_seed(seed)))


def fresh(name: str, seed: int = 0, size: str = "small") -> nn.Module:
    torch.manual_seed(seed)
    return build(name, DIM, size)


def weights_of(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize(("name", "dim", "size"), PARAMETERS)
def test_trainable_parameters_are_exactly_as_many_as_stated(name: str, dim: int, size: str) -> None:
    with torch.device("meta"):  # shapes without memory
        model = build(name, dim, size)
    count = sum(p.numel() for p in model.parameters())
    assert count == PARAMETERS[name, dim, size]
    assert all(p.requires_grad for p in model.parameters())
    assert f"{count:,}" in (type(model).__doc__ or ""), "the docstring tells another count"


@every_model
@pytest.mark.parametrize("context", [1, 3, 20, 128])
def test_a_context_of_any_length_is_seen_whole(name: str, context: int) -> None:
    """The oldest vector matters too, at any length."""
    torch.manual_seed(0)
    model = build(name, DIM, "small", context).eval()
    seen = unit(torch.randn(2, context, DIM, generator=torch.Generator().manual_seed(1))).requires_grad_()
    raw = model(seen)
    assert raw.shape == (2, DIM)
    (slope,) = torch.autograd.grad(raw.square().sum(), seen)
    assert (slope[:, 0].abs().sum(-1) > 0).all() and slope.isfinite().all()


@pytest.mark.parametrize("name", ["transformer", "graphmert_lvm"])
def test_a_model_with_positions_refuses_other_contexts(name: str) -> None:
    model = fresh(name)
    for context in (1, 4, 6):
        with pytest.raises(ValueError, match=f"contexts of {context} vectors for a model made for 5"):
            model(torch.ones(2, context, DIM))
        with pytest.raises(ValueError, match="for a model made for 5"):
            faster(model)(torch.ones(2, context, DIM))


@pytest.mark.parametrize(
    ("name", "more"), [("graphmert_lvm", DIM), ("amn", 0), ("gru", 0), ("lstm", 0), ("transformer", 0)]
)
def test_parameters_at_other_contexts(name: str, more: int) -> None:
    counts = [sum(p.numel() for p in build(name, DIM, "small", context).parameters()) for context in (1, 5, 20)]
    assert counts == [counts[1] - 4 * more, counts[1], counts[1] + 15 * more]


@every_model
@pytest.mark.parametrize("size", ["small", "full"])
@pytest.mark.parametrize("batch", [1, 3])
def test_five_vectors_in_one_out(name: str, size: str, batch: int) -> None:
    model = fresh(name, size=size)
    raw = model(contexts(batch))
    assert raw.shape == (batch, DIM) and raw.dtype == torch.float32 and raw.isfinite().all()
    assert unit(raw).norm(dim=-1).allclose(torch.ones(batch))


@every_model
def test_every_parameter_and_every_context_vector_matters(name: str) -> None:
    model, context = fresh(name).eval(), contexts().requires_grad_()
    model(context).square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []
    assert context.grad is not None and (context.grad.abs().sum(dim=-1) > 0).all()


@every_model
def test_order_of_the_context_matters_to_all_but_the_mixture(name: str) -> None:
    model, context = fresh(name).eval(), contexts()
    same = model(context).allclose(model(context.flip(1)), atol=1e-5)
    assert same == (name == "amn")


@every_model
def test_the_same_seed_gives_the_same_model_gradients_and_dropout(name: str) -> None:
    def weights_and_gradient(seed: int) -> tuple[Tensor, Tensor]:
        model = fresh(name, seed).train()
        model(contexts()).square().sum().backward()
        return weights_of(model), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    weights, gradient = weights_and_gradient(7)
    again, gradient_again = weights_and_gradient(7)
    assert weights.equal(again) and gradient.equal(gradient_again)
    assert not weights.equal(weights_and_gradient(8)[0])


@every_model
def test_weights_survive_a_file_that_is_read_without_pickle(name: str, tmp_path: Path) -> None:
    model, other = fresh(name, 1).eval(), fresh(name, 2).eval()
    assert not model(contexts()).equal(other(contexts()))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert model(contexts()).equal(other(contexts()))


@every_model
def test_a_step_never_looks_at_a_number(name: str) -> None:
    """Meta tensors have no numbers, so `.item()` or a branch on one raises: what a CUDA graph could not record."""
    model = fresh(name).to("meta").train()
    raw = model(torch.empty(4, 5, DIM, device="meta"))
    raw.sum().backward()
    assert raw.shape == (4, DIM) and all(p.grad is not None for p in model.parameters())


@every_model
def test_overfits_four_examples(name: str) -> None:
    model, context, target = fresh(name).eval(), contexts(), contexts(seed=1)[:, 0]  # eval: without dropout
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    assert torch.cosine_similarity(model(context), target).mean() < 0.9
    for _ in range(150):
        optimizer.zero_grad()
        (unit(model(context)) - target).square().sum().backward()
        optimizer.step()
    assert torch.cosine_similarity(model(context), target).min() > 0.99


@pytest.mark.parametrize(
    ("name", "dim", "size", "words"),
    [
        ("lstn", DIM, "small", "did you mean 'lstm'"),
        ("graphmert", DIM, "small", "did you mean 'graphmert_lvm'"),
        ("perceptron", DIM, "small", "amn"),
        ("lstm", DIM, "smal", "did you mean 'small'"),
        ("lstm", DIM, "huge", "small"),
        ("graphmert_lvm", 100, "small", "8 attention heads"),
    ],
)
def test_what_cannot_be_built_says_what_can(name: str, dim: int, size: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        build(name, dim, size)
    assert "\n" not in str(error.value)


def test_unit_length_is_the_direction_of_the_raw_prediction() -> None:
    assert unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).allclose(torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


# -- AMN ---------------------------------------------------------------------------------------------------------------


def test_amn_without_a_correction_is_the_mean_of_the_context() -> None:
    model = fresh("amn")
    assert isinstance(model, AMN)
    last = model.correct[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert model(contexts()).equal(contexts().mean(dim=1))


def test_amn_mixes_the_context_by_scaled_dot_product_attention_of_the_mean() -> None:
    model, context = fresh("amn"), contexts()
    assert isinstance(model, AMN)
    corrected: list[Tensor] = []
    model.correct.register_forward_pre_hook(lambda _, inputs: corrected.append(inputs[0]))
    model(context)
    mean = context.mean(dim=1, keepdim=True)
    mixture = nn.functional.scaled_dot_product_attention(model.query(mean), model.key(context), context)
    assert corrected[0].allclose(torch.cat([mean, mixture], dim=-1).squeeze(1), atol=1e-6)


# -- LSTM, GRU ---------------------------------------------------------------------------------------------------------


def test_the_lstm_drops_between_its_layers_while_training_only() -> None:
    model = fresh("lstm")
    assert not model(contexts()).equal(model(contexts()))
    model.eval()
    assert model(contexts()).equal(model(contexts()))


def test_a_gru_block_whose_gru_is_silent_only_normalises() -> None:
    block = Block(DIM)
    for weight in block.gru.parameters():
        nn.init.zeros_(weight)
    assert block(contexts()).allclose(nn.functional.layer_norm(contexts(), (DIM,)), atol=1e-6)


# -- Transformer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["small", "full"])
@pytest.mark.parametrize("gradients", [True, False], ids=["training kernels", "inference kernels"])
def test_no_position_of_the_transformer_sees_a_later_one(size: str, gradients: bool) -> None:
    model = fresh("transformer", size=size).eval()
    assert isinstance(model, Transformer)
    with torch.set_grad_enabled(gradients):
        states = model.decode(contexts())
        for place in range(5):
            changed = contexts()
            changed[:, place] = contexts(seed=1)[:, place]
            moved = (model.decode(changed) - states).abs().amax(dim=(0, 2)) > 1e-4
            assert moved.tolist() == [seen >= place for seen in range(5)]


def test_the_transformer_predicts_from_its_last_position() -> None:
    model = fresh("transformer").eval()
    assert isinstance(model, Transformer)
    assert model(contexts()).allclose(model.head(model.decode(contexts()))[:, -1], atol=1e-6)


def test_sinusoids_are_those_of_the_paper() -> None:
    table = sinusoids(5, 6)
    for place in range(5):
        for pair in range(3):
            angle = place / 10_000 ** (2 * pair / 6)
            assert table[place, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[place, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_content_and_position_enter_the_transformer_equally_loud() -> None:
    model = fresh("transformer")
    assert isinstance(model, Transformer)
    content = model.project(contexts(256)).std().item()
    assert 0.5 < content / model.positions_TW.square().mean().sqrt().item() < 2


# -- GraphMERT-LVM -----------------------------------------------------------------------------------------------------


def test_decay_mask_by_hand() -> None:
    """0.6 ^ GELU(sqrt(d) - p) for d = 0, 1, 2, from a table of the normal distribution."""
    distance = torch.tensor([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]])
    at_one = [1.084420, 1.0, 0.869545]  # GELU: -1 x 0.158655, 0, 0.414214 x 0.660640
    at_zero = [1.0, 0.650652, 0.513966]  # GELU: 0, 1 x 0.841345, 1.414214 x 0.921350
    for p, (near, one, two) in ((1.0, at_one), (0.0, at_zero)):
        expected = torch.tensor([[near, one, two], [one, near, one], [two, one, near]])
        assert decay_mask(distance, torch.tensor(p), 0.6).allclose(expected, atol=2e-6)


def test_distances_are_steps_along_the_context() -> None:
    model = fresh("graphmert_lvm")
    assert isinstance(model, GraphMERTLVM)
    assert model.distance_TT.tolist() == [[abs(i - j) for j in range(5)] for i in range(5)]


def test_attention_is_masked_after_the_softmax_and_not_normalised_again() -> None:
    """Queries and keys of zero attend evenly, 1/5 each; values and output pass through; what is left is the mask."""
    layer = Layer(DIM, GraphMERTConfig(layers=1, feed_forward=8)).eval()
    with torch.no_grad():
        layer.qkv.weight.copy_(torch.cat([torch.zeros(2 * DIM, DIM), torch.eye(DIM)]))
        layer.out.weight.copy_(torch.eye(DIM))
        layer.qkv.bias.zero_()
        layer.out.bias.zero_()
    mask = torch.rand(5, 5)
    expected = torch.einsum("ij,bjd->bid", mask / 5, contexts())
    assert layer.attend(contexts(), mask).allclose(expected, atol=1e-6)


def test_without_decay_a_layer_is_torchs_encoder_layer() -> None:
    layer = Layer(DIM, GraphMERTConfig(layers=1, feed_forward=24)).eval()
    torchs = nn.TransformerEncoderLayer(DIM, 8, 24, activation="gelu", batch_first=True).eval()
    with torch.no_grad():
        for norm in (torchs.norm1, torchs.norm2):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    torchs_attention = torchs.self_attn
    assert torchs_attention.in_proj_weight is not None and torchs_attention.in_proj_bias is not None
    layer.load_state_dict(
        {
            "qkv.weight": torchs_attention.in_proj_weight,
            "qkv.bias": torchs_attention.in_proj_bias,
            "out.weight": torchs_attention.out_proj.weight,
            "out.bias": torchs_attention.out_proj.bias,
            "attention_norm.weight": torchs.norm1.weight,
            "attention_norm.bias": torchs.norm1.bias,
            "feed_forward.0.weight": torchs.linear1.weight,
            "feed_forward.0.bias": torchs.linear1.bias,
            "feed_forward.3.weight": torchs.linear2.weight,
            "feed_forward.3.bias": torchs.linear2.bias,
            "feed_forward_norm.weight": torchs.norm2.weight,
            "feed_forward_norm.bias": torchs.norm2.bias,
        }
    )
    assert layer(contexts(), torch.ones(5, 5)).allclose(torchs(contexts()), atol=1e-5)


def test_the_decay_is_one_learnable_number_that_all_layers_share() -> None:
    model = fresh("graphmert_lvm", size="full").eval()
    assert isinstance(model, GraphMERTLVM)
    assert [n for n, p in model.named_parameters() if p.ndim == 0] == ["p"]
    asked: list[Tensor] = []
    for layer in model.layers:
        layer.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[1]))
    model(contexts()).square().sum().backward()
    assert len(asked) == 12 and all(mask is asked[0] for mask in asked)
    assert model.p.grad is not None and model.p.grad.abs() > 0


def test_the_gradient_of_the_decay_is_the_slope_of_the_loss() -> None:
    model = fresh("graphmert_lvm").double().eval()
    assert isinstance(model, GraphMERTLVM)

    def loss(p: float) -> Tensor:
        with torch.no_grad():
            model.p.fill_(p)
        raw: Tensor = model(contexts().double()) * 1e3
        return raw.square().sum()

    loss(1.0).backward()
    assert model.p.grad is not None
    slope = (loss(1.0 + 1e-5) - loss(1.0 - 1e-5)).item() / 2e-5
    assert model.p.grad.item() == pytest.approx(slope, rel=1e-4) and abs(slope) > 0


def test_graphmert_begins_as_stated() -> None:
    torch.manual_seed(0)
    model = build("graphmert_lvm", 256, "small")
    assert isinstance(model, GraphMERTLVM)
    for name, weight in model.named_parameters():
        if name == "p":
            assert weight.item() == 1
        elif "norm" in name or name.endswith("bias"):
            assert weight.unique().tolist() == [1.0 if name.endswith("norm.weight") else 0.0]
        else:
            assert weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert abs(weight.mean().item()) < 0.002


@pytest.mark.parametrize("name", MODELS)
def test_no_mask_is_drawn_where_a_checkpoint_cannot_see_it(name: str) -> None:
    """cuDNN draws the dropout inside a recurrent module from a state of its own, so a resumed run would differ."""
    layers = [module for module in build(name, DIM, "full").modules() if isinstance(module, nn.RNNBase)]
    assert bool(layers) is (name in ("lstm", "gru"))
    assert all(layer.num_layers == 1 and layer.dropout == 0 for layer in layers)
