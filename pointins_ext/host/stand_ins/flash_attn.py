"""Stand-in for flash-attn: the one function that Pointcept's LitePT calls, by PyTorch's own attention."""

import torch
import torch.nn.functional as F


def flash_attn_varlen_qkvpacked_func(qkv, cu_seqlens, max_seqlen, dropout_p=0.0, softmax_scale=None, **_):
    """Attention inside the sequences that `cu_seqlens` (B+1,) cuts: qkv (N,3,heads,C) -> (N,heads,C)."""
    start, length = cu_seqlens[:-1].long(), cu_seqlens.diff().long()
    place = torch.arange(max_seqlen, device=qkv.device)
    valid = place < length[:, None]
    row = torch.where(valid, start[:, None] + place, start[:, None])
    # kernels of a GPU accumulate halves in single precision, those of a CPU do not
    rows = qkv[row] if qkv.is_cuda else qkv[row].float()
    query, key, value = rows.permute(2, 0, 3, 1, 4)
    mask = valid[:, None, None]
    found = F.scaled_dot_product_attention(query, key, value, mask, dropout_p, scale=softmax_scale)
    return found.transpose(1, 2)[valid].to(qkv.dtype)
