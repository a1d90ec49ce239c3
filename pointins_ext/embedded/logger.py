"""The logger of a run: console and train.log, rank 0 only."""

import logging
import os

from tqdm import tqdm

from pointins_ext.embedded import comm

NAME = "pointins_ext"
FILE_ONLY = {"file_only": True}  # logger.info(text, extra=FILE_ONLY): train.log gets it, the console does not
FORMAT = logging.Formatter("[%(asctime)s %(levelname)s %(filename)s line %(lineno)d] %(message)s")


class _Console(logging.Handler):
    """Writes through tqdm, so that a progress bar stays in one piece."""

    def emit(self, record):
        if not getattr(record, "file_only", False):
            tqdm.write(self.format(record))


def get_root_logger(log_file=None, log_level=logging.INFO, file_mode="a"):
    """The run's logger; `log_file` redirects its file part. Other ranks than 0 log errors only."""
    logger = logging.getLogger(NAME)
    if not logger.handlers:
        logger.propagate = False
        _add(logger, _Console())
    logger.setLevel(log_level if comm.is_main_process() else logging.ERROR)
    if log_file is not None and comm.is_main_process():
        for handler in [h for h in logger.handlers if isinstance(h, logging.FileHandler)]:
            logger.removeHandler(handler)
            handler.close()
        os.makedirs(os.path.dirname(os.path.abspath(log_file)), exist_ok=True)
        _add(logger, logging.FileHandler(log_file, file_mode, encoding="utf-8"))
    return logger


def _add(logger, handler):
    handler.setFormatter(FORMAT)
    logger.addHandler(handler)
