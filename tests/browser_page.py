"""Fixtures: a page of a headless browser, without a network."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Return the system's Chromium."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (on Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """Return an empty page. The test fails if the page logs an error, or requests anything but files and this host."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if is_local(request.url) else problems.append(request.url))
    yield page
    page.close()
    assert not problems, problems


def is_local(url: str) -> bool:
    """Return whether a URL is served from this machine."""
    return url.startswith(("file:", "data:", "blob:", "about:", "http://localhost:", "http://127.0.0.1:"))
