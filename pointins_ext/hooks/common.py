"""What the hooks share."""

from pointins_ext.errors import UserError
from pointins_ext.models.pointins import PointINS


def pointins_model(trainer, hook: str) -> PointINS:
    """The trainer's PointINS model, out of its DDP wrapper. Raises ValueError where the model is another."""
    model = getattr(trainer.model, "module", trainer.model)
    if not isinstance(model, PointINS):
        raise UserError(
            f"{hook} needs model type 'PointINS-v1m1', found '{type(model).__name__}': wrap the pretrainer with "
            "model=dict(type='PointINS-v1m1', pretrainer=...)"
        )
    return model
