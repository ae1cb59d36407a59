"""Run a Dockerfile's steps in clean root folders, without a Docker engine: as root, on Linux.

    python tools/try_dockerfile.py deploy/Dockerfile --base FOLDER --work FOLDER
        [--bind PATH ...] [--run WORD ...]

``--base`` is a root folder with what the FROM lines name (debootstrap --variant=minbase bookworm
FOLDER); each stage begins with a copy of it. RUN, COPY, ENV, WORKDIR, USER, ENTRYPOINT and CMD are
done as they say; the rest is listed. ``--bind`` shows files and folders of this machine within,
read-only (a package index on disk, a certificate). With ``--run`` the entry point is started in the
last stage: as the image's user, its root folder mounted read-only, with /tmp and its volumes
writable. What it doesn't show: the engine's own part (layers, networks, health checks,
capabilities). An image itself is untested.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """One stage: its root folder, and what its lines have set."""

    name: str
    root: Path
    folder: str = "/"
    user: str = "0"
    environment: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def lines_of(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, as a word and the rest."""
    text = path.read_text(encoding="utf-8").replace("\\\n", "")
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0].upper(), line.split(None, 1)[1]) for line in kept]


def inside(stage: Stage, words: list[str], binds: list[str], user: str = "0") -> None:
    """Run a command in a stage's root folder, in mounts of its own."""
    # Read-only: a package's script within must not change this machine.
    mounts = []
    for bind in binds:
        to = shlex.quote(str(stage.root) + bind)
        mounts += [f"mount --bind {shlex.quote(bind)} {to}", f"mount -o remount,bind,ro {to}"]
    root = shlex.quote(str(stage.root))
    script = " && ".join(
        [
            *mounts,
            f"mount -t proc proc {root}/proc",
            f"mount --rbind /dev {root}/dev",
            f"exec chroot --userspec={user}:{user} {root} /usr/bin/env -i " + shlex.join(words),
        ]
    )
    for bind in binds:
        target = Path(str(stage.root) + bind)
        if Path(bind).is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    subprocess.run(["unshare", "--mount", "sh", "-ec", script], check=True)


def environment_of(stage: Stage) -> list[str]:
    """The environment of a stage as words for env."""
    given = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
    }
    return [f"{name}={value}" for name, value in {**given, **stage.environment}.items()]


def copy(stage: Stage, rest: str, context: Path, stages: dict[str, Stage]) -> None:
    """COPY, of the context or of an earlier stage."""
    words = rest.split()
    source = context
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].root
    *names, target = words
    place = target if target.startswith("/") else f"{stage.folder}/{target.removeprefix('./')}"
    to = Path(f"{stage.root}{place}")
    for name in names:
        origin = source / name.lstrip("/")
        if origin.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(origin, to, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            into = to / origin.name if target.endswith("/") or to.is_dir() else to
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, into)


def megabytes(root: Path) -> int:
    """The size of a folder."""
    done = subprocess.run(["du", "-smx", str(root)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def build(arguments: argparse.Namespace) -> Stage:
    """Do all lines, and return the last stage."""
    context, stages, stage = Path(arguments.context).resolve(), {}, None
    for word, rest in lines_of(Path(arguments.dockerfile)):
        print(f"{word} {rest[:110]}", flush=True)
        if word == "FROM":
            name = rest.split()[2] if " AS " in rest.upper() else "last"
            root = Path(arguments.work).resolve() / name
            root.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["rm", "-rf", str(root)], check=True)
            subprocess.run(["cp", "-a", arguments.base, str(root)], check=True)
            shutil.copy2("/etc/resolv.conf", root / "etc" / "resolv.conf")
            stage = stages[name] = Stage(name, root)
        assert stage is not None
        if word == "RUN":
            command = f"cd {shlex.quote(stage.folder)} && {rest}"
            words = [*environment_of(stage), *arguments.env, "/bin/sh", "-ec", command]
            inside(stage, words, arguments.bind)
        elif word == "COPY":
            copy(stage, rest, context, stages)
        elif word == "ENV":
            pairs = (one.split("=", 1) for one in shlex.split(rest))
            stage.environment.update(pairs)
        elif word == "WORKDIR":
            stage.folder = rest.strip()
            Path(f"{stage.root}{stage.folder}").mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            stage.user = rest.strip()
        elif word == "VOLUME":
            stage.volumes.append(rest.strip())
        elif word == "ENTRYPOINT":
            stage.entry = json.loads(rest)
        elif word == "CMD":
            stage.command = json.loads(rest)
    assert stage is not None
    return stage


def start(stage: Stage, words: list[str], volume: Path) -> int:
    """Start the entry point as the image's user, on a read-only root folder."""
    root = str(stage.root)
    mounts = [f"mount --bind {root} {root}", f"mount -o remount,bind,ro {root}"]
    for place in stage.volumes:
        mounts.append(f"mount --bind {shlex.quote(str(volume))} {root}{place}")
    mounts += [
        f"mount -t tmpfs -o uid={stage.user},mode=0700 none {root}/tmp",
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /dev {root}/dev",
    ]
    inner = [*environment_of(stage), "/bin/sh", "-c", f'cd {stage.folder} && exec "$@"', "sh"]
    run = shlex.join([*inner, *stage.entry, *words])
    user = f"--userspec={stage.user}:{stage.user} --groups="
    script = " && ".join([*mounts, f"exec chroot {user} {root} /usr/bin/env -i {run}"])
    os.chown(volume, int(stage.user), int(stage.user))
    return subprocess.run(["unshare", "--mount", "sh", "-ec", script], check=False).returncode


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dockerfile")
    parser.add_argument("--context", default=".")
    parser.add_argument("--base", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--bind", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--volume", default=None)
    parser.add_argument("--run", nargs=argparse.REMAINDER, default=None)
    arguments = parser.parse_args()
    stage = build(arguments)
    print(f"the last stage has {megabytes(stage.root)} MB", flush=True)
    if arguments.run is None:
        return 0
    volume = Path(arguments.volume or Path(arguments.work) / "volume").resolve()
    volume.mkdir(parents=True, exist_ok=True)
    return start(stage, arguments.run or stage.command, volume)


if __name__ == "__main__":
    sys.exit(main())
