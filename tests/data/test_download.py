"""Tests of downloading a file in several processes, and of its errors."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vae_lightning.data.download import fetch
from vae_lightning.errors import UserError

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def server():
    """Serve `CONTENT` slowly enough that two downloads overlap."""
    both = threading.Barrier(2, timeout=30)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
            both.wait()
            self.wfile.write(CONTENT[len(CONTENT) // 2 :])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/file"
        httpd.shutdown()


def test_downloads_at_the_same_time_do_not_disturb_each_other(server, tmp_path):
    path = tmp_path / "data" / "file"
    threads = [threading.Thread(target=fetch, args=(server, path, "mine", "digits")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == CONTENT
    assert [*path.parent.iterdir()] == [path]


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
