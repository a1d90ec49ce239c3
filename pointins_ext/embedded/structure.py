"""The packed point cloud that flows through the embedded models, and conversions of its batch bookkeeping."""

import torch
from addict import Dict

from pointins_ext.embedded.serialization import encode
from pointins_ext.errors import UserError, UserKeyError
from pointins_ext.ops.segment import segment_count
from pointins_ext.ops.sort import stable_sort
from pointins_ext.ops.subm_conv import kernel_map

MAX_DEPTH = 16


@torch.no_grad()
def offset2bincount(offset):
    """Cumulative point counts (B,) -> points per cloud (B,)."""
    return torch.diff(offset, prepend=offset.new_zeros(1))


@torch.no_grad()
def offset2batch(offset, size=None):
    """Cumulative point counts (B,) -> cloud index of each point (N,) long. A GPU need not wait if `size` N is given."""
    bincount = offset2bincount(offset)
    return torch.arange(len(bincount), device=offset.device).repeat_interleave(bincount, output_size=size)


@torch.no_grad()
def batch2offset(batch, num_batches=None):
    """Cloud index of each point (N,) -> cumulative point counts (B,) long; B is `num_batches`, or as many as occur."""
    if num_batches is None:
        num_batches = int(batch.max()) + 1 if len(batch) else 0
    return segment_count(batch, num_batches).cumsum(0)


class Point(Dict):
    """A batch of point clouds as a dict with attribute access.

    coord (N,3), feat (N,C), batch (N,) or offset (B,) (each is derived from the other), grid_coord (N,3) or grid_size.
    `serialization` adds serialized_{depth,code,order,inverse}, `sparsify` the cache that `kernel_map` fills; both add
    grid_extent, the largest of grid_coord + 1.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "batch" not in self and "offset" in self:
            self["batch"] = offset2batch(self.offset, len(self.coord) if "coord" in self else None)
        elif "offset" not in self and "batch" in self:
            self["offset"] = batch2offset(self.batch)

    def serialization(self, order="z", depth=None, shuffle_orders=False):
        """Sort the points along one curve for each name in `order`; `shuffle_orders` permutes the curves.

        Adds serialized_code, serialized_order and serialized_inverse, each (len(order), N). A cloud may span at most
        2**16 cells; ValueError beyond.
        """
        order = [order] if isinstance(order, str) else order
        self["order"] = order
        extent = self._require_grid_coord()
        depth = max(extent.bit_length(), 1) if depth is None else depth
        if depth > MAX_DEPTH or depth * 3 + len(self.offset).bit_length() > 63:
            raise UserError(
                f"the cloud spans {extent} grid cells in {len(self.offset)} batch entries; at most {2**MAX_DEPTH} "
                "cells can be serialized: use a coarser grid_size, or remove outlying points"
            )
        self["serialized_depth"] = depth
        code = [encode(self.grid_coord, self.batch, depth, name) for name in order]
        self.set_codes(torch.stack(code), shuffle_orders)

    def set_codes(self, code, shuffle_orders=False):
        """Store curve codes (number of orders, N) with the sorting order they imply and its inverse."""
        if shuffle_orders:
            code = torch.stack([code[i] for i in torch.randperm(len(code)).tolist()])
        order = torch.stack([stable_sort(row)[1] for row in code])
        position = torch.arange(code.shape[1], device=code.device).expand_as(order)
        self["serialized_code"] = code
        self["serialized_order"] = order
        self["serialized_inverse"] = torch.empty_like(order).scatter_(1, order, position)

    def sparsify(self):
        """Prepare for submanifold convolutions: an empty cache of kernel maps."""
        self._require_grid_coord()
        self["kernel_maps"] = {}

    def kernel_map(self, kernel_size):
        """The neighbor table of this cloud, computed once for each kernel size."""
        if kernel_size not in self.kernel_maps:
            self.kernel_maps[kernel_size] = kernel_map(self.grid_coord, self.batch, kernel_size)
        return self.kernel_maps[kernel_size]

    def _require_grid_coord(self):
        """Compute grid_coord where it is missing; returns the largest coordinate + 1."""
        if "grid_coord" not in self:
            if not {"coord", "grid_size"} <= self.keys():
                raise UserKeyError(f"a Point needs grid_coord, or coord and grid_size; it has {sorted(self.keys())}")
            size = self.grid_size
            if torch.is_tensor(size) and size.numel() != 1:
                raise UserError(f"grid_size has {size.numel()} values; a Point takes one for the whole batch")
            coord = self.coord - self.coord.amin(0) if len(self.coord) else self.coord
            self["grid_coord"] = torch.div(coord, size, rounding_mode="trunc").int()
        if "grid_extent" not in self:  # once, because a GPU waits for the answer
            self["grid_extent"] = self._grid_extent()
        return self.grid_extent

    def _grid_extent(self):
        if not len(self.grid_coord):
            return 0
        low, high = torch.stack(self.grid_coord.aminmax()).tolist()
        if low < 0:
            raise UserError(
                f"grid_coord has a negative or non-finite entry ({low}); check coord for NaN and outlying points"
            )
        return high + 1
