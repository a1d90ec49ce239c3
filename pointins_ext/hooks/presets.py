"""What ODRHook, SCRHook and OffsetMonitor do unless a config says otherwise: the hooks, `-e pointins`, shipped configs.

"indoor" and "outdoor" are what small-scale trials showed to matter (tools/results: defaults), for objects of
furniture's size at losses of 8 cm and for road users at losses of 20 cm. "paper" is the literal reading of the method.
"""

import difflib

from pointins_ext.errors import UserError

_ODR = dict(prior="indoor", direction="cartesian", scope="view", strength=1.0, ramp_steps=100)
ODR = {
    "indoor": _ODR,
    # the paper loses less than one point with any prior of about the right length; "auto" fits one to the scans
    "outdoor": {**_ODR, "prior": "outdoor"},
    "paper": {**_ODR, "ramp_steps": 0},
}
# No object reaches further from its center; what does is a wall that no plane was found in, or several objects.
_REACH = dict(indoor=1.9, outdoor=6.0)  # meters
SCR = {
    # The graph rule on all views of a scene: K-means can only split, and half of what it teaches is the middle of
    # floors. Lengths are in voxels of the loss, thresholds shares of the scene's own edges.
    "indoor": dict(cut="pairwise", min_points=10, max_length=_REACH["indoor"]),
    "outdoor": dict(cut="pairwise", min_points=5, max_length=_REACH["outdoor"]),
    # The best that K-means gave here. It can split an object but never join it: the paper's 20 clusters cut a room's
    # objects, and from 30 % of the steps on the offsets themselves keep them apart, so that 2 do better. Features of
    # the stage at the loss resolution, because the coarse ones cut along their blocks. 1.5 loss voxels: touching
    # objects stay apart; 2 join a car, and leave the next one, 0.6 m away, alone.
    "kmeans": dict(
        cut="kmeans",
        num_clusters=5,
        feature="loss_stage",
        radius=0.12,
        min_points=10,
        max_length=_REACH["indoor"],
        late=dict(num_clusters=2),
        late_start=0.3,
    ),
    "kmeans_outdoor": dict(
        cut="kmeans",
        num_clusters=8,
        feature="loss_stage",
        radius=0.40,
        min_points=10,
        max_length=_REACH["outdoor"],
        late=None,
        late_start=0.3,
    ),
    "paper": dict(
        cut="kmeans",
        num_clusters=20,
        feature="concat",
        radius=None,
        min_points=1,
        max_length=None,
        late=None,
        late_start=0.3,
    ),
}
# the preset of K-means for the same kind of scenes
KMEANS = dict(indoor="kmeans", outdoor="kmeans_outdoor")
MONITOR = {
    "indoor": dict(every=100, canary_seed=0),
    "outdoor": dict(every=100, canary_seed=None),  # the canary is a room
}


def with_preset(hook: str, presets: dict, preset: str, options: dict, more: dict | None = None) -> dict:
    """Options of a hook: those of its preset, and over them the given ones.

    `more`: defaults of options that no preset has. Raises ValueError if a preset or option is unknown, or
    an option is no number where it should be one.
    """
    if preset not in presets:
        raise UserError(f"{hook} preset '{preset}' is unknown; expected one of {', '.join(presets)}")
    require_known(hook, options, {**(more or {}), **presets[preset]})
    return {**presets[preset], **options}


def require_known(what: str, options: dict, defaults: dict) -> None:
    """Raises ValueError if `defaults` lacks an option, or if an option is no number although its default is one."""
    for name, value in options.items():
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, n=2)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"known are {sorted(defaults)}"
            raise UserError(f"{what} has no option {name!r}; {hint}")
        number = isinstance(defaults[name], (int, float)) and not isinstance(defaults[name], bool)
        if number and isinstance(value, (str, dict)):
            raise UserError(f"{what} {name} is {value!r}; expected a number as its default {defaults[name]}")
