"""An MLP mixer over the window (Tolstikhin et al. 2021, arXiv:2105.01601): a model of one's own for lvmtui.

lvmtui run --baseline small.npz --expanded large.npz --models gru examples/mixer.py:Mixer
"""

from torch import Tensor, nn


class Mixer(nn.Module):
    """(B, T, D) contexts of unit vectors -> (B, D), of any length."""

    def __init__(self, dim: int, context: int, width: int = 256) -> None:
        super().__init__()
        self.across_places = nn.Sequential(nn.Linear(context, 4 * context), nn.GELU(), nn.Linear(4 * context, context))
        self.across_features = nn.Sequential(nn.Linear(dim, width), nn.GELU(), nn.Linear(width, dim))
        self.before_places, self.before_features = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.across_places(self.before_places(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.across_features(self.before_features(x))
        return self.out(x.mean(dim=1))
