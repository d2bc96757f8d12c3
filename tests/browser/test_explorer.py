"""Tests of the latent explorer in a browser: served from Python, and as static files with ONNX Runtime."""

import base64
import io
import shutil

import numpy as np
import pytest
import torch
from explorer_runs import explorer, static_server, train_small
from PIL import Image

from vae_lightning.errors import UserError
from vae_lightning.explorer.explore import load_runs
from vae_lightning.explorer.onnxruntime_web import copy_runtime
from vae_lightning.explorer.static import write_static

TOLERANCE = 1e-4
READY = "window.explorer?.panels.every((p) => p.decoded === p.run)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a conditional and an unconditional run."""
    root = tmp_path_factory.mktemp("runs")
    paths = [
        train_small(root / "a", "model=cvae", "name=conditional"),
        train_small(root / "b", "model.latent_dim=2", "name=plain"),
    ]
    return load_runs(paths)


@pytest.fixture(scope="module")
def server(runs):
    """Return the address of the page, served from Python."""
    with explorer(runs) as url:
        yield url


@pytest.fixture(scope="module")
def static(runs, tmp_path_factory, request):
    """Return the address of the page as static files. onnxruntime-web is downloaded once, into pytest's cache."""
    cache = request.config.cache.mkdir("onnxruntime-web")
    try:
        copy_runtime(cache, None)
    except UserError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("static")
    shutil.copytree(cache, folder / "ort")
    write_static(runs, folder, None)
    with static_server(folder) as url:
        yield url


@pytest.fixture(params=["server", "static"])
def url(request):
    """Return the address of the page in both modes."""
    return request.getfixturevalue(request.param)


def visit(page, url):
    page.goto("about:blank")  # a change of the hash alone would not load the page again
    page.goto(url)
    page.wait_for_function(READY)


def state(page):
    """Return the state as lists, once the pictures show it."""
    page.wait_for_function(READY)
    return page.evaluate(
        "JSON.parse(JSON.stringify(explorer.store.state, (k, v) => (ArrayBuffer.isView(v) ? Array.from(v) : v)))"
    )


def assert_decoded(page, runs):
    """Compare the decoded values of the page with those of the models."""
    for index, shown in enumerate(state(page)["runs"]):
        pixels = page.evaluate(f"Array.from(explorer.panels[{index}].pixels)")
        y = shown["condition"] and torch.tensor([shown["condition"]], dtype=torch.float32)
        with torch.no_grad():
            expected = runs[index].run.model.decode(torch.tensor([shown["z"]], dtype=torch.float32), y).mean
        assert np.abs(np.array(pixels) - expected.flatten().numpy()).max() <= TOLERANCE


def slider(page, place, run=0):
    return page.locator(".run").nth(run).locator(".slider input[type=range]").nth(place)


def drop(page, pixels):
    """Drop a gray PNG of pixels, uint8 (H, W), on the page."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    page.evaluate(
        """async (text) => {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "image.png", { type: "image/png" }));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
        base64.b64encode(buffer.getvalue()).decode(),
    )


def test_slider_changes_the_picture(page, url, runs):
    visit(page, url)
    assert_decoded(page, runs)
    before = page.evaluate("Array.from(explorer.panels[0].pixels)")
    slider(page, 0).fill("1.5")
    latent = runs[0].manifest["order"][0]
    assert state(page)["runs"][0]["z"][latent] == 1.5
    assert_decoded(page, runs)
    assert page.evaluate("Array.from(explorer.panels[0].pixels)") != before


def test_class_changes_the_picture(page, url, runs):
    visit(page, url)
    page.locator(".condition label", has_text="7").click()
    assert state(page)["runs"][0]["condition"].index(1) == 7
    assert_decoded(page, runs)


def test_dropped_image_is_encoded(page, url, runs):
    visit(page, url)
    page.locator(".condition label", has_text="3").click()
    x = runs[0].run.data.splits["test"].x[:1]
    drop(page, x[0, 0].numpy())
    page.wait_for_function("explorer.store.past.length === 2")
    codes = [shown["z"] for shown in state(page)["runs"]]
    with torch.no_grad():
        expected = [runs[0].run.model.encode(x, torch.tensor([3])).mean, runs[1].run.model.encode(x).mean]
    for z, mean in zip(codes, expected, strict=True):
        assert np.allclose(z, mean[0].numpy(), atol=TOLERANCE)
    page.locator("#invert").check()
    page.wait_for_function("explorer.store.past.length === 3")
    with torch.no_grad():
        mean = runs[1].run.model.encode(255 - x).mean
    assert np.allclose(state(page)["runs"][1]["z"], mean[0].numpy(), atol=TOLERANCE)


def test_address_restores_the_state(page, url, runs):
    visit(page, url)
    page.locator("#test-image").click()
    page.locator("#set-a").click()
    page.locator("#prior-sample").click()
    page.locator("#set-b").click()
    page.locator("#t").fill("0.25")
    page.locator(".run select").first.select_option(str(runs[0].manifest["order"][2]))
    expected = state(page)
    assert expected["t"] == 0.25
    address = page.url
    visit(page, address)
    assert state(page) == expected
    assert_decoded(page, runs)


def test_address_that_does_not_fit_is_ignored(page, server, runs):
    visit(page, server)
    expected = state(page)
    visit(page, server + "#z0=AAAA&z1=%25&y0=AAAAAA&m0=7.8&a0=AACAfw&t=nan")
    assert state(page) == expected


