"""Raw labels of the driving datasets to the classes of their benchmarks, after the definitions of nuScenes-lidarseg and
SemanticKITTI.
"""

import numpy as np

from pointins_ext.errors import UserError

UNDEFINED = np.iinfo(np.int64).min

# Class -> raw labels, in the order of the benchmark's classes. Every other raw label of the definition is ignored.
NUSCENES = dict(
    barrier=(9,),
    bicycle=(14,),
    bus=(15, 16),  # bendy, rigid
    car=(17,),
    construction_vehicle=(18,),
    motorcycle=(21,),
    pedestrian=(2, 3, 4, 6),  # adult, child, construction worker, police officer
    traffic_cone=(12,),
    trailer=(22,),
    truck=(23,),
    driveable_surface=(24,),
    other_flat=(25,),
    sidewalk=(26,),
    terrain=(27,),
    manmade=(28,),
    vegetation=(30,),
)
NUSCENES_IGNORED = (0, 1, 5, 7, 8, 10, 11, 13, 19, 20, 29, 31)
KITTI = dict(  # labels from 252 on are the moving ones
    car=(10, 252),
    bicycle=(11,),
    motorcycle=(15,),
    truck=(18, 258),
    other_vehicle=(20, 13, 16, 256, 257, 259),  # with bus and on-rails
    person=(30, 254),
    bicyclist=(31, 253),
    motorcyclist=(32, 255),
    road=(40, 60),  # with lane marking
    parking=(44,),
    sidewalk=(48,),
    other_ground=(49,),
    building=(50,),
    fence=(51,),
    vegetation=(70,),
    trunk=(71,),
    terrain=(72,),
    pole=(80,),
    traffic_sign=(81,),
)
KITTI_IGNORED = (0, 1, 52, 99)  # unlabeled, outlier, other structure, other object


def label_table(classes, ignored, ignore_index):
    """Array raw label -> class; `ignore_index` for those `ignored`, UNDEFINED in the gaps of the definition."""
    raw = [label for labels in classes.values() for label in labels]
    table = np.full(max(*raw, *ignored) + 1, UNDEFINED, np.int64)
    table[list(ignored)] = ignore_index
    for number, labels in enumerate(classes.values()):
        table[list(labels)] = number
    return table


def to_classes(raw, table, path):
    """Classes (N,) int64 of raw labels (N,); ValueError naming `path` for labels that the definition does not have."""
    segment = table[np.minimum(raw, len(table) - 1)]
    unknown = np.unique(raw[(raw >= len(table)) | (segment == UNDEFINED)])
    if len(unknown):
        raise UserError(f"{path}: the dataset defines no raw labels {unknown[:10].tolist()}; is the file broken?")
    return segment
