"""The files of the deploy folder say what the docs promise, in options that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tools.try_dockerfile import lines_of

from cofactor.cli.main import main
from cofactor.service.http.routes import table
from cofactor.service.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
LINES = lines_of(DEPLOY / "Dockerfile")


def values(word: str) -> list[str]:
    return [rest for name, rest in LINES if name == word]


def test_the_image_has_two_stages_a_user_of_its_own_and_a_health_check() -> None:
    assert [rest.split()[0] for rest in values("FROM")] == ["debian:bookworm-slim"] * 2
    assert values("USER") == ["10001"]
    assert "/ready" in values("HEALTHCHECK")[0]
    assert values("VOLUME") == ["/var/lib/cofactor"]
    last = [name for name, _ in LINES][::-1].index("FROM")
    # Nothing is built or fetched by pip in the stage that is kept.
    assert not any("pip" in rest for _, rest in LINES[-last:])


def test_the_image_holds_no_torch() -> None:
    (install,) = [rest for rest in values("RUN") if "pip install" in rest]
    assert '".[serve,postgres]"' in install
    assert "grep -v '^torch'" in install
    assert "--only-binary :all:" in install


def test_every_file_that_is_copied_is_let_into_the_context() -> None:
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    copied = [one for rest in values("COPY") if "--from" not in rest for one in rest.split()[:-1]]
    assert copied
    assert {f"!{name}" for name in copied} <= set(allowed)
    assert all((DEPLOY.parent / name).exists() for name in copied)


def commands() -> list[str]:
    unit = (DEPLOY / "cofactor.service").read_text(encoding="utf-8")
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    (started,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    (composed,) = re.findall(r"command: (\[.*\])", compose)
    return [started, " ".join(json.loads(composed)), " ".join(json.loads(values("CMD")[0]))]


@pytest.mark.parametrize("command", commands())
def test_the_options_that_are_used_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    used = set(re.findall(r"--[a-z-]+", command))
    assert used
    assert used <= known


def test_the_root_is_read_only_in_compose_and_the_unit() -> None:
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert "read_only: true" in compose
    assert "cap_drop: [ALL]" in compose
    unit = (DEPLOY / "cofactor.service").read_text(encoding="utf-8")
    assert "ProtectSystem=strict" in unit
    assert "UMask=0077" in unit


def test_haproxy_asks_for_routes_that_exist_and_waits_longer_than_the_service() -> None:
    text = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
    routes = {(route.method, route.path) for route in table()}
    assert ("GET", *re.findall(r"option httpchk GET (\S+)", text)) in routes
    assert ("POST", *re.findall(r"{ method POST } { path_end (\S+) }", text)) in routes
    (seconds,) = re.findall(r"timeout server (\d+)s", text)
    assert int(seconds) > Settings().timeout + Settings().drain_seconds
    assert len(re.findall(r"^    server ", text, re.MULTILINE)) == 2


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs HAProxy")
def test_haproxy_takes_the_file() -> None:
    done = subprocess.run(["haproxy", "-c", "-f", DEPLOY / "haproxy.cfg"], capture_output=True)
    assert done.returncode == 0, done.stderr
