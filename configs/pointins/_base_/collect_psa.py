"""What PSA gets of a room: views with clusters and their boxes."""

_collect = dict(
    type="Collect",
    keys=(
        "global_origin_coord",
        "global_coord",
        "global_cluster",
        "global_box",
        "global_offset",
        "grid_size",
        "name",
    ),
    offset_keys_dict=dict(),
    global_feat_keys=("global_coord", "global_color", "global_normal"),
)
