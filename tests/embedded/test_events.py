import numpy as np
import pytest

from pointins_ext.embedded.events import AverageMeter, EventStorage


def test_the_mean_is_weighted_and_begins_anew_after_a_reset():
    meter = AverageMeter()
    assert meter.avg == 0
    meter.update(2.0, n=3)
    meter.update(6.0)
    assert meter.val == 6.0 and meter.avg == pytest.approx(np.average([2, 6], weights=[3, 1]))
    meter.reset()
    meter.update(5.0)
    assert meter.avg == 5.0


def test_scalars_are_kept_by_name_and_reset_together():
    storage = EventStorage()
    for value in (1, 3):
        storage.put_scalar("loss", value)
        storage.put_scalar("lr", 10 * value)
    assert storage.history("loss").avg == 2 and storage.history("lr").val == 30
    storage.reset_histories()
    assert storage.history("loss").avg == 0 and set(storage.histories()) == {"loss", "lr"}


def test_an_unknown_scalar_names_the_known_ones():
    storage = EventStorage()
    storage.put_scalar("loss", 1)
    with pytest.raises(KeyError, match=r"no scalar 'los' was put; known are \['loss'\]"):
        storage.history("los")
    assert set(storage.histories()) == {"loss"}
