"""Training and testing by the long flags of Pointcept's tools/train.py and tools/test.py."""

from pointins_ext import host, run
from pointins_ext.cli.request import check, configured
from pointins_ext.host import default_argument_parser, default_config_parser


def train(argv):
    """Train in this process, or in those that it spawns."""
    args = check(argv)
    _say_host()
    cfg = configured(default_config_parser, args)
    for change in cfg.get("pointins_changes", []):
        print(f"-e pointins: {change}", flush=True)
    run.start(run.train, cfg, args)


def test(argv):
    """Test in this process, or in those that it spawns."""
    parser = default_argument_parser()
    parser.prog = "pointins test"
    args = parser.parse_args(argv)
    _say_host()
    cfg = default_config_parser(args.config_file, dict(args.options or {}, resume=True))
    run.start(run.test, cfg, args)


def _say_host():
    print(f"host: {host.NAME} ({host.REASON})", flush=True)