def test_undo_and_redo(page, server):
    visit(page, server)
    start = state(page)
    assert page.locator("#undo").is_disabled()
    slider(page, 0).fill("1")
    moved = state(page)
    slider(page, 1).fill("-1")
    page.locator("#undo").click()
    assert state(page) == moved
    page.keyboard.press("Control+z")
    assert state(page) == start
    page.keyboard.press("Control+Shift+z")
    assert state(page) == moved
    assert page.locator("#redo").is_enabled()


def test_dragging_in_the_map_sets_two_latents(page, server, runs):
    visit(page, server)
    before = state(page)["runs"][0]
    canvas = page.locator(".map > canvas").first
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25, steps=4)
    page.mouse.up()
    after = state(page)["runs"][0]
    x, y = after["axes"]
    bounds = page.evaluate("explorer.panels[0].map.bounds")
    expected = [low + 0.75 * (high - low) for low, high in bounds]
    assert [after["z"][x], after["z"][y]] == pytest.approx(expected, abs=0.05)
    (other,) = {0, 1, 2} - {x, y}
    assert after["z"][other] == before["z"][other]
    assert page.evaluate("explorer.store.past.length") == 1  # one step, however often the pointer moved
    assert_decoded(page, runs)


def test_double_click_takes_the_code_of_a_test_image(page, server, runs):
    visit(page, server)
    canvas = page.locator(".run").nth(1).locator(".map > canvas")
    x, y = page.evaluate("explorer.panels[1].map.toPixels(explorer.panels[1].assets.points)")
    canvas.hover(position={"x": x, "y": y})
    assert page.locator(".run").nth(1).locator(".tip").is_visible()
    canvas.dblclick(position={"x": x, "y": y})
    z = state(page)["runs"][1]["z"]
    points = np.frombuffer(runs[1].files["points.bin"], "<f4").reshape(-1, 2)
    assert np.abs(points - np.array(z, dtype=np.float32)).max(1).min() == 0


def test_drawing_is_encoded(page, server):
    visit(page, server)
    before = state(page)
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 200, steps=5)
    page.mouse.up()
    page.wait_for_function("explorer.store.past.length === 1")
    after = state(page)
    assert all(a["z"] != b["z"] for a, b in zip(after["runs"], before["runs"], strict=True))


def test_interpolation_decodes_the_way_from_a_to_b(page, server, runs):
    visit(page, server)
    strip = page.locator(".run").nth(1).locator(".strip")
    assert strip.is_hidden()
    page.locator("#set-a").click()
    slider(page, 0, run=1).fill("2")
    page.locator("#set-b").click()
    assert strip.is_visible()
    page.locator("#t").fill("0.5")
    shown = state(page)["runs"][1]
    assert np.allclose(shown["z"], (np.array(shown["a"]) + np.array(shown["b"])) / 2, atol=1e-6)
    assert strip.locator("canvas").get_attribute("width") == str(9 * 8)


def test_images_behind_the_map_are_those_of_the_plane(page, server, runs):
    visit(page, server)
    page.locator(".manifold").first.check()
    page.wait_for_function("explorer.panels[0].map.manifold")
    n = 15
    assert page.evaluate("explorer.panels[0].map.manifold.width") == n * 8
    z = page.evaluate(f"Array.from(explorer.panels[0].map.grid({n}))")
    assert len(z) == n * n * 3
    x, y = runs[0].manifest["order"][:2]
    first, last = z[:3], z[-3:]
    assert first[x] < last[x]
    assert first[y] > last[y]  # the upper left and the lower right
    page.locator(".manifold").first.uncheck()
    assert page.evaluate("explorer.panels[0].map.manifold") is None


def test_prior_mean_and_samples(page, server, runs):
    visit(page, server)
    page.locator("#prior-sample").click()
    z = state(page)["runs"][0]["z"]
    draws = np.frombuffer(runs[0].files["prior.bin"], "<f4").reshape(-1, 3)
    assert np.abs(draws - np.array(z, dtype=np.float32)).max(1).min() == 0
    page.locator("#prior-mean").click()
    assert state(page)["runs"][0]["z"] == [0, 0, 0]


def test_stopped_server_is_reported(browser, server):
    page = browser.new_page()  # not the fixture, since the browser logs the failed request as an error
    visit(page, server)
    page.route("**/decode", lambda route: route.abort())
    slider(page, 0).fill("1")
    page.locator("#status", has_text="start vae-lightning explore again").wait_for()
    page.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_the_screen(page, server, width):
    page.set_viewport_size({"width": width, "height": 800})
    visit(page, server)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("shape", [(1, 1, 600), (1, 60, 3)])
def test_pictures_of_unusual_shapes_are_visible(page, tmp_path, shape):
    """A vector is shown at a twelfth of its width, a high image at three times its width, and both can be drawn."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((40, *shape)))
    options = ["data=arrays", f"data.root={tmp_path / 'x.npy'}", "data.image_shape=null"]
    with explorer(load_runs([train_small(tmp_path / "run", *options)])) as url:
        visit(page, url)
        ratio = 1 / 12 if shape[1] == 1 else 3
        for canvas in ("#pad", ".picture canvas"):
            box = page.locator(canvas).bounding_box()
            assert box["height"] / box["width"] == pytest.approx(ratio, rel=0.05), canvas
        page.locator("#pad").click()
        page.wait_for_function("explorer.store.past.length === 1")
        page.locator(".map > canvas").hover()
        page.wait_for_function("explorer.panels[0].decoded === explorer.panels[0].run")
