"""A submission to the server of a benchmark, of what the tester of an experiment kept with test.save=True.

    pointins test -d pointins -n NAME -- test.save=True data.test.split=test
    pointins submit -e exp/pointins/NAME --split test --out NAME.zip

SemanticKITTI (semantic, panoptic), nuScenes (lidarseg, panoptic), ScanNet and ScanNet200 (semantic, instance). The
submission.json of nuScenes says that no external data was used: change it if the backbone has seen other data.
"""

import os

from pointins_ext.flags import verb_parser
from pointins_ext.host import Config, build_dataset
from pointins_ext.submission import write_submission


def arguments(argv):
    parser = verb_parser("submit", __doc__)
    parser.add_argument("-e", "--experiment", required=True, metavar="FOLDER", help="exp/DATASET/NAME")
    parser.add_argument("--split", help="split that was tested (default: data.test.split of its config.py)")
    parser.add_argument("--out", metavar="PATH", help="folder to make, or a .zip (default: FOLDER/submission)")
    return parser.parse_args(argv)


def main(argv):
    args = arguments(argv)
    path = os.path.join(args.experiment, "config.py")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path} not found; -e takes the folder of an experiment, exp/DATASET/NAME")
    cfg = Config.fromfile(path)
    if args.split:
        cfg.merge_from_dict({"data.test.split": args.split})
    output = args.out or os.path.join(args.experiment, "submission")
    number = write_submission(args.experiment, cfg, output, build_dataset)
    print(f"{number} scans -> {output}")
