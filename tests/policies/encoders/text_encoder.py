"""A small text encoder of random weights, in the files that transformers reads."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ["go", "left", "right", "now", "please", "to", "the", "side", "a", "links"]


def write_text_encoder(folder: Path, seed: int = 0, size: int = 16) -> Path:
    """A BERT of one layer whose vocabulary is `WORDS`."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=size, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=512,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder
