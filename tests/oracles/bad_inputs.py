"""A folder of inputs that a clumsy user would try: scans, checkpoints, configs and experiments, a few of them good."""

import os
import zipfile

import numpy as np
import torch

from pointins_ext.datasets.readers import write_ply
from pointins_ext.host import Config, build_model
from tests.oracles.tiny_pointins import GRID, dos_config, pointins_config
from tests.oracles.tiny_training import CONFIG as TINY

MODEL = pointins_config(dos_config(up_cast_level=1))


class Evil:
    """A pickle that makes a folder when it is read with code allowed."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


def make():
    """Everything, in the current folder."""
    scans()
    checkpoints()
    configs()
    experiments()


def scans():
    rng = np.random.default_rng(0)
    coord = rng.random((400, 3)).astype(np.float32)
    color = np.full((400, 3), 90.0)
    write_ply("room.ply", coord, color)
    whole = open("room.ply", "rb").read()
    files = {
        "empty.ply": b"",
        "cut.ply": whole[: len(whole) // 2],
        "header.ply": whole[:60],
        "words.ply": b"this is no scan\n",
        "words.npz": b"this is no scan\n",
        "words.npy": b"this is no scan\n",
        "words.las": b"this is no scan\n",
        "words.pcd": b"this is no scan\n",
        "novertex.ply": b"ply\nformat ascii 1.0\nelement face 1\nproperty int a\nend_header\n3\n",
        "novertices.ply": b"ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float y\n"
        b"property float z\nend_header\n",
        "noz.ply": b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nend_header\n1 2\n",
        "cut.pcd": b"VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 400\nHEIGHT 1\n"
        b"VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 400\nDATA binary\nxxxx",
        "cut.las": b"LASF" + bytes(200),
        "odd.bin": bytes(30),
        "scan.xyz": b"1 2 3\n",
        "pointer.ply": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "page.laz": b"<!DOCTYPE html><html></html>\n",
        "packed.npz": b"\x1f\x8b\x08\x00 packed",
        "nodata.pcd": b"VERSION .7\nFIELDS x y z\n",
        "nofields.pcd": b"VERSION .7\nDATA ascii\n1 2 3\n",
    }
    for name, content in files.items():
        with open(name, "wb") as file:
            file.write(content)
    np.savez("good.npz", coord=coord, color=color)
    with open("good.npz", "rb") as file, open("cut.npz", "wb") as cut:
        cut.write(file.read()[:-500])
    bad = coord.copy()
    bad[:395, 1] = np.nan
    np.savez("nan.npz", coord=bad)
    bad[:395, 1] = np.inf
    np.savez("inf.npz", coord=bad)
    np.savez("one.npz", coord=coord[:1])
    np.savez("flat.npz", coord=coord[:, :2])
    np.savez("keys.npz", position_of_points=coord)
    np.savez("uneven.npz", coord=coord, color=color[:300])
    np.savez("letters.npz", coord=np.array([["a", "b", "c"]] * 20))
    np.savez("far.npz", coord=coord.astype(np.float64) * 1e30)
    np.savez("apart.npz", coord=np.concatenate([coord, coord + 1e9]).astype(np.float64))
    np.savez("objects.npz", coord=np.array([object()] * 20, dtype=object))
    np.save("five.npy", np.zeros((20, 5), np.float32))
    np.save("line.npy", np.zeros(20, np.float32))
    np.save("turned.npy", coord.T)
    np.save("deep.npy", coord[None])
    np.save("seven.npy", np.c_[coord, color, color[:, 0]])
    np.save("six.npy", np.c_[coord, rng.normal(size=(400, 3))])
    np.save("pickle.npy", dict(coord=coord))
    np.savez("pair.npz", coord, color)
    np.savez("turned.npz", coord=coord.T)
    np.savez("ragged.npz", x=coord[:, 0], y=coord[:, 1], z=coord[:9, 2])
    np.savez("words of labels.npz", coord=coord, segment=np.full(400, 0x50028, np.uint32))
    np.savez("range.npz", coord=coord, color=coord * 2 - 1)
    np.hstack([coord, color]).astype(np.float64).tofile("double.bin")
    os.makedirs("my scans")
    os.makedirs("folder.ply")
    os.makedirs("unlabelled")
    np.savez("unlabelled/good.npz", coord=coord)
    os.makedirs("broken scans")
    np.savez("broken scans/nan scan.npz", coord=bad)
    os.makedirs("scene")
    np.save("scene/coord.npy", coord)
    np.save("scene/color.npy", color[:100])


def checkpoints():
    torch.manual_seed(0)
    state = build_model(MODEL).state_dict()
    config = dict(model=MODEL, data=dict(train=dict(type="ScanDataset", transform=transforms())))
    torch.save(dict(state_dict=state, config=config), "good.pth")
    torch.save(dict(state_dict=state), "bare.pth")
    torch.save(dict(state_dict=state, config=dict(config, data=dict(train=dict(transform=[])))), "grid.pth")
    without = {name: value for name, value in state.items() if "offset_head" not in name}
    torch.save(dict(state_dict=without, config=config), "nohead.pth")
    wide = {name: torch.zeros(*(n + 1 for n in value.shape)) for name, value in state.items()}
    torch.save(dict(state_dict=wide, config=config), "wide.pth")
    torch.save(dict(state_dict=state, config=Evil()), "evil.pth")
    torch.save(dict(epoch=3), "nothing.pth")
    torch.save(torch.ones(3), "tensor.pth")
    with open("good.pth", "rb") as file, open("cut.pth", "wb") as cut:
        cut.write(file.read()[:20000])
    open("empty.pth", "wb").close()
    with open("words.pth", "w") as file:
        file.write("these are no weights\n")
    with zipfile.ZipFile("archive.pth", "w") as archive:
        archive.writestr("a", "b")
    os.makedirs("folder.pth")


def transforms():
    """What a predictor reads of a pretraining pipeline."""
    return [
        dict(type="GridSample", grid_size=GRID),
        dict(type="GlobalViewGenerator", global_transform=[dict(type="CenterShift")]),
        dict(type="Collect", keys=(), global_feat_keys=("global_coord", "global_color")),
    ]


def configs():
    texts = {
        "tiny.py": TINY,
        "syntax.py": "epoch = = 3\n",
        "raises.py": "epoch = undefined_name\n",
        "nobase.py": '_base_ = ["nowhere.py"]\n',
        "loops.py": '_base_ = ["loops.py"]\n',
        "blank.py": "",
        "noimport.py": TINY.replace("tests.oracles.tiny_training", "no.such.module"),
        "width.py": TINY.replace("dropout=0.3", "width='wide'"),
        "reserved.py": TINY + "filename = 'x'\n",
        "noprior.json": "{}",
        "falling.json": '{"quantiles": [0.5, 0.2, 0.9]}',
        "broken.json": "{",
    }
    for name, text in texts.items():
        with open(name, "w") as file:
            file.write(text)
    with open("binary.py", "wb") as file:
        file.write(bytes(range(256)))


def experiments():
    """Folders as a training leaves them."""
    tiny, scannet = dict(type="TinyScenes"), dict(type="ScanNetDataset", split="val", data_root="nowhere")
    for name, data, test, keys in (
        ("plain", tiny, dict(type="SemanticTester"), dict(ignore_index=-1)),
        ("nokey", tiny, dict(type="SemanticTester"), {}),
        ("untested", tiny, None, {}),
        ("unkept", scannet, dict(type="SemanticTester"), {}),
        ("scannet", scannet, dict(type="SemanticTester"), {}),
    ):
        os.makedirs(f"exp/{name}/model")
        data = dict(train=data, test=data, num_classes=2, names=["a", "b"], **keys)
        cfg = dict(model=dict(type="TinyModel"), data=data, **(dict(test=test) if test else {}))
        Config(cfg | dict(custom_imports=dict(imports=["tests.oracles.tiny_training"]))).dump(f"exp/{name}/config.py")
    os.makedirs("exp/scannet/result")
