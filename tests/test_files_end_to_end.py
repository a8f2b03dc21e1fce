"""Files as people have them, to a verdict: the same rows from Parquet and from .npz, and texts in three commands."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lvmtui.formats.campaign import read_campaign
from lvmtui.formats.paths import Workspace
from lvmtui.state.campaign_reader import newest_campaign
from tests.embed.test_embed import save_packaged_encoder
from tests.test_end_to_end import kill_all, lvmtui
from tests.trainers.tiny import write_walk

SMALL = ("--models", "amn", "--size", "small", "--recipe", "tuned", "--epochs", "1", "--batch-size", "32")
QUICK = ("--device", "cpu", "--jobs", "2", "--threads", "1", "--headless", "--yes")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = Workspace(tmp_path)
    yield workspace
    kill_all(workspace)


def weights_of(workspace: Workspace) -> dict[str, str]:
    """The digest of each run's best weights, by arm, as the trainer has written it."""
    campaign = read_campaign(newest_campaign(workspace).campaign)
    digests = {}
    for run in campaign.runs:
        log = (workspace.models / run.run / "events.jsonl").read_text().splitlines()
        (finished,) = [line for line in map(json.loads, log) if line.get("weights_digest")]
        digests[run.arm] = finished["weights_digest"]
    return digests


def test_a_campaign_on_parquet_is_the_one_on_npz_to_the_bit(workspace: Workspace) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    root = workspace.root
    made = []
    for name, articles in (("small", 24), ("large", 60)):
        write_walk(root / f"{name}.npz", articles)
        with np.load(root / f"{name}.npz") as arrays:
            table = pa.table({"doc_id": arrays["article_id"], "embedding": list(arrays["vectors"])})
        (root / name).mkdir()
        for shard in range(2):
            half = table.slice(shard * (len(table) // 2), len(table) // 2 if not shard else None)
            parquet.write_table(half, root / name / f"part-{shard}.parquet")
    for kind in (".npz", ""):  # centred: the centre has to be the same, too
        files = ("--baseline", f"{root}/small{kind}", "--expanded", f"{root}/large{kind}")
        named = ("--labels", "small", "large", "--centre", "mean")
        done = lvmtui(workspace, "run", *files, *named, *SMALL, *QUICK)
        assert done.returncode == 0, done.stderr
        made.append(weights_of(workspace))
    assert made[0] == made[1] and len(set(made[0].values())) == 2


def test_from_a_folder_of_texts_to_a_verdict(workspace: Workspace) -> None:
    save_packaged_encoder(workspace.root / "model")
    words = random.Random(1)
    nouns = ("river", "mountain", "tax", "vector", "engine", "cat", "market", "light", "water", "stone", "law", "cell")
    texts = workspace.root / "texts"
    texts.mkdir()
    for number in range(60):
        about = words.sample(nouns, 4)
        said = [f"The {' '.join(words.choices(about, k=5))} number {words.random():.3f}." for _ in range(25)]
        (texts / f"text {number}.txt").write_text(" ".join(said))
    root = workspace.root
    done = lvmtui(workspace, "embed", str(texts), "--model", str(root / "model"), "-o", str(root / "vectors.npz"))
    assert done.returncode == 0 and "1,500 vectors of 256 numbers from 60 documents" in done.stdout, done.stderr
    assert f"next: lvmtui check {root}/vectors.npz --normalise" in done.stdout
    done = lvmtui(workspace, "run", "--data", f"{root}/vectors.npz", "--sizes", "3", "--normalise", *SMALL, *QUICK)
    assert done.returncode == 0, done.stderr
    report = workspace.final_comparison(read_campaign(newest_campaign(workspace).campaign)).read_text()
    assert "## Learning curve" in report
    assert "### Single windows" in report and "text " in report.split("### Single windows")[1].split("###")[0]
