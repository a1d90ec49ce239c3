"""CheckLabels: a data set that does not fit its config stops at the first scene, before anything is trained on it."""

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.host import TRANSFORMS


@TRANSFORMS.register_module()
class CheckLabels:
    """First transform of a labeled pipeline: passes the scene on, or stops with a ValueError that names it.

    `segment` must hold classes 0..num_classes-1 or `ignore_index`, not the latter alone. instance: some point must have
    an instance; for data sets that number every object, where none means that the file is missing. required: False lets
    a scene without any class pass, as those of test splits are.
    """

    def __init__(self, num_classes, ignore_index=-1, instance=False, required=True):
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.instance = instance
        self.required = required

    def __call__(self, data_dict):
        name = data_dict.get("name", "without name")
        segment = np.asarray(data_dict["segment"])
        found = np.unique(segment)
        known = found[found != self.ignore_index]
        wrong = known[(known < 0) | (known >= self.num_classes)]
        if len(wrong):
            raise UserError(
                f"scene {name}: segment holds the labels {wrong[:5].tolist()}, expected 0..{self.num_classes - 1} or "
                f"{self.ignore_index}; it was preprocessed for other classes: make it again, or change num_classes"
            )
        if not len(known):
            if not self.required:
                return data_dict
            raise UserError(
                f"scene {name}: no point has a class; its segment file is missing or empty: preprocess the scene again"
            )
        if self.instance and not np.any(np.asarray(data_dict["instance"]) >= 0):
            raise UserError(
                f"scene {name}: no point has an instance; its instance.npy is missing or empty: preprocess it again"
            )
        return data_dict
