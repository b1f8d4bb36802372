"""How learning rates change during a run."""


def learning_rate_factor(
    images_seen: int, images_total: int, decay_fraction: float, halve_every_images: int = 0
) -> float:
    """Return 1, then falling linearly to 0 over the last part of the run; halved now and then."""
    halved = 0.5 ** (images_seen // halve_every_images) if halve_every_images else 1.0
    decaying = decay_fraction * images_total
    left = images_total - images_seen
    return halved * (min(1.0, left / decaying) if decaying > 0 else 1.0)
