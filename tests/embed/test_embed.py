"""From texts to a vector file: what is read, what is refused, and going on after an interruption."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lvmtui.datasets.check import check_files
from lvmtui.embed import embed as module
from lvmtui.embed.documents import documents
from lvmtui.embed.embed import Embedded, EmbedProgress, EmbedSettings, embed
from lvmtui.embed.encoder import SentenceTransformer
from lvmtui.system.errors import UserError

DIM = 8


class HashEncoder:
    """A vector for each text, always the same one. Can be told to be interrupted after some calls."""

    name = "hash"

    def __init__(self, calls: int | None = None) -> None:
        self.calls = calls
        self.seen: list[str] = []

    def encode(self, pieces: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.calls is not None:
            if self.calls == 0:
                raise KeyboardInterrupt
            self.calls -= 1
        self.seen += pieces
        seeds = [int.from_bytes(hashlib.sha256(piece.encode()).digest()[:4], "big") for piece in pieces]
        return np.stack([np.random.default_rng(seed).standard_normal(DIM, np.float32) for seed in seeds])


def run(
    path: Path, output: Path, encoder: HashEncoder | None = None, settings: EmbedSettings | None = None
) -> Embedded:
    reports: list[EmbedProgress] = []
    made = embed(path, output, encoder or HashEncoder(), settings or EmbedSettings("hash", "lines"), reports.append)
    assert reports[-1].share == pytest.approx(1)
    assert [r.vectors for r in reports] == sorted(r.vectors for r in reports)
    return made


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Twelve documents of seven lines; their names sort by the numbers in them."""
    folder = tmp_path / "texts"
    (folder / "sub").mkdir(parents=True)
    for number in range(12):
        lines = [f"Line {line} of document {number}." for line in range(7)]
        (folder / "sub" / f"chapter {number}.txt").write_text("\n".join(lines))
    return folder


