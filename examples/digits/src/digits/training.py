"""Trains the network on scikit-learn's bundled scans of handwritten digits, in about ten seconds:

    .venv/bin/python -m digits.training

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI), 1,797 scans of 43 people.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from digits.network import WEIGHTS, Network, probabilities

EPOCHS = 15
BATCH = 32


def scans() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images and digits to learn from, then those held out: float32 [n, 8, 8], int64 [n]."""
    data = load_digits()
    parts = train_test_split(
        data.images, data.target, test_size=0.25, stratify=data.target, random_state=0
    )
    seen, unseen, seen_digits, unseen_digits = (torch.as_tensor(part) for part in parts)
    return seen.float(), seen_digits, unseen.float(), unseen_digits


def accuracy(network: Network, images: Tensor, digits: Tensor) -> float:
    """Return the share of images that the network reads right."""
    return (probabilities(network, images).argmax(dim=1) == digits).float().mean().item()


def train(images: Tensor, digits: Tensor) -> Network:
    """Return a network that has learned these digits; the same one every time."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so small a network gains nothing from more
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for epoch in range(1, EPOCHS + 1):
        network.train()
        for some in torch.randperm(len(images)).split(BATCH):
            loss = nn.functional.cross_entropy(network(images[some]), digits[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        if epoch % 3 == 0:
            print(f"epoch {epoch} of {EPOCHS}: loss {loss.item():.4f}")
    return network.eval()


def main() -> None:
    """Train, say how well it went on digits it has never seen, and save the weights."""
    images, digits, unseen, unseen_digits = scans()
    network = train(images, digits)
    print(
        f"accuracy on {len(unseen)} held-out digits: {accuracy(network, unseen, unseen_digits):.2%}"
    )
    torch.save(network.state_dict(), WEIGHTS)
    print(f"saved {WEIGHTS} ({WEIGHTS.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
