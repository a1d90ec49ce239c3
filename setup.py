"""Packaging of pointins_ext. Nothing is compiled."""

from pathlib import Path

from setuptools import find_packages, setup

# Why each of the core's dependencies is there.
CORE = [
    "torch>=2.4",  # models, ops
    "numpy>=1.24",  # scenes, transforms, metrics
    "scipy>=1.10",  # k-d trees, connected components on CPU
    "addict>=2.4",  # attribute access of Point and Config, as in Pointcept
    "safetensors>=0.4",  # the weights that the package ships
    "tqdm>=4.60",  # progress of long work
    "plyfile>=1.0",  # .ply, which `pointins segment` reads and writes
    "tensorboard>=2.12",  # losses and monitors
    "packaging",  # torch.utils.tensorboard imports it without asking for it
]

EXTRAS = {
    "scans": ["pypcd4>=1.1", "laspy[lazrs]>=2.5"],  # readers of .pcd and .las/.laz
    "e57": ["pye57>=0.4"],  # reader of .e57
    "viz": ["matplotlib>=3.7", "plotly>=6"],  # pictures and the report; plotly.js of the 3D viewer
    "cluster": ["scikit-learn>=1.3"],  # HDBSCAN: a prior variant, and a baseline in the tables
}
# What Pointcept imports and PyPI has ready-made; its compiled parts (spconv, pointops, flash-attn, ...) are the user's
# choice, and have stand-ins. torchvision is there for timm.
EXTRAS["pointcept"] = ["timm", "torchvision", "einops", "tensorboardX", "yapf", "termcolor"]
EXTRAS["test"] = [
    *EXTRAS["scans"],
    *EXTRAS["viz"],
    *EXTRAS["cluster"],
    *EXTRAS["pointcept"],
    "pytest>=8",
    "pytest-xdist>=3.5",  # the suite on two cores
    "pytest-cov>=5",  # CI holds branch/, ops/ and evaluation/ above 95 %
    "setuptools>=70.1",  # builds the wheel that a test installs
    "hypothesis>=6.100",
    "ruff>=0.6",
    "mypy>=1.11",
    "selenium>=4.20",  # drives a headless Chromium, where there is one, through the 3D viewer
    # independent oracles; those that cannot be installed with their dependencies are in tests/oracles/requirements.txt
    "torchmetrics>=1.4",
    "torch-pointcloud",
    "spconv",
]

setup(
    name="pointins_ext",
    version="0.1.0",
    description="PointINS: instance-aware self-supervised learning for point clouds, as a plug-in for Pointcept",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="The pointins_ext authors",
    license="MIT",
    keywords="point cloud, self-supervised learning, instance segmentation, Pointcept",
    project_urls={"Paper": "https://arxiv.org/abs/2603.25165", "Pointcept": "https://github.com/Pointcept/Pointcept"},
    # the configs lie beside the package, as Pointcept's do, and inside it once it is installed
    packages=[*find_packages(include=["pointins_ext", "pointins_ext.*"]), "pointins_ext.configs"],
    package_dir={"pointins_ext.configs": "configs"},
    package_data={
        "pointins_ext.configs": ["**/*.py", "**/*.json"],
        "pointins_ext.visualization": ["viewer.js"],
        "pointins_ext.instances": ["rivals.json"],
        "pointins_ext.weights": ["*.safetensors", "*.md", "*.png"],
    },
    python_requires=">=3.10",
    install_requires=CORE,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["pointins = pointins_ext.cli:main"]},
)
