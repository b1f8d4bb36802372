"""The terms of the objectives, one pure function each, and where they come from.

Every term is a mean over its own elements, so that its size does not depend on crop and batch.
All are computed in float32.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_unit_training.config import Adversarial
from napari_unit_training.share import WHOLE, Share

CONTENT_BLOCK_PX = 4
CONTENT_FAINT = 0.01
"""Deviation, in units of [-1, 1], below which an image's blocks count as hardly anything."""


def kl_to_unit_normal(mean: Tensor) -> Tensor:
    """Return KL(N(mean, I) || N(0, I)) per latent element: ``mean**2 / 2``, averaged.

    With unit variance the divergence of one element is ``(mean**2 + 1 - 1 - log 1) / 2``
    (Kingma, Welling 2014, appendix B, with sigma = 1). The authors' published code averages
    ``mean**2``, twice this, so its weight 0.1 corresponds to 0.2 here.

    Source: UNIT, Liu et al. 2017, section 3, the KL term of L_VAE1, L_VAE2, L_CC1 and L_CC2.

    Parameters
    ----------
    mean
        Of the latent code, before noise, shape (B, C, H, W).
    """
    return 0.5 * mean.float().square().mean()


def l1_distance(image: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two images (B, C, H, W) in [-1, 1].

    It is the negative log-likelihood under a Laplacian of fixed scale, constants left out.

    Source: UNIT, Liu et al. 2017, section 3: the likelihood term of L_VAE1 and L_VAE2 (image:
    the reconstruction) and of L_CC1 and L_CC2 (image: there and back).
    """
    return (image.float() - target.float()).abs().mean()


def content_disagreement(image: Tensor, translation: Tensor) -> Tensor:
    """Return 1 - the correlation of an image with its translation in blocks of 4 px, averaged.

    Of each image the means over channels and over blocks of 4x4 px are taken, and of those
    ``1 - cov(x, t) / sqrt((var(x) + e**2) (var(t) + e**2))`` with e = `CONTENT_FAINT`: 0 where
    bright stays bright and in place, 1 where nothing corresponds, 2 where the image is inverted.
    Gain, offset and all that is finer than a block are free.

    Nothing in the objective of UNIT holds a translation in place: whatever one direction moves,
    the other can move back, and the discriminators do not know where things were. This is ours,
    a low-frequency consistency, and only for domains of which it is true.

    Parameters
    ----------
    image, translation
        Shapes (B, C, H, W) and (B, D, H, W) in [-1, 1], H and W at least 4.
    """
    x, t = (
        nn.functional.avg_pool2d(i.float().mean(1), CONTENT_BLOCK_PX).flatten(1)
        for i in (image, translation)
    )  # (B, H/4 * W/4)
    x, t = x - x.mean(1, keepdim=True), t - t.mean(1, keepdim=True)
    variances = [i.square().mean(1) + CONTENT_FAINT**2 for i in (x, t)]
    return (1.0 - (x * t).mean(1) / (variances[0] * variances[1]).sqrt()).mean()


def gradient_penalty(
    discriminator: nn.Module, real: Tensor, fake: Tensor, share: Share = WHOLE
) -> Tensor:
    """Return ``|| d D(x) / dx ||^2 / 2`` at points between images and translations, averaged.

    D is the sum of all logits of an image over patches and scales; ``x = t real + (1 - t) fake``
    with t uniform in [0, 1] per image, from torch's global generator.

    Source: Mescheder et al. 2018, eq. 9 (at images), centred at zero; at points between the two as
    in Gulrajani et al. 2017, section 4.

    Parameters
    ----------
    discriminator
        Maps images to logits per scale.
    real, fake
        Shape (B, C, H, W) in [-1, 1].
    share
        Which part of a batch they are.
    """
    between = share.uniform_for(real, 1, 1, 1)
    mixed = torch.lerp(fake.float(), real.float(), between).detach().requires_grad_()
    logits = [of_scale.float().sum() for of_scale in discriminator(mixed)]
    (gradient,) = torch.autograd.grad(logits, mixed, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()


def adversarial_generator(fake: Sequence[Tensor], kind: Adversarial) -> Tensor:
    """Return what the generator pays for not being taken for real, summed over scales.

    ``"least-squares"``: mean (D(fake) - 1)^2 (Mao et al. 2017, eq. 9 with c = 1, without 1/2).
    ``"cross-entropy"``: mean -log sigmoid(D(fake)), the non-saturating form (Goodfellow et al.
    2014, section 3).

    Source: UNIT, Liu et al. 2017, section 3, the generators' part of L_GAN1 and L_GAN2.

    Parameters
    ----------
    fake
        Logits of the discriminator on translations, one tensor (B, 1, h, w) per scale.
    kind
        Which of the two.
    """
    if kind == "least-squares":
        return _sum([(logits.float() - 1.0).square().mean() for logits in fake])
    return _sum([nn.functional.softplus(-logits.float()).mean() for logits in fake])


def adversarial_discriminator(
    real: Sequence[Tensor], fake: Sequence[Tensor], kind: Adversarial
) -> Tensor:
    """Return what the discriminator pays for its mistakes, summed over scales.

    ``"least-squares"``: mean (D(real) - 1)^2 + mean D(fake)^2 (Mao et al. 2017, eq. 9 with
    a = 0, b = 1, without 1/2). ``"cross-entropy"``: mean -log sigmoid(D(real)) + mean
    -log(1 - sigmoid(D(fake))) (Goodfellow et al. 2014, eq. 1).

    Source: UNIT, Liu et al. 2017, section 3, the discriminators' part of L_GAN1 and L_GAN2.

    Parameters
    ----------
    real, fake
        Logits on images and on translations, one tensor (B, 1, h, w) per scale each.
    kind
        Which of the two.
    """
    if kind == "least-squares":
        return _sum([(logits.float() - 1.0).square().mean() for logits in real]) + _sum(
            [logits.float().square().mean() for logits in fake]
        )
    return _sum([nn.functional.softplus(-logits.float()).mean() for logits in real]) + _sum(
        [nn.functional.softplus(logits.float()).mean() for logits in fake]
    )


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
