"""What Sonata gets of a room: global and local views."""

_collect = dict(
    type="Collect",
    keys=(
        "global_origin_coord",
        "global_coord",
        "global_offset",
        "local_origin_coord",
        "local_coord",
        "local_offset",
        "grid_size",
        "name",
    ),
    offset_keys_dict=dict(),
    global_feat_keys=("global_coord", "global_color", "global_normal"),
    local_feat_keys=("local_coord", "local_color", "local_normal"),
)
