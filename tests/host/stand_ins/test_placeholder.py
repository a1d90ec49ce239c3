"""What is missing can be imported, not used."""

import pytest

from pointins_ext.host.stand_ins.placeholder import Placeholder


def test_a_placeholder_can_be_imported_and_derived_from_but_not_used():
    module = Placeholder("wandb")

    class Sink(module.Run):
        pass

    pretrained = module.Model.from_pretrained
    for use in (Sink, lambda: module.init(project="x"), lambda: module.Settings(api_key=1), lambda: pretrained("name")):
        with pytest.raises(ImportError, match="wandb is not installed.*install wandb"):
            use()
    assert not hasattr(module, "__wrapped__") and not hasattr(module.Model, "__wrapped__")