def test_a_folder_becomes_a_file_that_check_and_run_take(texts: Path, tmp_path: Path) -> None:
    made = run(texts, tmp_path / "out.npz")
    assert replace(made, lengths=(1, 1)) == Embedded(documents=12, vectors=84, dim=DIM, short=0, empty=0)
    assert 0.5 < made.lengths[0] < made.lengths[1] < 6
    with np.load(tmp_path / "out.npz", allow_pickle=False) as out:
        assert out["vectors"].shape == (84, DIM)
        assert out["article_id"].tolist() == [number for number in range(12) for _ in range(7)]
        assert out["titles"][10] == b"chapter 10"
        assert out["sources"][2] == b"sub/chapter 2.txt"
        assert str(out["encoder"]) == "hash"
        expected = HashEncoder().encode(["Line 3 of document 10."])[0]
        assert (out["vectors"][73] == expected).all()
    assert not (tmp_path / "out.npz.parts").exists()
    notes = check_files([tmp_path / "out.npz"], tmp_path, normalise=True).notes
    assert not any("not read" in note for note in notes), "what it wrote itself is nothing to remark on"


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_an_interrupted_run_goes_on_and_makes_the_same_file(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    monkeypatch.setattr(module, "SHARD_PIECES", 14)
    run(texts, tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        run(texts, tmp_path / "out.npz", HashEncoder(calls))
    assert not (tmp_path / "out.npz").exists()
    again = HashEncoder()
    run(texts, tmp_path / "out.npz", again)
    assert len(again.seen) == 84 - 14 * calls
    assert (tmp_path / "out.npz").read_bytes()[:100] == (tmp_path / "whole.npz").read_bytes()[:100]
    with np.load(tmp_path / "out.npz") as out, np.load(tmp_path / "whole.npz") as whole:
        for name in whole.files:
            assert (out[name] == whole[name]).all()


def test_other_settings_or_texts_do_not_mix_with_shards_made_before(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD_PIECES", 14)
    with pytest.raises(KeyboardInterrupt):
        run(texts, tmp_path / "out.npz", HashEncoder(1))
    with pytest.raises(UserError, match=r"out.npz.parts: was begun with other values of model; delete it"):
        run(texts, tmp_path / "out.npz", settings=EmbedSettings("other", "lines"))
    (texts / "more.txt").write_text("More.")
    with pytest.raises(UserError, match="other values of input"):
        run(texts, tmp_path / "out.npz")


def test_json_lines_with_titles_and_with_pieces_cut_already(tmp_path: Path) -> None:
    rows = [
        {"title": "One", "text": "First.\nSecond."},
        {"id": 7, "sentences": ["Third.", " Fourth  one. ", "--"]},
        {"url": "http://x", "content": "  "},
    ]
    plain = tmp_path / "docs.jsonl"
    plain.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    packed = tmp_path / "docs.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    for path in (plain, packed):
        found = list(documents(path))
        assert [d.title for d in found] == ["One", "7", "http://x"]
        assert [d.pieces("lines") for d in found] == [["First.", "Second."], ["Third.", "Fourth one."], []]
        made = run(path, tmp_path / f"{path.name}.npz")
        assert (made.documents, made.vectors, made.short, made.empty) == (2, 4, 2, 1)


def test_sentences_and_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Dr. Smith came at noon. He left. Then it rained.\n\nA new paragraph.")
    (document,) = documents(tmp_path)
    assert document.pieces("sentences") == [
        "Dr. Smith came at noon.",
        "He left.",
        "Then it rained.",
        "A new paragraph.",
    ]
    assert len(document.pieces("paragraphs")) == 2


BAD = {
    "not JSON": (b'{"text": "a"}\n{"text": \n', r"bad.jsonl: line 2 is not JSON \(.*; fix or remove it"),
    "no text": (b'{"words": "a"}', r"line 1 has no `text`; its fields are: words; name one with --text-field"),
    "not an object": (b"[1]", r"line 1 is not a JSON object; write"),
    "numbers": (b'{"text": 5}', r"line 1: `text` is neither text nor a list of texts"),
    "deep": (b"[" * 100_000, r"line 1 is not JSON"),
    "hostile name": (b'{"\\u001b[2Jx": 1}', r"its fields are: x; name"),
    "nothing": (b'{"text": ""}', r"the texts hold nothing to embed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_json_lines_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    content, message = BAD[name]
    (tmp_path / "bad.jsonl").write_bytes(content)
    with pytest.raises(UserError, match=message) as refused:
        run(tmp_path / "bad.jsonl", tmp_path / "out.npz")
    assert "\n" not in str(refused.value) and "\x1b" not in str(refused.value)
    assert not (tmp_path / "out.npz").exists()


def test_other_bad_input(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing: no such file or folder"):
        run(tmp_path / "missing", tmp_path / "out.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no .txt, .md, .rst file"):
        run(tmp_path / "empty", tmp_path / "out.npz")
    (texts / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(UserError, match=r"latin.txt: not UTF-8 at byte 3; convert it"):
        run(texts, tmp_path / "out.npz")
    (tmp_path / "there.npz").touch()
    with pytest.raises(UserError, match=r"there\.npz: is there already"):
        run(texts, tmp_path / "there.npz")


def test_vectors_that_are_not_finite_are_refused(texts: Path, tmp_path: Path) -> None:
    class Large(HashEncoder):
        def encode(self, pieces: Sequence[str]) -> npt.NDArray[np.float32]:
            return super().encode(pieces) * np.float32(1e5)

    with pytest.raises(
        UserError, match=r"the vector of “Line 0 of document 0\.” is not finite in float16; leave --half"
    ):
        run(texts, tmp_path / "out.npz", Large(), EmbedSettings("hash", "lines", "float16"))
    run(texts, tmp_path / "other.npz", Large(), EmbedSettings("hash", "lines", "float32"))


def test_a_model_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(UserError, match=r"--model .*nothing: (cannot be loaded|not a folder)") as refused:
        SentenceTransformer(str(tmp_path / "nothing"), device="cpu")
    assert "\n" not in str(refused.value)


def test_without_a_network_only_what_is_here_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    library = pytest.importorskip("sentence_transformers")
    with socket.socket() as closed:  # bound but not listening: it refuses at once
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr(hub.constants, "ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
        asked: list[bool] = []
        monkeypatch.setattr(library, "SentenceTransformer", lambda *_, **how: asked.append(how["local_files_only"]))
        with pytest.raises(UserError, match="--model a/b: not a folder, not downloaded, no answer from the hub; give"):
            SentenceTransformer("a/b")
        (tmp_path / "models--a--b").mkdir()
        SentenceTransformer("a/b")
        SentenceTransformer("b")
        SentenceTransformer(str(tmp_path))
    assert asked == [True, True, False]


def save_packaged_encoder(folder: Path) -> None:
    """A sentence-transformers model made of weights that a package ships: the real library saves, loads and runs it."""
    pytest.importorskip("sentence_transformers")
    wordllama = pytest.importorskip("wordllama")
    from safetensors.numpy import load_file
    from sentence_transformers import SentenceTransformer as Library
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    package = Path(wordllama.__file__).parent
    tokenizer = Tokenizer.from_file(str(package / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    (weights,) = load_file(package / "weights" / "l2_supercat_256.safetensors").values()
    Library(modules=[StaticEmbedding(tokenizer, embedding_weights=weights.astype(np.float32))]).save(str(folder))


def test_a_real_encoder_puts_like_sentences_near_each_other(tmp_path: Path) -> None:
    save_packaged_encoder(tmp_path / "model")
    lines = ["The cat sat on the mat.", "A kitten was sitting on a rug.", "Interest rates rose again this quarter."]
    (tmp_path / "docs.jsonl").write_text(json.dumps({"title": "a", "text": "\n".join(lines)}))
    encoder = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    embed(tmp_path / "docs.jsonl", tmp_path / "out.npz", encoder, EmbedSettings(encoder.name), lambda progress: None)
    with np.load(tmp_path / "out.npz", allow_pickle=False) as out:
        vectors = out["vectors"]
    assert vectors.shape == (3, 256)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > 0.4 > unit[0] @ unit[2]
