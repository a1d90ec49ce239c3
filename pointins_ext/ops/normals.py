"""Normals of a point cloud from the covariance of every point's neighbors."""

import torch

from pointins_ext.ops.neighbours import neighbours

CHUNK = 1 << 14  # points whose neighbors are gathered at once


@torch.no_grad()
def estimate_normals(coord, k=16, viewpoint=None):
    """Unit normals by principal component analysis of the k nearest points, the point itself included.

    coord (N, 3), viewpoint (3,) in the same frame or None -> (N, 3) in coord's dtype. Normals face the viewpoint, or
    upwards (+z) without one. Where all k points coincide there is no plane and the normal is +z.
    """
    one_cloud = torch.zeros(len(coord), dtype=torch.long, device=coord.device)
    index = neighbours(coord, coord, one_cloud, one_cloud, k)
    normal = torch.empty(len(coord), 3, dtype=torch.float64, device=coord.device)
    position = coord.double()  # differences of large coordinates keep their digits
    for rows in torch.arange(len(coord), device=coord.device).split(CHUNK):
        normal[rows] = _smallest_axis(position, position[rows], index[rows])
    towards = normal[:, 2] if viewpoint is None else ((_as_point(viewpoint, position) - position) * normal).sum(1)
    return torch.where((towards < 0)[:, None], -normal, normal).to(coord.dtype)


def _smallest_axis(position, center, index):
    found = (index >= 0)[..., None]
    offset = (position[index.clamp(min=0)] - center[:, None]) * found
    offset = (offset - offset.sum(1, keepdim=True) / found.sum(1, keepdim=True)) * found
    covariance = offset.transpose(1, 2) @ offset
    axis = torch.linalg.eigh(covariance)[1][..., 0]  # eigenvalues ascend
    spread = covariance.diagonal(dim1=1, dim2=2).sum(1, keepdim=True)
    return torch.where(spread > 0, axis, axis.new_tensor([0.0, 0.0, 1.0]))


def _as_point(viewpoint, position):
    return torch.as_tensor(viewpoint, dtype=position.dtype, device=position.device)
