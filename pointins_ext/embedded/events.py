"""Running scalars of a training run."""

from collections import defaultdict


class AverageMeter:
    """Last value and mean since the last reset."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.val, self.total, self.count = 0.0, 0.0, 0

    def update(self, value, n=1):
        self.val = value
        self.total += value * n
        self.count += n

    @property
    def avg(self):
        return self.total / max(self.count, 1)


class EventStorage:
    """Scalars by name: hooks put them, writers read them, the trainer resets them after every epoch."""

    def __init__(self):
        self._histories = defaultdict(AverageMeter)

    def put_scalar(self, name, value, n=1):
        self._histories[name].update(float(value), n)

    def history(self, name):
        if name not in self._histories:
            raise KeyError(f"no scalar {name!r} was put; known are {sorted(self._histories)}")
        return self._histories[name]

    def histories(self):
        return self._histories

    def reset_histories(self):
        for meter in self._histories.values():
            meter.reset()
