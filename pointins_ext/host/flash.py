"""Flash attention: Pointcept's PTv3 asks for it by default, and refuses to be built where it is missing."""

import importlib.util


def has_flash(device):
    """Whether flash attention runs on `device`."""
    return device.type == "cuda" and importlib.util.find_spec("flash_attn") is not None


def disable_flash(cfg, path="model"):
    """Set enable_flash=False in every PTv3 of a model config; a line for each that had it on, also by default.

    LitePT has no such option: with flash attention missing, it gets a stand-in for it.
    """
    changed = []
    kind = str(cfg.get("type", ""))
    if kind.startswith("PT-v3") and cfg.get("enable_flash", True):
        cfg["enable_flash"] = False
        changed.append(f"{path}.enable_flash = False")
    if kind.startswith("LitePT"):
        changed.append(f"{path}, {kind}: PyTorch's own attention")
    for key, value in cfg.items():
        if isinstance(value, dict):
            changed += disable_flash(value, f"{path}.{key}")
    return changed
