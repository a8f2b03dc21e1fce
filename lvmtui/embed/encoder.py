"""A sentence encoder: what makes a vector of a piece of text."""

from __future__ import annotations

import glob
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lvmtui.system.errors import UserError
from lvmtui.system.text import sanitise

HUB_SECONDS = 5.0
"""How long the hub may take to answer at all."""


class Encoder(Protocol):
    """Turns pieces of text into vectors."""

    name: str

    def encode(self, pieces: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors (len(pieces), D), as the encoder makes them."""


class SentenceTransformer:
    """An encoder of the sentence-transformers library, from its hub by name or from a folder."""

    def __init__(self, model: str, *, device: str = "auto", batch: int = 64) -> None:
        """Raises UserError where the library is missing or the model cannot be loaded."""
        self.name = sanitise(model, 200)
        try:
            alone = not Path(model).exists() and not _hub_answers()
            if alone and not _is_kept(model):  # before the library, whose import takes seconds
                cure = "give a folder that holds one, or download it first"
                raise UserError(f"--model {self.name}: not a folder, not downloaded, no answer from the hub; {cure}")
            import sentence_transformers
        except ImportError:
            raise UserError("--model needs sentence-transformers; run pip install 'lvmtui[text]'") from None
        # The hub's client prints each of its tries where there is no network; the one line below says it all.
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        self._batch = batch
        try:
            self._model: Any = sentence_transformers.SentenceTransformer(
                model,
                device=None if device == "auto" else device,
                trust_remote_code=False,
                local_files_only=alone,  # the hub's client would try for more than a minute
            )
        except Exception as error:  # the library, the hub's client, torch: no list of what they raise is complete
            reason = sanitise(str(error).strip() or type(error).__name__, 160)
            cure = "give the name of a sentence-transformers model or a folder that holds one"
            raise UserError(f"--model {self.name}: cannot be loaded ({reason}); {cure}") from None

    def encode(self, pieces: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors (len(pieces), D) of float32."""
        made = self._model.encode(list(pieces), batch_size=self._batch, convert_to_numpy=True, show_progress_bar=False)
        return np.asarray(made, np.float32)


def _is_kept(model: str) -> bool:
    """Was something of this name, with or without its owner, downloaded before?"""
    from huggingface_hub import constants

    return any(Path(constants.HF_HUB_CACHE).glob(f"models--*{glob.escape(model.replace('/', '--'))}"))


def _hub_answers() -> bool:
    """Can models be downloaded now?"""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=HUB_SECONDS):
            return True
    except urllib.error.HTTPError:  # an answer all the same
        return True
    except (OSError, ValueError):
        return False
