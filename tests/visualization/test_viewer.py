"""3D viewer: one file, every instance in it, true numbers; and in a real browser every control does what it says."""

import io
import itertools
import json
import re
import shutil
import sys

import numpy as np
import pytest

from pointins_ext.instances import oriented_boxes
from pointins_ext.visualization import viewer, write_viewer

pytest.importorskip("plotly")

FLAGS = (
    "--headless=new",
    "--window-size=1000,700",
    "--no-sandbox",  # the user may be root
    "--disable-dev-shm-usage",  # /dev/shm of a container is small
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL without a graphics card
)

EDGES = 20  # points of the line along the edges of a box, gaps included


def scene(name="box", sizes=(1500, 600, 20), none=100, truth=True, seed=0):
    """Boxes in a row, the smallest id is not the largest; with `truth` scores, a tenth of the ids, and a plane, 5."""
    rng = np.random.default_rng(seed)
    ids = np.repeat([*(3 + 2 * np.arange(len(sizes)))[::-1], -1], [*sizes, none])
    place = np.stack([np.maximum(ids, 0), 0 * ids, 0 * ids], axis=1) / 2
    around = rng.uniform(-0.3, 0.3, (len(ids), 3))
    order = rng.permutation(len(ids))
    entries = dict(coord=place + around, color=rng.uniform(0, 255, (len(ids), 3)), predicted=ids, offset=-around / 2)
    if truth:
        entries["instance"] = np.where(ids > 3, 0, -1)
    entries = {key: value[order] for key, value in entries.items()}
    number = np.arange(ids.max() + 1)
    return entries | dict(name=name) | (dict(score=number / 10, stuff=number == 5) if truth else {})


def scans(path):
    return json.loads(re.search(r"<script>const SCANS = (.*);\n", path.read_text()).group(1))


def test_the_table_has_the_numbers_of_all_points(tmp_path):
    shown = scene()
    (scan,) = scans(write_viewer(tmp_path / "v.html", [shown], max_points=500))
    rows = scan["instances"]
    assert scan["total"] == 2220 and [row["id"] for row in rows] == [7, 5, 3, -1]
    for row in rows:
        member = shown["predicted"] == row["id"]
        assert row["size"] == member.sum()
        extent = np.ptp(shown["coord"][member], axis=0)
        assert row["extent"] == " × ".join(f"{length:.2f}" for length in extent) + " m"
    for row in rows[:3]:
        member = shown["predicted"] == row["id"]
        center = (shown["coord"] + shown["offset"])[member].mean(axis=0) - shown["coord"].min(axis=0)
        np.testing.assert_allclose(np.array(row["center"]) / 1000, center, atol=6e-4)
        assert row["score"] == row["id"] / 10
    assert "score" not in rows[3]
    assert [row.get("plane", False) for row in rows] == [False, True, False, False]


def test_drawn_points_are_points_of_their_instance(tmp_path):
    shown = scene()
    (scan,) = scans(write_viewer(tmp_path / "v.html", [shown], max_points=500))
    drawn = [row["drawn"] for row in scan["instances"]]
    assert sum(drawn) == 500 and drawn[2] == 20 and drawn[0] > drawn[1] > 50
    assert len(scan["color"]) == 6 * 500 and len(scan["truth_row"]) == 500
    coord = shown["coord"] - shown["coord"].min(axis=0)
    known = {tuple(point): i for i, point in enumerate(np.round(1000 * coord).astype(int).tolist())}
    index = np.array([known[point] for point in zip(*scan["coord"], strict=True)])
    ids = np.repeat([row["id"] for row in scan["instances"]], drawn)
    np.testing.assert_array_equal(shown["predicted"][index], ids)
    np.testing.assert_allclose(np.array(scan["offset"]).T / 1000, shown["offset"][index], atol=6e-4)
    truth = np.array([row["id"] for row in scan["truth"]])[scan["truth_row"]]
    np.testing.assert_array_equal(truth, shown["instance"][index])
    color = np.frombuffer(bytes.fromhex(scan["color"]), np.uint8).reshape(-1, 3)
    np.testing.assert_allclose(color, shown["color"][index], atol=0.51)


def test_boxes_are_those_of_all_points_in_the_order_of_the_table(tmp_path):
    shown = scene()
    (scan,) = scans(write_viewer(tmp_path / "v.html", [shown], max_points=500))
    boxed = [row for row in scan["instances"] if "box" in row]
    assert [row["id"] for row in boxed] == [7, 3]  # 5 is a plane, -1 no instance
    for row, number in zip(boxed, (7, 3), strict=True):
        member = shown["predicted"] == number
        corner = oriented_boxes(shown["coord"][member], np.zeros(member.sum(), int)).corners()[0]
        np.testing.assert_allclose(np.array(row["box"]) / 1000, corner - shown["coord"].min(axis=0), atol=6e-4)
    drawn = np.array([row["box"] for row in boxed])
    low, high = np.array(scan["range"]).T
    assert (drawn >= low).all() and (drawn <= high).all()


def test_without_scores_and_planes_every_instance_has_a_box_and_no_score(tmp_path):
    shown = {key: value for key, value in scene().items() if key not in ("score", "stuff")}
    (scan,) = scans(write_viewer(tmp_path / "v.html", [shown]))
    assert all(row["score"] is None and "plane" not in row and "box" in row for row in scan["instances"][:3])
    nothing = dict(shown, predicted=np.full(2220, -1), score=np.zeros(0), stuff=np.zeros(0, bool))
    (scan,) = scans(write_viewer(tmp_path / "v.html", [nothing]))
    assert [row["id"] for row in scan["instances"]] == [-1]


@pytest.mark.parametrize("max_points", [300, 1000, 10**6])
def test_a_subsample_keeps_every_instance_and_is_the_same_again(max_points):
    group = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [5000, 900, 60, 1]))
    index = viewer.subsample(group, max_points)
    assert len(index) == len(set(index.tolist())) == min(max_points, len(group))
    assert (np.diff(group[index]) >= 0).all()
    count = np.bincount(group[index])
    assert count[3] == 1 and (count[:3] >= 50).all()
    np.testing.assert_array_equal(index, viewer.subsample(group, max_points))
    with pytest.raises(ValueError, match="max_points is 3.*4 instances"):
        viewer.subsample(group, 3)


def test_nothing_external_and_nothing_half_written(tmp_path):
    html = write_viewer(tmp_path / "deep" / "v.html", [scene()]).read_text()
    start, end = (html.index(mark) for mark in ("/**\n* plotly.js", "const SCANS"))
    assert end - start > 10**6
    ours = html[:start] + html[end:]
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<link|src=|fetch\(|XMLHttp", ours)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["v.html"]


def test_names_are_escaped_and_no_page_outgrows_ten_megabytes(tmp_path):
    bad = "</script><script>alert(1)</script>"
    path = write_viewer(tmp_path / "v.html", [scene(bad, sizes=(70_000,))], title="<b>")
    html = path.read_text()
    assert "<script>alert" not in html and "<b>" not in re.sub(r"(?s)<script>.*", "", html)
    (scan,) = scans(path)
    assert scan["name"] == bad and sum(row["drawn"] for row in scan["instances"]) == 60_000
    assert len(json.dumps(scan)) < 4e6


def test_wrong_scenes_are_named_and_leave_no_file(tmp_path):
    def change(**entries):
        return dict(scene(), **entries)

    lacking = scene()
    del lacking["offset"]
    empty = {key: value[:0] for key, value in scene(truth=False).items() if key != "name"}
    for error, message, wrong in (
        (ValueError, "no scene", []),
        (KeyError, "box.*offset", [lacking]),
        (ValueError, r"box: color of shape \(3, 3\).*\(2220, 3\)", [change(color=np.zeros((3, 3)))]),
        (ValueError, "box: offset.*finite", [change(offset=np.full((2220, 3), np.nan))]),
        (ValueError, r"box: instance.*\(4,\).*\(2220,\)", [change(instance=np.zeros(4, int))]),
        (ValueError, r"box: score of shape \(7,\).*each id 0\.\.7", [change(score=np.zeros(7))]),
        (ValueError, r"box: score of shape \(8,\).*finite", [change(score=np.full(8, np.nan))]),
        (ValueError, r"box: stuff of shape \(8, 1\)", [change(stuff=np.zeros((8, 1), bool))]),
        (ValueError, r"scan 0: coord has shape \(0, 3\)", [empty]),
    ):
        with pytest.raises(error, match=message):
            write_viewer(tmp_path / "v.html", wrong)
    assert list(tmp_path.iterdir()) == []


def test_without_plotly_the_fix_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ImportError, match=r"pip install pointins_ext\[viz\]"):
        write_viewer(tmp_path / "v.html", [scene()])


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium with chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    scenes = [scene("<i>first"), scene("second", (900, 800), 0, truth=False, seed=1)]
    browser.get(write_viewer(tmp_path_factory.mktemp("viewer") / "v.html", scenes).as_uri())
    return browser


@pytest.fixture
def page(opened):
    """The page as it opens; it takes seconds to load, so it is loaded once and set back by its own controls."""
    opened.execute_script(
        "document.querySelectorAll('#centers:checked, #offsets:checked, #boxes:checked, input[value=instances]')"
        ".forEach((control) => control.click()); select.value = 0; select.onchange()"
    )
    yield opened
    fetched = opened.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert fetched == []
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []


def picture(page):
    """What the plot shows (H, W, 3), once it is drawn."""
    page.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")
    from matplotlib.image import imread

    return np.round(255 * imread(io.BytesIO(page.find_element("id", "plot").screenshot_as_png))[..., :3]).astype(int)


def covered(image):
    """Share of the pixels that are not background."""
    return (np.abs(image - image[-1, 0]).max(axis=2) > 30).mean()


def traces(page):
    """Name -> points of the visible traces."""
    shown = page.execute_script("return plot.data.filter((t) => t.visible).map((t) => [t.name, t.x.length])")
    return dict(map(tuple, shown))


def press(page, name):
    """Clicks the control of that label; returns the new picture."""
    page.find_element("xpath", f"//label[span='{name}']").click()
    return picture(page)


def row(page, number):
    return page.find_elements("css selector", "tbody tr")[number]


def test_every_control_changes_the_picture(page):
    shown = picture(page)
    assert traces(page) == {"instances": 2220}
    assert covered(shown) > 0.02 and len(np.unique(shown.reshape(-1, 3), axis=0)) > 4
    for name, visible in (
        ("Input", {"input": 2220}),
        ("Truth", {"truth": 2220}),
        ("No points", {}),
        ("Predicted centers", {"predicted centers": 2120, "centers": 3}),
        ("Offsets", {"predicted centers": 2120, "centers": 3, "offsets": 3 * 1060}),
        ("Boxes", {"predicted centers": 2120, "centers": 3, "offsets": 3 * 1060, "boxes": 2 * EDGES}),
        ("Predicted centers", {"offsets": 3 * 1060, "boxes": 2 * EDGES}),
        ("Offsets", {"boxes": 2 * EDGES}),
        ("Predicted centers", {"predicted centers": 2120, "centers": 3, "boxes": 2 * EDGES}),
        ("Instances", {"instances": 2220, "predicted centers": 2120, "centers": 3, "boxes": 2 * EDGES}),
    ):
        before, shown = shown, press(page, name)
        assert traces(page) == visible
        assert (before != shown).any(axis=2).mean() > 0.002, f"{name} leaves the picture as it is"
        assert name != "No points" or covered(shown) < 0.002
    labels = page.find_elements("css selector", "#plot .annotation-text")
    assert sorted(label.text for label in labels) == ["3", "5", "7"]


def test_a_click_on_a_row_hides_and_shows_its_points(page):
    whole = picture(page)
    row(page, 0).click()
    part = picture(page)
    assert traces(page) == {"instances": 720} and 0.002 < covered(part) < covered(whole) - 0.002
    assert (
        "off" in row(page, 0).get_attribute("class")
        and not row(page, 0).find_element("tag name", "input").is_selected()
    )
    row(page, 0).find_element("tag name", "input").click()
    assert traces(page) == {"instances": 2220} and (picture(page) != whole).mean() < 0.001
    page.find_element("id", "all").click()
    assert traces(page) == {"instances": 0} and covered(picture(page)) < 0.002
    row(page, 2).click()
    assert traces(page) == {"instances": 20}
    page.find_element("id", "all").click()
    assert traces(page) == {"instances": 2220}


