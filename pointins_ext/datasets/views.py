"""Global views alone, on every host: what DOS and PSA distil between."""

from pointins_ext import host
from pointins_ext.host import TRANSFORMS

# Pointcept's generator fails without a local view: it makes one of 10 points, which is dropped again.
LOCAL_VIEWS = dict(embedded=dict(local_view_num=0), pointcept=dict(local_view_num=1, local_view_scale=(0.0, 0.0)))


@TRANSFORMS.register_module()
class GlobalViewGenerator(TRANSFORMS.get("MultiViewGenerator")):
    """MultiViewGenerator without local views: adds `global_<key>` for each of `view_keys`, and `global_offset`.

    Options are those of the host's MultiViewGenerator for global views.
    """

    def __init__(self, view_keys=("coord", "origin_coord", "color", "normal"), **options):
        local = sorted(key for key in options if key.startswith("local_"))
        if local:
            raise ValueError(f"GlobalViewGenerator: it has no local views, found {local}; take MultiViewGenerator")
        super().__init__(view_keys=view_keys, **LOCAL_VIEWS[host.NAME], **options)

    def __call__(self, data_dict):
        data_dict = super().__call__(data_dict)
        for key in [key for key in data_dict if key.startswith("local_")]:
            del data_dict[key]
        return data_dict
