"""Stand-in for torch-scatter: what Pointcept uses of it, on plain PyTorch. Segments without entries give 0."""

import torch

from pointins_ext.errors import UserError

_REDUCE = {"sum": "sum", "add": "sum", "mean": "mean", "min": "amin", "max": "amax"}


def segment_csr(src, indptr, out=None, reduce="sum"):
    """Reduce the rows indptr[i]..indptr[i+1] of `src` (N, ...) -> (len(indptr) - 1, ...); differentiable."""
    return _segment_reduce(src, indptr.diff(), reduce)


def segment_coo(src, index, out=None, dim_size=None, reduce="sum"):
    """Reduce the rows of `src` (N, ...) that share an entry of the sorted `index` (N,); differentiable."""
    size = dim_size or (int(index[-1]) + 1 if len(index) else 0)
    return _segment_reduce(src, torch.bincount(index, minlength=size), reduce)


def _segment_reduce(src, lengths, reduce):
    kind = "sum" if reduce == "add" else reduce
    dtype = src.dtype
    if kind == "mean" and not dtype.is_floating_point:
        raise UserError(f"torch_scatter stand-in: mean of {dtype} values; convert them to float first")
    src = src if dtype.is_floating_point else src.double()
    result = torch.segment_reduce(src.contiguous(), kind, lengths=lengths, unsafe=True)
    empty = (lengths == 0).view(-1, *[1] * (src.dim() - 1))
    return torch.where(empty, torch.zeros_like(result), result).to(dtype)


def scatter(src, index, dim=-1, out=None, dim_size=None, reduce="sum"):
    """Reduce `src` along `dim` over equal entries of `index` (1-D along `dim`, or of the shape of `src`)."""
    index = _broadcast(index, src, dim)
    size = list(src.shape)
    size[dim] = dim_size if dim_size is not None else (int(index.max()) + 1 if index.numel() else 0)
    return src.new_zeros(size).scatter_reduce(dim, index, src, _REDUCE[reduce], include_self=False)


def scatter_sum(src, index, dim=-1, out=None, dim_size=None):
    return scatter(src, index, dim, out, dim_size, "sum")


def scatter_mean(src, index, dim=-1, out=None, dim_size=None):
    return scatter(src, index, dim, out, dim_size, "mean")


def scatter_min(src, index, dim=-1, out=None, dim_size=None):
    """Minima and the position in `src` of one of each; N where a segment has none."""
    return _with_position(src, index, dim, dim_size, "min")


def scatter_max(src, index, dim=-1, out=None, dim_size=None):
    """Maxima and the position in `src` of one of each; N where a segment has none."""
    return _with_position(src, index, dim, dim_size, "max")


scatter_add = scatter_sum


def _with_position(src, index, dim, dim_size, reduce):
    index = _broadcast(index, src, dim)
    value = scatter(src, index, dim, None, dim_size, reduce)
    number = src.shape[dim]
    shape = [1] * src.dim()
    shape[dim] = number
    position = torch.arange(number, device=src.device).view(shape).expand_as(src)
    position = torch.where(src == value.gather(dim, index), position, number)
    return value, torch.full_like(value, number, dtype=torch.long).scatter_reduce(dim, index, position, "amin")


def _broadcast(index, src, dim):
    if index.dim() == 1:
        shape = [1] * src.dim()
        shape[dim] = -1
        index = index.view(shape)
    return index.expand_as(src)
