"""Tests of downloading a file in several processes, and of its errors."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vae_lightning.data.download import fetch
from vae_lightning.errors import UserError

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def server():
    """Serve `CONTENT` so slowly that a second process asks for it in the meantime."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            requests.append(self.path)
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
            time.sleep(0.5)
            self.wfile.write(CONTENT[len(CONTENT) // 2 :])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/file", requests
        httpd.shutdown()


def test_file_is_downloaded_once_if_several_ask_for_it(server, tmp_path):
    url, requests = server
    path = tmp_path / "data" / "file"
    threads = [threading.Thread(target=fetch, args=(url, path, "mine", "digits")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == CONTENT
    assert [*path.parent.iterdir()] == [path]
    assert requests == ["/file"]


def test_interrupted_download_leaves_nothing(server, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rich.progress.Progress.advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(server[0], tmp_path / "data" / "file", "mine", "digits")
    assert [*tmp_path.iterdir()] == []


def test_incomplete_download_is_reported_and_leaves_nothing(tmp_path):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(CONTENT[:60])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        with pytest.raises(UserError, match=r"the download failed \(only 60 of 100 bytes arrived\)"):
            fetch(f"http://127.0.0.1:{httpd.server_port}/x", tmp_path / "x", "mine", "digits")
        httpd.shutdown()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("parent", ["new", "file"])
def test_failed_download_is_reported_and_leaves_nothing(parent, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"^data=mine: no .*/x, and the download failed \(.*use data=digits"):
        fetch("http://127.0.0.1:9/x", tmp_path / parent / "x", "mine", "digits")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
