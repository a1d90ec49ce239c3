"""Several augmented crops of one scene: the input of self-distillation."""

import numpy as np

from pointins_ext.embedded.registry import TRANSFORMS
from pointins_ext.embedded.transform_pipeline import Compose, take
from pointins_ext.errors import UserError


@TRANSFORMS.register_module()
class MultiViewGenerator:
    """Cut global and local views around points of the first (principal) global view, augment each, pack them.

    A view holds the nearest points to its center, as many as a uniform share within `*_view_scale` of
    min(`max_size`, N). Per key of `view_keys` the result is `global_<key>`, `local_<key>` with all views one after the
    other, and `global_offset`, `local_offset` (cumulative counts). With `local_view_num=0` there are no local keys.
    `global_shared_transform` runs once on the whole scene; local views are cut from the scene before it.
    `center_height_scale` bounds the height of the principal center, as a share of the scene's.
    """

    def __init__(
        self,
        global_view_num=2,
        global_view_scale=(0.4, 1.0),
        local_view_num=4,
        local_view_scale=(0.1, 0.4),
        global_shared_transform=None,
        global_transform=None,
        local_transform=None,
        max_size=65536,
        center_height_scale=(0, 1),
        shared_global_view=False,
        view_keys=("coord", "origin_coord", "color", "normal"),
    ):
        if "coord" not in view_keys:
            raise UserError(f"MultiViewGenerator: view_keys are {tuple(view_keys)}, expected 'coord' among them")
        self.global_view_num = global_view_num
        self.global_view_scale = global_view_scale
        self.local_view_num = local_view_num
        self.local_view_scale = local_view_scale
        self.global_shared_transform = Compose(global_shared_transform)
        self.global_transform = Compose(global_transform)
        self.local_transform = Compose(local_transform)
        self.max_size = max_size
        self.center_height_scale = center_height_scale
        self.shared_global_view = shared_global_view
        self.view_keys = view_keys

    def __call__(self, data_dict):
        scene = self.global_shared_transform(dict(data_dict))
        principal = self.draw_index(scene, self.principal_center(data_dict["coord"]), self.global_view_scale)
        global_indices = [principal]
        for _ in range(self.global_view_num - 1):
            global_indices.append(principal if self.shared_global_view else self.global_index(scene, principal))
        local_indices = self.local_indices(data_dict, principal)
        views = self.pack("global", scene, global_indices, self.global_transform)
        if local_indices:
            views.update(self.pack("local", data_dict, local_indices, self.local_transform))
        data_dict.update(views)
        return data_dict

    def principal_center(self, coord):
        low, height = coord[:, 2].min(), np.ptp(coord[:, 2])
        bottom, top = (low + height * share for share in self.center_height_scale)
        candidates = np.flatnonzero((coord[:, 2] >= bottom) & (coord[:, 2] <= top))
        # a gap in the scene can leave the band empty: then every height is as good
        return coord[np.random.choice(candidates if candidates.size else len(coord))]

    def draw_index(self, scene, center, scale):
        distance = np.square(scene["coord"] - center).sum(axis=1)
        size = int(np.random.uniform(*scale) * min(self.max_size, len(distance)))
        return np.argsort(distance)[: max(size, 1)]

    def global_index(self, scene, principal):
        center = scene["coord"][principal[np.random.randint(len(principal))]]
        return self.draw_index(scene, center, self.global_view_scale)

    def local_indices(self, scene, principal):
        """Centers avoid what earlier local views cover, until the principal view is used up."""
        indices = []
        covered = np.zeros(len(scene["coord"]), bool)
        for _ in range(self.local_view_num):
            free = principal[~covered[principal]]
            if not free.size:
                covered[:] = False
                free = principal
            indices.append(self.draw_index(scene, scene["coord"][np.random.choice(free)], self.local_view_scale))
            covered[indices[-1]] = True
        return indices

    def pack(self, prefix, scene, indices, transform):
        views = [transform(self.cut(scene, index)) for index in indices]
        for view in views:
            sizes = {key: len(view[key]) for key in self.view_keys}
            if len(set(sizes.values())) > 1:
                raise UserError(
                    f"MultiViewGenerator: {prefix}_transform left keys of different lengths {sizes}; "
                    "list all of them in index_valid_keys (transform Update) if it drops points"
                )
        packed = {f"{prefix}_{key}": np.concatenate([view[key] for view in views]) for key in self.view_keys}
        packed[f"{prefix}_offset"] = np.cumsum([len(view["coord"]) for view in views])
        return packed

    def cut(self, scene, index):
        view = {key: take(scene, key, "MultiViewGenerator")[index] for key in self.view_keys}
        if "index_valid_keys" in scene:
            view["index_valid_keys"] = scene["index_valid_keys"]
        return view