def test_every_edge_of_a_box_is_drawn_once_and_hides_with_its_row(page):
    press(page, "Boxes")
    row(page, 0).click()
    assert traces(page) == {"instances": 720, "boxes": EDGES}
    x, y, z = (page.execute_script(f"return plot.data.find((t) => t.name === 'boxes').{axis}") for axis in "xyz")
    points = list(zip(x, y, z, strict=True))[:EDGES]
    box = page.execute_script("return SCANS[0].instances[2].box")
    place = {tuple(value / 1000 for value in corner): i for i, corner in enumerate(box)}
    pairs = [tuple(sorted((place[a], place[b]))) for a, b in itertools.pairwise(points) if None not in (a[0], b[0])]
    around = [(0, 1), (1, 2), (2, 3), (0, 3)]
    assert sorted(pairs) == sorted([*around, *((a + 4, b + 4) for a, b in around), *((i, i + 4) for i in range(4))])
    row(page, 0).click()


def test_the_table_and_hovering_tell_the_same(page):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    rows = [line.text.split() for line in page.find_elements("css selector", "tbody tr")]
    marked = ["5", "·", "plane", "600", "0.50"]
    assert rows == [["7", "1,500", "0.70"], marked, ["3", "20", "0.30"], ["none", "100", "–"]]
    texts = page.execute_script("return [...new Set(plot.data.find((t) => t.name === 'instances').text)]")
    assert re.fullmatch(r"<b>instance 7</b><br>1,500 points<br>0.60 × 0.60 × 0.60 m<br>score 0.70", texts[0])
    assert (
        len(texts) == 4
        and texts[1].startswith("<b>instance 5 · plane</b>")
        and texts[3].startswith("<b>no instance</b><br>100 points")
    )
    image = picture(page)
    color = page.execute_script("return SCANS[0].instances[0].color")
    painted = np.argwhere((image == [int(value) for value in re.findall(r"\d+", color)]).all(axis=2))
    inside = painted[np.abs(painted - np.median(painted, axis=0)).sum(axis=1).argmin()]
    across, down = (inside - np.array(image.shape[:2]) // 2)[::-1].tolist()
    plot = page.find_element("id", "plot")
    ActionChains(page).move_to_element_with_offset(plot, across, down).pause(0.3).move_by_offset(1, 1).perform()
    WebDriverWait(page, 10).until(lambda page: page.find_elements("css selector", "#plot .hovertext"))
    assert page.find_element("css selector", "#plot .hovertext").text.startswith("instance 7")


def test_the_camera_stays_until_another_scan_is_chosen(page):
    eye = "return plot._fullLayout.scene.camera.eye.x"
    from selenium.webdriver import ActionChains

    first = page.execute_script(eye)
    drag = ActionChains(page).move_to_element(page.find_element("css selector", "#plot canvas"))
    drag.click_and_hold().move_by_offset(60, 20).pause(0.3).move_by_offset(60, 20).pause(0.3).release().perform()
    turned = page.execute_script(eye)
    assert turned != pytest.approx(first, rel=0.005)  # a busy machine draws few frames of the drag
    before = press(page, "Input")
    row(page, 0).click()
    assert page.execute_script(eye) == turned
    press(page, "Truth")
    page.find_element("xpath", "//option[text()='second']").click()
    assert (picture(page) != before).any(axis=2).mean() > 0.01
    camera = page.execute_script("return [plot._fullLayout.scene.camera.eye, layout().scene.camera.eye]")
    assert camera[0] == camera[1]
    assert traces(page) == {"instances": 1700}  # the second scan has no truth to show
    assert not page.find_element("xpath", "//label[span='Truth']").is_displayed()
    assert [option.text for option in page.find_elements("tag name", "option")] == ["<i>first", "second"]
    assert page.find_element("id", "about").text == "2 instances, 1,700 points"
    assert [line.text.split()[-1] for line in page.find_elements("css selector", "tbody tr")] == ["–", "–"]  # no score
    press(page, "Boxes")
    assert traces(page)["boxes"] == 2 * EDGES


def test_dark_and_light_follow_the_system(page):
    for scheme, bright in (("dark", False), ("light", True)):
        page.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        image = picture(page)
        assert (image[-1, 0] > 128).all() == bright and covered(image) > 0.02
