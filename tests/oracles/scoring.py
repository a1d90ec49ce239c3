"""Slow restatement of what scoring does with a scene: labels of raw points, votes of fragments, IoU of classes."""

import numpy as np


def raw_predictions(dataset):
    """(predicted class and instance (N,2), class (N,), instance (N,)) of each scene, by all distances."""
    for scene in dataset:
        distance = np.linalg.norm(scene["origin_coord"].numpy()[:, None] - scene["coord"].numpy()[None], axis=2)
        nearest = distance.argmin(1)
        yield scene["feat"].numpy()[nearest], scene["origin_segment"].numpy(), scene["origin_instance"].numpy()


def plain_objects(scene):
    """(id, most frequent class) of the predicted instances of a scene, by ascending id."""
    voxels = scene["feat"].numpy()
    ids = np.unique(voxels[voxels[:, 1] > 0, 1])
    return ids, np.array([np.bincount(voxels[voxels[:, 1] == i, 0]).argmax() for i in ids], np.int64)


def plain_votes(scene, mix):
    """Class (N,) of the points of a scene: every fragment's probabilities added up point by point."""
    votes = np.zeros((len(scene["segment"]), mix.shape[1]))
    for fragment in scene["fragment_list"]:
        for point, feat in zip(fragment["index"].tolist(), fragment["feat"].double().numpy(), strict=True):
            power = np.exp(feat @ mix)
            votes[point] += power / power.sum()
    return votes.argmax(1)


def plain_iou(pairs, num_classes):
    """Intersection over union of each class over (prediction, target) of all scenes."""
    prediction, target = (np.concatenate(part) for part in zip(*pairs, strict=True))
    prediction, target = prediction[target >= 0], target[target >= 0]
    both = [((prediction == i) & (target == i)).sum() for i in range(num_classes)]
    any_ = [((prediction == i) | (target == i)).sum() for i in range(num_classes)]
    return np.array(both) / np.array(any_)
