"""Space-filling curves: 3D integer coordinates to sortable 63-bit codes (PTv3, section 4.1)."""

import torch

from pointins_ext.errors import UserError


@torch.no_grad()
def encode(grid_coord, batch=None, depth=16, order="z"):
    """Code of each voxel along a curve, batch index in the bits above `3 * depth`.

    grid_coord (N,3) integers in [0, 2**depth), depth <= 16, `order` one of z, z-trans, hilbert, hilbert-trans
    ("trans" swaps x and y) -> (N,) long.
    """
    curve, trans, rest = order.partition("-trans")
    if curve not in CURVES or rest:
        raise UserError(f"unknown serialization order {order!r}; choose from z, z-trans, hilbert, hilbert-trans")
    if trans:
        x, y, z = grid_coord.unbind(1)  # a list of columns would be copied to the GPU
        grid_coord = torch.stack([y, x, z], dim=1)
    code = CURVES[curve](grid_coord.long(), depth)
    return code if batch is None else batch.long() << depth * 3 | code


def z_order_encode(grid_coord, depth=16):
    """Morton code: the bits of x, y, z interleaved, x highest."""
    x = grid_coord.long() & ((1 << depth) - 1)
    for shift, mask in SPREAD:
        x = (x | x << shift) & mask
    return x[:, 0] << 2 | x[:, 1] << 1 | x[:, 2]


def hilbert_encode(grid_coord, depth=16):
    """Hilbert index by Skilling's transform (AIP Conf. Proc. 707, 2004) in its Gray-code form."""
    axes = list((grid_coord.long() & ((1 << depth) - 1)).unbind(1))
    for bit in reversed(range(1, depth)):
        low = (1 << bit) - 1
        for i in range(3):
            on = -(axes[i] >> bit & 1)
            swap = (axes[0] ^ axes[i]) & low & ~on
            axes[i] = axes[i] ^ swap
            axes[0] = axes[0] ^ swap ^ (on & low)
    code = z_order_encode(torch.stack(axes, 1), depth)
    for shift in (32, 16, 8, 4, 2, 1):
        code = code ^ code >> shift
    return code


CURVES = {"z": z_order_encode, "hilbert": hilbert_encode}
# steps that put two zero bits between the bits of a 16-bit number
SPREAD = ((16, 0xFF0000FF), (8, 0xF00F00F00F), (4, 0xC30C30C30C3), (2, 0x249249249249))
