"""OracleHook: true centers as offset targets, the most that better ones could bring. For ablations; needs labels."""

import numpy as np
import torch
from scipy.spatial import cKDTree

from pointins_ext.branch.targets import OffsetField
from pointins_ext.errors import UserError, distinct_names
from pointins_ext.hooks.common import pointins_model
from pointins_ext.host import HOOKS, HookBase
from pointins_ext.instances import instance_centers


@HOOKS.register_module()
class OracleHook(HookBase):
    """Points the teacher's offsets at the centroids of the labeled instances; points of no instance get no target.

    The centroid is that of the whole object, also where a view shows only a part. `keep_stuff`: points of no instance
    keep the targets that the hooks before this one gave them, so that only the objects' differ. Raises ValueError if
    batches lack the scenes' `name` or the data set lacks `instance` (-1 = none).
    """

    def __init__(self, keep_stuff=False):
        self.keep_stuff = keep_stuff

    def before_train(self):
        self.model = pointins_model(self.trainer, "OracleHook")
        dataset = self.trainer.train_loader.dataset
        self.scenes = {name: i for i, name in enumerate(distinct_names(dataset))}
        self.objects = {}
        self.names = []
        self.model.add_regularizer(self)

    def before_step(self):
        batch = self.trainer.comm_info["input_dict"]
        if "name" not in batch:
            raise UserError("OracleHook needs the names of the scenes: add 'name' to Collect in data.train.transform")
        self.names = batch["name"]

    def refine(self, field: OffsetField) -> OffsetField:
        """The field with true offsets on object voxels."""
        center = torch.full_like(field.coord, torch.nan)
        for index, name in enumerate(self.names):
            own = field.scene == index
            tree, centers = self._objects(name)
            nearest = tree.query(field.coord[own].cpu().numpy())[1]
            center[own] = torch.from_numpy(centers[nearest]).to(center)
        if self.keep_stuff:
            on_object = ~center.isnan().any(dim=1)
            center = torch.where(on_object[:, None], center, field.center)
            return field.replace(offset=center - field.coord, valid=field.valid | on_object)
        # no target is nan, which offset_targets takes for invalid
        return field.replace(offset=center - field.coord)

    def _objects(self, name):
        """Search tree of a scene's points, and the centroid (N,3) of each one's instance, nan for none."""
        if name not in self.objects:
            scene = self.trainer.train_loader.dataset.get_data(self.scenes[name])
            if scene.get("instance") is None:
                raise UserError(f"OracleHook: scene {name} has no instance labels; true centers need them")
            coord, instance = scene["coord"], scene["instance"].reshape(-1).astype(np.int64)
            centers = np.full(coord.shape, np.nan, np.float32)
            centers[instance >= 0] = instance_centers(coord, instance).numpy()[instance[instance >= 0]]
            self.objects[name] = cKDTree(coord), centers
        return self.objects[name]
