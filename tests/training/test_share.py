import pytest
import torch

from napari_unit_training.share import WHOLE, Share


@pytest.mark.parametrize(("total", "n"), [(4, 2), (5, 2), (7, 3), (2, 2), (8, 1)])
def test_shares_are_all_of_a_batch_and_differ_by_one_image(total, n):
    shares = [Share.of(total, rank, n) for rank in range(n)]
    assert [i for share in shares for i in range(share.start, share.stop)] == list(range(total))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert sum(share.weight for share in shares) == pytest.approx(1)


def test_those_that_are_left_over_repeat_the_first_image_and_do_not_count():
    shares = [Share.of(2, rank, 4) for rank in range(4)]
    assert [share.weight for share in shares] == [0.5, 0.5, 0, 0]
    assert all(share.stop - share.start == 1 for share in shares)
    assert [Share.of(1, rank, 2).weight for rank in range(2)] == [1, 0]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_numbers_of_a_share_are_those_that_the_whole_batch_would_get(layout):
    batch = torch.zeros(5, 3, 4, 4).to(memory_format=layout)
    torch.manual_seed(1)
    whole = Share.of(5, 0, 1).normal_like(batch)
    for rank in (0, 1):
        share = Share.of(5, rank, 2)
        torch.manual_seed(1)
        own = share.normal_like(share.part(batch))
        assert torch.equal(own, share.part(whole))


def test_uniform_numbers_are_shared_the_same_way():
    batch = torch.zeros(3, 1, 2, 2)
    drawn = []
    for share in (WHOLE, Share.of(3, 0, 2), Share.of(3, 1, 2)):
        torch.manual_seed(2)
        drawn.append(share.uniform_for(share.part(batch), 1, 8))
    assert torch.equal(drawn[0], torch.cat(drawn[1:]))


def test_a_share_is_padded_to_its_place_in_the_batch():
    share = Share.of(3, 1, 2)
    padded = share.padded(torch.ones(1, 2))
    assert padded.tolist() == [[0, 0], [0, 0], [1, 1]]
    assert share.part(padded).tolist() == [[1, 1]]


def test_all_of_a_batch_needs_no_length():
    images = torch.ones(3, 2)
    assert WHOLE.part(images) is images
    assert WHOLE.padded(images) is images
    assert WHOLE.weight == 1.0
