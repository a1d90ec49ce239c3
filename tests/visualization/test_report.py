"""Report: one file, every number in it, nothing fetched from elsewhere."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pointins_ext.visualization import write_report

VOID = {"meta", "img"}
PIXEL = bytes.fromhex("89504e470d0a1a0a0000000d49484452")


class Balance(HTMLParser):
    """Fails on a tag that is closed without being open."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def parse(path):
    page = Balance()
    page.feed(path.read_text())
    assert not page.open
    return page


@pytest.fixture
def metrics():
    rng = np.random.default_rng(0)
    methods = ("pointins", "kmeans", "hdbscan", "components")
    scores = [{m: dict(zip(("map", "ap50", "ap25", "ari"), rng.random(4), strict=True)) for m in methods} for _ in "ab"]
    return {
        "host": "embedded",
        "seed": 3,
        "loss_first": 2.3612,
        "unsupervised": scores[0],
        "unsupervised_planes_off": scores[1],
        "recall": {"touching": 0.4321, "objects": {"count": 107}},
    }


def test_every_number_is_shown_and_the_page_is_whole(tmp_path, metrics):
    picture = tmp_path / "a.png"
    picture.write_bytes(PIXEL)
    curves = {"loss": (np.arange(1000), np.linspace(2, 1, 1000)), "short": ([1, 2], [0.5, np.nan]), "none": ([], [])}
    path = write_report(tmp_path / "r.html", metrics, [("Rooms <1>", picture)], curves, ["sh tools/train.sh -c x"])
    page = parse(path)
    text = "\n".join(page.text)
    for protocol in ("unsupervised", "unsupervised_planes_off"):
        for scores in metrics[protocol].values():
            assert all(f"{value:.3f}" in text for value in scores.values())
    for expected in ("embedded", "3", "2.361", "0.4321", "107", "Rooms <1>", "sh tools/train.sh -c x", "step 999"):
        assert expected in text
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_links_stand_at_the_top(tmp_path):
    html = write_report(tmp_path / "r.html", {}, links=[("In <3D>", 'a"b.html')]).read_text()
    assert '<a href="a&quot;b.html">In &lt;3D&gt;</a>' in html


def test_both_protocols_stand_side_by_side(tmp_path, metrics):
    html = write_report(tmp_path / "r.html", metrics).read_text()
    row = re.search(r"<tr><td>pointins</td>(.*?)</tr>", html).group(1)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", row)
    keys = ("ap50", "map", "ap25", "ari")
    wanted = [metrics[p]["pointins"][k] for p in ("unsupervised", "unsupervised_planes_off") for k in keys]
    assert cells == [f"{value:.3f}" for value in wanted]
    assert html.count('"best"') + html.count('"first best"') == 8


def test_nothing_external(tmp_path, metrics):
    picture = tmp_path / "a.png"
    picture.write_bytes(PIXEL)
    path = write_report(tmp_path / "r.html", metrics, [("x", picture)], {"loss": ([0, 1], [1, 2])})
    html = path.read_text()
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link", html)
    sources = [attrs["src"] for tag, attrs in parse(path).tags if "src" in attrs]
    assert sources and all(source.startswith("data:image/png;base64,") for source in sources)


def test_texts_are_escaped(tmp_path):
    html = write_report(tmp_path / "r.html", {"host": "<b>x</b>"}, commands=["a && b > c"], title="<t>").read_text()
    assert "<b>" not in html and "<t>" not in html and "a &amp;&amp; b &gt; c" in html


def test_missing_picture_and_uneven_curve_are_named_and_leave_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.png"):
        write_report(tmp_path / "r.html", {}, [("x", tmp_path / "gone.png")])
    with pytest.raises(ValueError, match="'loss'"):
        write_report(tmp_path / "r.html", {}, curves={"loss": ([0, 1], [1])})
    assert list(tmp_path.iterdir()) == []
