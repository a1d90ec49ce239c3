"""Training and testing by the long flags of Pointcept's tools/train.py and tools/test.py."""

from pointins_ext import host, run
from pointins_ext.extend import switched_config_file
from pointins_ext.host import default_argument_parser, default_config_parser, read_config


def train(argv):
    """Train in this process, or in those that it spawns."""
    args = check(argv)
    _say_host()
    cfg = _configured(default_config_parser, args)
    for change in cfg.get("pointins_changes", []):
        print(f"-e pointins: {change}", flush=True)
    run.start(run.train, cfg, args)


def test(argv):
    """Test in this process, or in those that it spawns."""
    args = _parser("test").parse_args(argv)
    _say_host()
    cfg = default_config_parser(args.config_file, dict(args.options or {}, resume=True))
    run.start(run.test, cfg, args)


def check(argv):
    """Parsed flags of a training. Raises ValueError if the request cannot work, before anything is written."""
    parser = _parser("train")
    parser.add_argument("--extend", choices=("pointins",), help="add the offset branch to a pretraining config")
    args = parser.parse_args(argv)
    run.check_request(_configured(read_config, args), args)
    return args


def _parser(verb):
    parser = default_argument_parser()
    parser.prog = f"pointins {verb}"
    return parser


def _configured(parse, args):
    """The config that the command line asks for, by the host's function `parse`."""
    options = dict(args.options or {})
    if not args.extend or options.get("resume"):
        return parse(args.config_file, options)
    with switched_config_file(args.config_file) as path:
        return parse(path, options)


def _say_host():
    print(f"host: {host.NAME} ({host.REASON})", flush=True)
