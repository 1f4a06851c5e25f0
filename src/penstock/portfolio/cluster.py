"""The order of assets in which those that move alike stand together."""

from __future__ import annotations

from penstock.portfolio.arrays import Floats, np

__all__ = ["clustered"]


def clustered(correlation: Floats) -> list[int]:
    """Return the order of a tree by average linkage, like beside like.

    Distance is ``sqrt((1 - correlation) / 2)``. Two groups are joined at the ends that are
    nearest to each other. The work grows with the cube of the assets.

    Args:
        correlation: Shape (assets, assets), symmetric.

    >>> clustered(np.array([[1, 0, 0.9], [0, 1, 0.1], [0.9, 0.1, 1]]))
    [0, 2, 1]
    """
    distance = np.sqrt(np.maximum((1 - correlation) / 2, 0.0))
    apart = distance.copy()
    np.fill_diagonal(apart, np.inf)
    groups: dict[int, list[int]] = {asset: [asset] for asset in range(len(distance))}
    while len(groups) > 1:
        one, other = divmod(int(apart.argmin()), len(distance))
        left, right = groups[one], groups.pop(other)
        mean = (apart[one] * len(left) + apart[other] * len(right)) / (len(left) + len(right))
        apart[one], apart[:, one] = mean, mean
        apart[other], apart[:, other] = np.inf, np.inf
        apart[one, one] = np.inf
        groups[one] = _joined(left, right, distance)
    return next(iter(groups.values()), [])


def _joined(left: list[int], right: list[int], distance: Floats) -> list[int]:
    """Return the two orders end to end, each turned so that near ends meet."""
    turns = [(a, b) for a in (left, left[::-1]) for b in (right, right[::-1])]
    return next(a + b for a, b in sorted(turns, key=lambda pair: distance[pair[0][-1], pair[1][0]]))
