"""Muon: momentum whose update of a matrix is made nearly orthogonal (Newton-Schulz), so that no direction dominates.

The same steps as torch.optim.Muon with adjust_lr_fn="original", but matrices of one shape go through Newton-Schulz together,
which halves its time on a CPU. See https://kellerjordan.github.io/posts/muon/.
"""

from collections import defaultdict

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(update, rounds=5):
    """The nearest-to-orthogonal versions of a stack of matrices, singular values about one; in bfloat16."""
    a, b, c = COEFFICIENTS
    x = update.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(rounds):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For matrices only; embeddings, heads, norms and biases are another optimizer's."""

    def __init__(self, matrices, lr, decay, momentum=0.95):
        super().__init__(matrices, {"lr": lr, "decay": decay, "momentum": momentum})
        self.shapes = defaultdict(list)
        for p in self.param_groups[0]["params"]:
            self.shapes[p.shape].append(p)
        self.momenta = {shape: torch.zeros(len(ps), *shape) for shape, ps in self.shapes.items()}

    @torch.no_grad()
    def step(self):
        group = self.param_groups[0]
        for shape, matrices in self.shapes.items():
            gradient = torch.stack([p.grad for p in matrices])
            average = self.momenta[shape].lerp_(gradient, 1 - group["momentum"])
            update = orthogonal(gradient.lerp_(average, group["momentum"]))
            rate = group["lr"] * max(1, shape[0] / shape[1]) ** 0.5
            for p, u in zip(matrices, update):
                p.mul_(1 - group["lr"] * group["decay"]).sub_(u, alpha=rate)
