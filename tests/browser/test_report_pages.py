"""The pages of a report in a browser, opened as files."""

import re

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from report_runs import write_run
from torch.utils.tensorboard import SummaryWriter

from vae_lightning.report import pages, report

HOSTILE = "<script>evil=1<script><b>é'\""
CONTRAST = """(selector) => {
  const luminance = (color) => {
    const linear = (v) => (v <= 0.04 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = color.match(/[0-9.]+/g).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const color = node ? getComputedStyle(node).backgroundColor : "rgb(255, 255, 255)";
    return color === "rgba(0, 0, 0, 0)" ? behind(node.parentElement) : color;
  };
  return [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility()).map((node) => {
    const [high, low] = [getComputedStyle(node).color, behind(node)].map(luminance).sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  });
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """Write a report on runs of two datasets and return its address. One β has two seeds, one run a hostile name."""
    root = tmp_path_factory.mktemp("runs")
    for name, beta, seed, distortion in (
        ("a0", 1, 0, 80.0),
        ("a1", 1, 1, 82.0),
        ("b", 4, 0, 90.0),
        (HOSTILE, 16, 0, 95.0),
    ):
        metrics = {"test/distortion": distortion, "test/rate": 20.0 / beta, "test/nelbo": distortion + 20.0 / beta}
        metrics |= {"disentanglement/sap": beta / 10} if beta < 16 else {}
        run_dir = write_run(root / name, metrics, beta=beta, seed=seed, name=name.rstrip("01"))
        (run_dir / "figures").mkdir()
        for figure in ("latent_space", "samples"):
            Image.new("RGB", (40, 20), (beta, 0, 0)).save(run_dir / "figures" / f"{figure}.png")
        with SummaryWriter(str(run_dir)) as writer:
            for images_seen in (100, 200):
                writer.add_scalar("val/nelbo", 200 - images_seen / 10, images_seen)
    metrics = {"test/distortion": 700.0, "test/rate": 9.0, "test/nelbo": 709.0}
    write_run(root / "c", metrics, model="vae", data="SpritesDataModule")
    write_run(root / "d", {}, beta=64)
    return report(root).as_uri()


def column(page: Page, key: str, body: str = "runs") -> list[str]:
    """Return the visible texts of a column of the first table."""
    index = page.locator(f"#Digits thead [data-key='{key}']").evaluate("head => head.cellIndex")
    return page.locator(f"#Digits tbody.{body} tr:visible > :nth-child({index + 1}):visible").all_inner_texts()


def names(page: Page) -> list[str]:
    """Return the names of all visible runs and settings."""
    return page.locator("table.runs tbody .name:visible").all_inner_texts()


def test_filter_takes_words_and_comparisons(page, address):
    page.goto(address)
    page.keyboard.press("/")
    expect(page.locator("#filter")).to_be_focused()
    for text, shown in {
        "NELBO<99": [HOSTILE, "b"],
        "beta=4": ["b"],
        "nothing": [],
        "": [HOSTILE, "a0", "a1", "b", "c"],
        "sprites": ["c"],
        "distortion>=82 rate>4 seed=1": ["a1"],
        "<script>": [HOSTILE],
    }.items():
        page.fill("#filter", text)
        assert sorted(names(page)) == shown, text
        expect(page.locator("#status")).to_have_text(f"{len(shown)} of 5 runs" if text else "")
        assert page.locator("section:visible").count() == len({name == "c" for name in shown})
        page.reload()
        assert sorted(names(page)) == shown, text  # the address keeps the state


def test_columns_can_be_chosen(page, address):
    page.goto(address)
    assert column(page, "beta") == ["1", "1", "4", "16"]
    assert column(page, "disentanglement/sap") == []
    page.click("#chooser summary")
    page.check("#chooser input[value='disentanglement/sap']")
    page.uncheck("#chooser input[value='beta']")
    assert column(page, "disentanglement/sap") == ["0.10", "0.10", "0.40", ""]
    assert column(page, "beta") == []
    page.keyboard.press("Escape")
    expect(page.locator("#chooser fieldset")).to_be_hidden()
    expect(page.locator("#chooser summary")).to_be_focused()
    assert set(page.locator("#Digits .constants dt").all_text_contents()) >= {"latent_dim", "model", "data"}


def test_columns_are_sorted_by_value_with_empty_cells_last(page, address):
    page.goto(address)
    page.click("#chooser summary")
    page.check("#chooser input[value='disentanglement/sap']")
    head = page.locator("#Digits thead [data-key='test/nelbo'] button")
    head.focus()
    page.keyboard.press("Enter")
    assert column(page, "test/nelbo") == ["95.00", "96.25", "100.00", "102.00"]
    page.keyboard.press("Enter")
    assert column(page, "test/nelbo") == ["102.00", "100.00", "96.25", "95.00"]
    expect(head.locator("..")).to_have_attribute("aria-sort", "descending")
    for order in (["0.10", "0.10", "0.40", ""], ["0.40", "0.10", "0.10", ""]):
        page.click("#Digits thead [data-key='disentanglement/sap'] button")
        assert column(page, "disentanglement/sap") == order


def test_best_values_are_marked_per_data_set(page, address):
    page.goto(address)
    assert page.locator("#Digits tbody.runs td.best:visible").all_inner_texts() == ["80.00", "95.00"]
    assert page.locator("#Sprites td.best").count() == 0


def test_seeds_fold_to_their_mean_and_interval(page, address):
    page.goto(address)
    assert page.locator("#Digits .plane .point").count() == 4
    page.get_by_label("Mean over seeds").check()
    assert names(page) == ["a0 + 1 more", "b", HOSTILE, "c"]
    assert column(page, "test/distortion", "settings") == ["81.00 ± 12.71", "90.00", "95.00"]  # t(0.975, 1) √2 / √2
    assert column(page, "seed", "settings") == ["2 runs", "1 run", "1 run"]
    assert page.locator("#Digits .plane .point").count() == 3
    page.get_by_role("checkbox", name="select a0 + 1 more").check()
    page.get_by_label("Mean over seeds").uncheck()
    assert page.locator("tr.selected .name:visible").all_inner_texts() == ["a0", "a1"]


def test_runs_can_be_compared(page, address):
    page.goto(address)
    expect(page.locator("#compare")).to_have_attribute("aria-disabled", "true")
    for name in ("b", HOSTILE):
        page.get_by_role("checkbox", name=f"select {name}", exact=True).check()
    page.get_by_role("link", name="Compare 2").click()
    expect(page.locator("#numbers tbody tr").first).to_have_text("nelbo95.0096.25")
    assert page.locator("#numbers .best").all_inner_texts() == ["95.00", "90.00"]
    assert page.locator("#others th[scope=row]").all_text_contents() == ["disentanglement/sap"]
    options = dict(row.split("\t", 1) for row in page.locator("#options tbody tr").all_inner_texts())
    assert options == {"name": f"b\t{HOSTILE}", "beta": "4\t16"}
    assert page.locator("#figures tbody th").all_inner_texts() == ["latent space", "samples"]
    loaded = page.locator("#figures img").evaluate_all("images => images.map((image) => image.naturalWidth)")
    assert loaded == [40] * 4
    assert page.locator(".curves .scatterlayer .trace").count() == 2
    page.click("#back")
    expect(page.locator("tr.selected .name:visible")).to_have_text(["b", HOSTILE])
    assert page.evaluate("typeof evil") == "undefined"


def test_comparison_of_different_data_marks_nothing_and_of_unknown_runs_says_so(page, address):
    page.goto(address.replace("report.html", "compare.html?runs=b,c"))
    expect(page.locator("#message")).to_have_text("Numbers of different data cannot be compared: Digits; Sprites.")
    expect(page.locator("#numbers tbody tr")).not_to_have_count(0)
    assert page.locator("#numbers .best").count() == 0
    page.goto(address.replace("report.html", "compare.html?runs=b,../b,constructor"))
    expect(page.locator("#message")).to_have_text("Select at least two runs in the report.")


def test_a_point_of_the_plane_names_its_run_and_leads_to_it(page, address):
    page.goto(address)
    point = page.locator("#Digits .plane .point").last  # of the highest β
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#Digits .hoverlayer")).to_contain_text(HOSTILE)
    expect(page.locator("#Digits .hoverlayer")).to_contain_text("nelbo 96.25")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/index.html")
    expect(page.locator("h1")).to_have_text(HOSTILE)
    assert page.evaluate("typeof evil") == "undefined"


def test_page_of_a_run_shows_numbers_curves_configuration_and_figures(page, address):
    page.goto(address)
    page.get_by_role("link", name="b", exact=True).click()
    assert page.locator(".numbers dd").all_inner_texts() == ["95.00", "90.00", "5.00"]
    expect(page.locator(".curves .scatterlayer .trace")).to_have_count(1)
    expect(page.locator("pre.code")).to_contain_text("beta: 4")
    page.locator("button.enlarge").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_contain_text("latent space (1 of 2)")
    page.keyboard.press("ArrowRight")
    expect(page.locator("dialog")).to_contain_text("samples (2 of 2)")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(page.locator("button.enlarge").last).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report.html", "compare.html?runs=a0,b", "run/b/index.html"])
def test_text_is_readable_and_fits_narrow_screens(page, address, scheme, name):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address.replace("report.html", name))
    page.locator(".plot-container").first.wait_for()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    ratios = page.evaluate(
        CONTRAST, "a:not(.modebar-btn), p, td, th, h1, h2, dt, dd, pre, summary, label, button, .note, .state"
    )
    assert len(ratios) > 10
    assert min(ratios) > 4.5  # WCAG 2, level AA
    fill = page.locator(".xtick text").first.evaluate("text => getComputedStyle(text).fill")
    assert fill == page.evaluate("getComputedStyle(document.body).color")
    if name == "report.html":
        page.click("#chooser summary")
        box = page.locator("#chooser fieldset").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_report_without_plotly_shows_the_plane_as_a_figure(page, make_run, tmp_path, monkeypatch):
    monkeypatch.setitem(pages.ENVIRONMENT.globals, "has_plotly", False)
    for beta in (1, 4):
        metrics = {"test/nelbo": 90.0 + beta, "test/distortion": 80.0 + beta, "test/rate": 10.0}
        make_run(tmp_path / "runs" / str(beta), metrics, beta=beta)
    page.goto(report(tmp_path / "runs").as_uri())
    assert page.get_by_alt_text("Rate-distortion plane").evaluate("image => image.naturalWidth") > 0
    expect(page.locator("body")).to_contain_text(re.compile("pip install"))
    page.fill("#filter", "beta=4")
    assert names(page) == ["4"]
    assert not (tmp_path / "runs" / "report" / "assets" / "plotly.min.js").exists()
