"""Global views alone, on every host: what DOS and PSA distil between."""

import numpy as np

from pointins_ext import host
from pointins_ext.errors import UserError
from pointins_ext.host import TRANSFORMS

MultiViewGenerator = TRANSFORMS.get("MultiViewGenerator")


class _Embedded(MultiViewGenerator):
    """The embedded host's generator can do without local views."""

    def __init__(self, **options):
        super().__init__(local_view_num=0, **options)


class _Pointcept(MultiViewGenerator):
    """Pointcept's generator cannot: it makes one of 10 points, which is dropped again.

    The random numbers that this costs are put back, so that the same seed gives the same views on both hosts.
    """

    def __init__(self, **options):
        super().__init__(local_view_num=1, local_view_scale=(0.0, 0.0), **options)
        self.augment, self.global_transform = self.global_transform, self.augment_as_without_local_views

    def get_view(self, point, center, scale, **options):
        view = super().get_view(point, center, scale, **options)
        if scale is not self.local_view_scale:
            self.random_state = np.random.get_state()
        return view

    def augment_as_without_local_views(self, view):
        if self.random_state is not None:
            np.random.set_state(self.random_state)
            self.random_state = None
        return self.augment(view)

    def __call__(self, data_dict):
        data_dict = super().__call__(data_dict)
        for key in [key for key in data_dict if key.startswith("local_")]:
            del data_dict[key]
        return data_dict


@TRANSFORMS.register_module()
class GlobalViewGenerator(_Pointcept if host.NAME == "pointcept" else _Embedded):
    """MultiViewGenerator without local views: adds `global_<key>` for each of `view_keys`, and `global_offset`.

    Options are those of the host's MultiViewGenerator for global views.
    """

    def __init__(self, view_keys=("coord", "origin_coord", "color", "normal"), **options):
        local = sorted(key for key in options if key.startswith("local_"))
        if local:
            raise UserError(f"GlobalViewGenerator: it has no local views, found {local}; take MultiViewGenerator")
        super().__init__(view_keys=view_keys, **options)
