"""The loss counts what is known."""

import torch

from autocontour.models.training.loss import masked_loss, soft_dice


def random_case(structures=3):
    torch.manual_seed(0)
    logits = torch.randn(2, structures, 4, 5, 6, requires_grad=True)
    target = (torch.rand(2, structures, 4, 5, 6) > 0.7).float()
    return logits, target


def test_what_is_not_contoured_teaches_nothing():
    logits, target = random_case()
    weight = torch.ones_like(target)
    weight[0, 1] = 0
    weight[:, :, 2] = 0
    masked_loss(logits, target, weight, torch.ones(3)).backward()
    assert (logits.grad[weight == 0] == 0).all()
    assert (logits.grad[weight == 1] != 0).all()


def test_a_structure_with_half_a_share_pulls_half_as_hard_as_its_neighbour():
    torch.manual_seed(0)
    one = torch.randn(2, 1, 4, 5, 6)
    logits = one.repeat(1, 2, 1, 1, 1).requires_grad_()
    target = (torch.rand(2, 1, 4, 5, 6) > 0.7).float().repeat(1, 2, 1, 1, 1)
    masked_loss(logits, target, torch.ones_like(target), torch.tensor([1.0, 0.5])).backward()
    torch.testing.assert_close(logits.grad[:, 1], logits.grad[:, 0] / 2)


def test_nothing_known_is_no_loss_and_no_nan():
    logits, target = random_case()
    masked_loss(logits, target, torch.zeros_like(target), torch.ones(3)).backward()
    assert (logits.grad == 0).all()


def test_soft_dice_agrees_with_monai_where_all_is_known():
    from monai.losses import DiceLoss

    logits, target = random_case()
    dice, present = soft_dice(logits, target, torch.ones_like(target))
    peer = DiceLoss(sigmoid=True, batch=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)(logits, target)
    assert present.all()
    torch.testing.assert_close(dice, 1 - peer.flatten())


def test_a_small_structure_pushed_to_nothing_wakes_again():
    logits = torch.full((1, 1, 32, 32, 32), -8.0, requires_grad=True)
    target = torch.zeros_like(logits)
    target[..., 10:13, 10:13, 10:13] = 1
    masked_loss(logits, target, torch.ones_like(target), torch.ones(1)).backward()
    inside, outside = logits.grad[target == 1].sum(), logits.grad[target == 0].sum()
    assert -inside > 0.05
    assert -inside > 5 * outside.abs()
