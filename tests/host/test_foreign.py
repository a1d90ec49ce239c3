from types import SimpleNamespace

import pytest

from pointins_ext.host.foreign import complete


def test_a_pretrainer_whose_image_branch_is_off_gets_the_key_that_it_looks_up():
    batch = dict(feat=1)
    assert complete(SimpleNamespace(enc2d_loss_weight=0), batch) == dict(feat=1, global_correspondence=None)
    assert batch == dict(feat=1)
    own = dict(global_correspondence="given")
    assert complete(SimpleNamespace(enc2d_loss_weight=0), own) == own


@pytest.mark.parametrize("pretrainer", [SimpleNamespace(), SimpleNamespace(enc2d_loss_weight=0.5)])
def test_other_pretrainers_get_the_batch_itself(pretrainer):
    batch = dict(feat=1)
    assert complete(pretrainer, batch) is batch
