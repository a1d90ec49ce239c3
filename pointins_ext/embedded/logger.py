"""The logger of a run: console and train.log, rank 0 only."""

import logging
import logging.handlers
import os

from tqdm import tqdm

from pointins_ext.engine import comm

NAME = "pointins_ext"
FILE_ONLY = {"file_only": True}  # logger.info(text, extra=FILE_ONLY): train.log gets it, the console does not
FORMAT = logging.Formatter("[%(asctime)s %(levelname)s %(filename)s line %(lineno)d] %(message)s")


class _Console(logging.Handler):
    """Writes through tqdm, so that a progress bar stays in one piece."""

    def emit(self, record):
        if not getattr(record, "file_only", False):
            tqdm.write(self.format(record))


class _File(logging.handlers.MemoryHandler):
    """Keeps what is logged to itself until the run has begun: one that cannot begin leaves no file, and no new one."""

    def __init__(self, path, mode):
        super().__init__(capacity=1, flushOnClose=False)
        self.path, self.mode = path, mode

    def shouldFlush(self, record):
        return self.target is not None

    def begin(self):
        if self.target is None:
            os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
            target = logging.FileHandler(self.path, self.mode, encoding="utf-8")
            target.setFormatter(FORMAT)
            self.setTarget(target)
            self.flush()

    def close(self):
        target = self.target
        super().close()
        if target is not None:
            target.close()


def begin_log():
    """Write the log files of the run's logger from now on, and first what they have missed."""
    for handler in logging.getLogger(NAME).handlers:
        if isinstance(handler, _File):
            handler.begin()


def get_root_logger(log_file=None, log_level=logging.INFO, file_mode="a"):
    """The run's logger; `log_file` redirects its file part, see `begin_log`. Other ranks than 0 log errors only."""
    logger = logging.getLogger(NAME)
    if not logger.handlers:
        logger.propagate = False
        _add(logger, _Console())
    logger.setLevel(log_level if comm.is_main_process() else logging.ERROR)
    if log_file is not None and comm.is_main_process():
        for handler in [h for h in logger.handlers if isinstance(h, _File)]:
            logger.removeHandler(handler)
            handler.close()
        _add(logger, _File(log_file, file_mode))
    return logger


def _add(logger, handler):
    handler.setFormatter(FORMAT)
    logger.addHandler(handler)
