"""What an install without extras does, and that no message asks for an extra that doesn't exist."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cofactor.base.errors import MissingExtraError
from cofactor.base.extras import EXTRAS, naming_extras, require

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Makes torch, the server and plots look as if they weren't installed.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def run_without_extras(code: str, tmp_path: Path) -> str:
    """What a fresh interpreter without any extra prints."""
    whole = WITHOUT.format(extras=set(EXTRAS)) + code
    done = subprocess.run(
        [sys.executable, "-c", whole],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=600,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_extra_that_a_message_names_is_declared() -> None:
    declared = set(PROJECT["optional-dependencies"])
    assert set(EXTRAS.values()) <= declared
    named = set()
    for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]:
        for extras in re.findall(r"cofactor\[([a-z,]+)\]", path.read_text(encoding="utf-8")):
            named |= set(extras.split(","))
    assert named <= declared


def test_a_light_install_needs_none_of_the_extras() -> None:
    light = {re.split(r"[<>=;\[]", one)[0].replace("-", "_") for one in PROJECT["dependencies"]}
    assert not light & set(EXTRAS)


CLOSED_FORM = """
import cofactor
from cofactor.data.synthetic import shop
data = shop(n_users=60, n_items=30, seed=1)
for name in ("ials", "ease", "item_knn", "bpr", "biased_mf", "popularity"):
    from cofactor.models import registry
    model = registry.create(name).fit(data)
    cofactor.save(model, f"{name}-model")
    again = cofactor.load(f"{name}-model")
    print(name, len(again.recommend(data.users.ids([0])[0], k=3).ids))
print(sorted(n for n in ("torch", "starlette") if n in sys.modules), end="|end|")
"""
NEEDED = {
    "train shop.csv --model mlp --out m --test 0": "torch",
    "train shop.csv --model latent_factor --out m --test 0": "torch",
    "tune shop.csv --model ease": "tune",
    "train shop.csv --model ials --out m --engine ray": "cluster",
    "serve m": "serve",
}


@pytest.fixture(scope="module")
def printed_without_extras(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What models and then each command print without any extra; in one process, whose time goes
    on starting.
    """
    folder = tmp_path_factory.mktemp("light")
    (folder / "shop.csv").write_text(
        "user,item\n" + "".join(f"u{u},i{(u * k) % 7}\n" for u in range(9) for k in range(1, 5))
    )
    (folder / "m.txt").write_text("")
    code = f"""{CLOSED_FORM}
from cofactor.cli.main import main
sys.stderr = sys.stdout
for words in {list(NEEDED)}:
    print(main(words.split()), end="|end|")
"""
    parts = run_without_extras(code, folder).split("|end|")[:-1]
    return dict(zip(["models", *NEEDED], parts, strict=True))


def test_models_in_closed_form_train_save_and_answer_without_extras(
    printed_without_extras: dict[str, str],
) -> None:
    assert printed_without_extras["models"].splitlines() == [
        *(f"{name} 3" for name in ("ials", "ease", "item_knn", "bpr", "biased_mf", "popularity")),
        "[]",
    ]


@pytest.mark.parametrize("words", NEEDED)
def test_a_command_asks_for_the_extra_that_it_needs(
    words: str, printed_without_extras: dict[str, str]
) -> None:
    printed = printed_without_extras[words]
    assert f"pip install 'cofactor[{NEEDED[words]}]'" in printed
    assert printed.endswith("1")
    assert "Traceback" not in printed


def test_a_missing_package_without_an_extra_is_named_itself() -> None:
    with pytest.raises(MissingExtraError, match="pip install nosuchpackage$"):
        require("nosuchpackage", purpose="testing")


def test_other_missing_modules_stay_what_they_are() -> None:
    with pytest.raises(ModuleNotFoundError), naming_extras("testing"):
        import nosuchmodule  # type: ignore[import-not-found]  # noqa: F401
