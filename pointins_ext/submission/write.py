"""A submission of what the tester of an experiment kept: whole, or not there."""

import os
import shutil
import zipfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from pointins_ext.errors import UserError, distinct_names, file_name
from pointins_ext.files import whole_file
from pointins_ext.submission.formats import BENCHMARKS

# Tester -> task, and the arrays that it keeps of each scan
TASKS = dict(SemanticTester="semantic", InstanceTester="instance", PanSegTester="panoptic")
ARRAYS = dict(semantic=("segment",), instance=("instance", "score", "category"), panoptic=("segment", "instance"))
NUM_NAMED = 5  # scans that an error lists


def benchmark_of(cfg):
    """The benchmark that the config of an experiment is for. ValueError where it is for none."""
    data, tester = cfg.get("data", {}).get("test") or {}, (cfg.get("test") or {}).get("type")
    if data.get("type") not in BENCHMARKS:
        raise UserError(
            f"no submission is known for data.test.type = {data.get('type')}; expected one of {', '.join(BENCHMARKS)}"
        )
    if tester not in TASKS:
        raise UserError(f"submissions are made of what {', '.join(TASKS)} keep; test.type is {tester}")
    benchmark = BENCHMARKS[data["type"]]
    if TASKS[tester] not in benchmark.tasks:
        raise UserError(
            f"{benchmark.__name__} takes submissions of the tasks {', '.join(benchmark.tasks)}; {tester} keeps "
            f"predictions of the task {TASKS[tester]}"
        )
    return benchmark(TASKS[tester], data.get("split"))


def write_submission(folder, cfg, output, build_dataset):
    """Write what the tester kept in the experiment `folder` to `output`; returns the number of scans.

    cfg: config of the experiment; build_dataset: function of a config, gives the host's dataset. output: a folder, or a
    .zip for the server, whole or not at all. FileNotFoundError for predictions that are missing; ValueError for those
    that do not fit, for an experiment without a benchmark, and for an output that exists.
    """
    benchmark = benchmark_of(cfg)
    if os.path.exists(output):
        raise UserError(f"{output} exists; remove it, or name another place: --out")
    result = Path(folder, "result")
    if not result.is_dir():
        place = f"-d {Path(folder).absolute().parent.name} -n {Path(folder).absolute().name}"
        raise FileNotFoundError(
            f"{result} does not exist; keep the predictions first: pointins test {place} -- test.save=True"
        )
    dataset = build_dataset(cfg.data.test)
    names = distinct_names(dataset)
    require_predictions(result, names, benchmark.split)
    with whole_submission(output) as write:
        for path, content in benchmark.about().items():
            write(path, content)
        for i, name in enumerate(tqdm(names, unit="scan", disable=None)):
            source = result / f"{file_name(name)}.npz"
            prediction = read_prediction(source, benchmark.task, len(dataset.get_data(i)["coord"]))
            try:
                for path, content in benchmark.files(name, prediction):
                    write(path, content)
            except ValueError as error:
                raise UserError(f"{source} {error}") from error
    return len(names)


def require_predictions(result, names, split):
    """FileNotFoundError that counts the scans without a file in the folder `result`, and names the first."""
    missing = [name for name in names if not (result / f"{file_name(name)}.npz").is_file()]
    if missing:
        more = ", ..." if len(missing) > NUM_NAMED else ""
        raise FileNotFoundError(
            f"{result} has no prediction for {len(missing)} of the {len(names)} scans of split {split}: "
            f"{', '.join(missing[:NUM_NAMED])}{more}; test it with test.save=True, or name the split that was tested: "
            "--split"
        )


def read_prediction(path, task, number):
    """Arrays of a prediction on `number` points. ValueError that names the file where they are others."""
    try:
        with np.load(path) as arrays:
            prediction = dict(arrays)
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; remove it and test again") from error
    missing = [key for key in ARRAYS[task] if key not in prediction]
    if missing:
        raise UserError(
            f"{path} has {', '.join(prediction) or 'nothing'}, but no {', '.join(missing)}; it is not of the task "
            f"{task}: test again with test.save=True"
        )
    found = len(prediction[ARRAYS[task][0]])
    if found != number:
        raise UserError(
            f"{path} has {found} points, the scan {number}: predictions must be on raw points; keep origin_coord or "
            "inverse in the pipeline of data.test, and test again"
        )
    return prediction


@contextmanager
def whole_submission(output):
    """write(path, bytes) into a folder, or into a .zip, that appears at `output` once everything is written."""
    output = os.path.abspath(output)
    if output.endswith(".zip"):
        with whole_file(output) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            yield Archive(archive).write
        return
    temporary = Path(f"{output}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        yield lambda path, content: _write_below(temporary, path, content)
        os.rename(temporary, output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class Archive:
    """A zip file whose folders are entries of their own: the validator of SemanticKITTI looks for them."""

    def __init__(self, archive):
        self.archive, self.folders = archive, set()

    def write(self, path, content):
        for folder in [f"{parent}/" for parent in reversed(PurePosixPath(path).parents[:-1])]:
            if folder not in self.folders:
                self.archive.writestr(folder, b"")
                self.folders.add(folder)
        self.archive.writestr(path, content)


def _write_below(folder, path, content):
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
